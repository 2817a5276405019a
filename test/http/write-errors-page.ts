/** Writes docs/errors.md. Run it after a change of src/errors.ts: npx tsx test/http/write-errors-page.ts */
import { mkdirSync, writeFileSync } from "node:fs";
import { errorsPage } from "../../src/http/errors-page.js";

mkdirSync(new URL("../../docs/", import.meta.url), { recursive: true });
writeFileSync(new URL("../../docs/errors.md", import.meta.url), errorsPage());
