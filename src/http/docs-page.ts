import type { OpenApiDocument } from "./openapi.js";
export const docsPage = (document: OpenApiDocument): string => document.info.title;
