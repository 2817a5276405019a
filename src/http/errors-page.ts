/** docs/errors.md, generated from the registry; a test holds the file against this. */
import { ERRORS } from "../errors.js";

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** The page as Markdown. */
export function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { status, title, remedy }]) =>
      `| \`${code}\` | ${status} | ${cell(title)} | ${cell(remedy)} |`,
  );
  return `# Errors

Generated from \`src/errors.ts\` by \`npx tsx test/http/write-errors-page.ts\`; do not edit.

Over HTTP an error is \`application/problem+json\`:
\`{"type", "title", "status", "code", "detail", "errors"?: [{"path", "message"}], "requestId"}\`.
Match \`code\`: it is never renamed. \`detail\` is for a person and may change. On the command line the code
stands before the detail, and the exit status is not zero. A 503 names the seconds to wait in
\`Retry-After\`.

| code | status | meaning | what to do |
|---|---|---|---|
${rows.join("\n")}
`;
}
