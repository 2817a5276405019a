/** /openapi.json and /docs: made once from the table they are part of. */
import { docsPage } from "./docs-page.js";
import { type OpenApiDocument, openApiDocument } from "./openapi.js";
import { type Route, route } from "./route.js";

/** `routes` gives the whole table, these two included; it is asked on the first request. */
export function docsRoutes(routes: () => readonly Route[]): readonly Route[] {
  let document: OpenApiDocument | undefined;
  let json: string | undefined;
  let page: string | undefined;
  const documentOnce = (): OpenApiDocument => {
    document ??= openApiDocument(routes());
    return document;
  };
  return [
    route({
      name: "openapi",
      method: "get",
      path: "/openapi.json",
      tag: "Operations",
      summary: "This description as OpenAPI 3.1",
      scopes: "open",
      status: 200,
      contentType: "application/json",
      handle: async () => {
        json ??= JSON.stringify(documentOnce());
        return json;
      },
    }),
    route({
      name: "docs",
      method: "get",
      path: "/docs",
      tag: "Operations",
      summary: "This description as a page",
      scopes: "open",
      status: 200,
      contentType: "text/html; charset=utf-8",
      handle: async () => {
        page ??= docsPage(documentOnce());
        return page;
      },
    }),
  ];
}
