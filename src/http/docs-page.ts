/** /docs: the OpenAPI document as one readable page, without scripts and without anything fetched. */
import { escapeHtml, jsonHtml, prose, type RequiredMark, schemaHtml } from "./docs-html.js";
import { DOCS_STYLE } from "./docs-style.js";
import type { JsonSchema, Media, OpenApiDocument, Operation } from "./openapi.js";

interface Entry {
  method: string;
  path: string;
  operation: Operation;
}

const entriesOf = (document: OpenApiDocument): Entry[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );

const badge = (method: string): string => `<span class="method ${method}">${method}</span>`;

function navHtml(document: OpenApiDocument, entries: Entry[]): string {
  const groups = document.tags.map(({ name }) => {
    const links = entries
      .filter(({ operation }) => operation.tags.includes(name))
      .map(
        ({ method, operation }) =>
          `<li><a href="#${operation.operationId}">${badge(method)}<span>${escapeHtml(operation.summary)}</span></a></li>`,
      );
    return `<h2>${escapeHtml(name)}</h2><ul>${links.join("")}</ul>`;
  });
  return (
    `<nav><a class="name" href="#top">Cuecard</a>${groups.join("")}` +
    `<h2>Reference</h2><ul><li><a href="#schemas">Schemas</a></li><li><a href="#errors">Errors</a></li>` +
    `<li><a href="/openapi.json">openapi.json</a></li></ul></nav>`
  );
}

const mediaOf = (content: Record<string, Media> | undefined): [string, Media] | undefined =>
  content === undefined ? undefined : Object.entries(content)[0];

const successOf = (operation: Operation): [string, Media | undefined] => {
  const [status, response] = Object.entries(operation.responses).find(([code]) => code < "300")!;
  return [status, mediaOf(response.content)?.[1]];
};

function parametersHtml(operation: Operation): string {
  const parameters = operation.parameters ?? [];
  if (parameters.length === 0) return "";
  const asObject: JsonSchema = {
    type: "object",
    properties: Object.fromEntries(
      parameters.map(({ name, schema, description }) => [name, { ...schema, description }]),
    ),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
  };
  return `<h4>In the address</h4>${schemaHtml(asObject, "required")}`;
}

/** The fields behind a reference: the first for a reader, folded where they are many. */
function bodyHtml(
  title: string,
  media: Media | undefined,
  document: OpenApiDocument,
  word: RequiredMark,
): string {
  if (media === undefined) return "";
  const name = media.schema.$ref?.split("/").at(-1);
  const schema = name === undefined ? media.schema : document.components.schemas[name];
  const heading = name === undefined ? title : `${title} · <a href="#schema-${name}">${name}</a>`;
  return `<h4>${heading}</h4>${schemaHtml(schema, word)}`;
}

function errorLinks(operation: Operation, document: OpenApiDocument): string {
  const links = operation["x-errors"].map((code) => {
    const { status } = document["x-errors"][code];
    return `<a href="#error-${code}"><b>${status}</b> ${code}</a>`;
  });
  return `<h4>Errors</h4><div class="codes">${links.join("")}</div>`;
}

function curlOf({ method, path, operation }: Entry): string {
  const lines = [`curl${method === "get" ? "" : ` -X ${method.toUpperCase()}`} "$CUECARD${path}"`];
  if (operation.security.length > 0) lines.push('-H "Authorization: Bearer $KEY"');
  const media = mediaOf(operation.requestBody?.content);
  if (media !== undefined) lines.push(`-H "Content-Type: ${media[0]}"`);
  if (media?.[0] === "application/x-ndjson") lines.push("--data-binary @products.ndjson");
  else if (media !== undefined) lines.push("-d @body.json");
  return lines.join(" \\\n  ");
}

function sampleHtml(entry: Entry): string {
  const [status, answer] = successOf(entry.operation);
  const media = mediaOf(entry.operation.requestBody?.content);
  const bodyName =
    media?.[0] === "application/x-ndjson" ? "one line of products.ndjson" : "body.json";
  const parts = [`<span class="label">Request</span><pre>${escapeHtml(curlOf(entry))}</pre>`];
  if (media?.[1].example !== undefined) {
    parts.push(`<span class="label">${bodyName}</span><pre>${jsonHtml(media[1].example)}</pre>`);
  }
  if (answer?.example !== undefined) {
    parts.push(`<span class="label">Answer ${status}</span><pre>${jsonHtml(answer.example)}</pre>`);
  }
  return `<div class="sample">${parts.join("")}</div>`;
}

