import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { errorsPage } from "../../src/http/errors-page.js";

it("docs/errors.md is what the registry of errors says", () => {
  const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  expect(page, "run: npx tsx test/http/write-errors-page.ts").toBe(errorsPage());
});