function operationHtml(entry: Entry, document: OpenApiDocument): string {
  const { method, path, operation } = entry;
  const scopes = operation["x-scopes"];
  const chip = scopes.length === 0 ? "no key needed" : `scope ${scopes.join(" or ")}`;
  const [status, answer] = successOf(operation);
  return `<section class="operation" id="${operation.operationId}"><div>
<h3>${escapeHtml(operation.summary)}</h3>
<div class="address">${badge(method)}<span class="path">${escapeHtml(path)}</span><span class="chip">${chip}</span></div>
${operation.description === undefined ? "" : `<p>${prose(operation.description)}</p>`}
${parametersHtml(operation)}
${bodyHtml("Body", mediaOf(operation.requestBody?.content)?.[1], document, "required")}
<details${operation.tags.includes("Serving") ? " open" : ""}><summary>Answer ${status} and errors</summary>
${bodyHtml(`Answer ${status}`, answer, document, "always")}${errorLinks(operation, document)}</details>
</div>${sampleHtml(entry)}</section>`;
}

function errorsHtml(document: OpenApiDocument): string {
  const rows = Object.entries(document["x-errors"]).map(
    ([code, { status, title, remedy }]) =>
      `<tr id="error-${code}"><td><code>${code}</code></td><td>${status}</td>` +
      `<td>${escapeHtml(title)}</td><td>${prose(remedy)}</td></tr>`,
  );
  return `<h2 id="errors">Errors</h2><p>Every error is <code>application/problem+json</code>. Match
<code>code</code>: it is never renamed.</p><table><tr><th>code</th><th>status</th><th>meaning</th><th>what to do</th></tr>
${rows.join("")}</table>`;
}

const PROBLEM_EXAMPLE = {
  type: "/docs#error-invalid_request",
  title: "The request does not match its schema",
  status: 400,
  code: "invalid_request",
  detail: "the body does not match its schema",
  errors: [{ path: "context.cart[3]", message: "an id has no control characters" }],
  requestId: "Yx2p0aQ9-1c",
};

function introHtml(document: OpenApiDocument): string {
  return `<h1>${escapeHtml(document.info.title)} API</h1><div class="grid"><div>
<p class="lead">${prose(document.info.description)}</p>
<p>Send your key as <code>Authorization: Bearer KEY</code> or <code>X-API-Key: KEY</code>. Each route names
the scope a key needs; <code>admin</code> includes all. Lists answer <code>{"items", "nextCursor"}</code> and
take <code>limit</code> (at most 200) and <code>cursor</code>.</p>
<p>An answer other than 2xx is a problem as shown here. A <code>503</code> says in <code>Retry-After</code> when
to come back. Quote the <code>requestId</code> when you ask about one.</p></div>
<div class="sample"><span class="label">A problem</span><pre>${jsonHtml(PROBLEM_EXAMPLE)}</pre></div></div>`;
}

/** Names of schemas that requests are made of, directly or within. */
function sentNames(document: OpenApiDocument): Set<string> {
  const names = new Set<string>();
  const follow = (value: unknown): void => {
    for (const [, name] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (names.has(name)) continue;
      names.add(name);
      follow(document.components.schemas[name]);
    }
  };
  for (const { operation } of entriesOf(document)) follow(operation.requestBody ?? null);
  return names;
}

function schemasHtml(document: OpenApiDocument): string {
  const sent = sentNames(document);
  const parts = Object.entries(document.components.schemas).map(
    ([name, schema]) =>
      `<section class="schema" id="schema-${name}"><h3>${name}</h3>${schemaHtml(schema, sent.has(name) ? "required" : "always")}</section>`,
  );
  return `<h2 id="schemas">Schemas</h2>${parts.join("")}`;
}

/** The page; some 200 kB, made once. */
export function docsPage(document: OpenApiDocument): string {
  const entries = entriesOf(document);
  const groups = document.tags.map(({ name }) => {
    const own = entries.filter(({ operation }) => operation.tags.includes(name));
    return `<h2>${escapeHtml(name)}</h2>${own.map((entry) => operationHtml(entry, document)).join("")}`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${escapeHtml(document.info.title)} API</title>
<style>${DOCS_STYLE}</style></head><body>${navHtml(document, entries)}<main id="top">
${introHtml(document)}${groups.join("")}${schemasHtml(document)}${errorsHtml(document)}
</main></body></html>`;
}
