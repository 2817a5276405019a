/**
 * Ten decisions of the demo world, explained in two languages: asked of the product over HTTP, on
 * the shipped models and at one fixed instant, so that a run on another day writes the same but for ids.
 */
import { writeFileSync } from "node:fs";
import { LAYOUT_VERSION } from "../src/features/state.js";
import { renameContacts } from "../src/members/rename-contacts.js";
import { openStore } from "../src/redis/store-stamp.js";
import { Child } from "./support/child.js";
import { projectRoot } from "./support/compile.js";
import type { ExplainCalls } from "./support/explain-child.js";
import { documentOf } from "./support/explained-document.js";
import type { BenchOptions } from "./support/options.js";
import { openPrivateStore } from "./support/private-store.js";

const MAXMEMORY_MB = 1024;
const FILES = {
  en: "docs/explained-decisions.md",
  zh: "docs/explained-decisions.zh-CN.md",
} as const;

export async function explainDecisions({ members, seed }: BenchOptions): Promise<void> {
  const store = await openPrivateStore(MAXMEMORY_MB);
  const child = new Child<ExplainCalls>("explain-child");
  try {
    await openStore(store.client, "demo", LAYOUT_VERSION, renameContacts);
    const { target, dataDir } = store;
    const modelsDir = `${projectRoot}models`;
    process.stderr.write("filling the demo world and asking\n");
    const explained = await child.call("explain", { target, dataDir, modelsDir, members, seed });
    for (const language of ["en", "zh"] as const) {
      const file = FILES[language];
      writeFileSync(`${projectRoot}${file}`, documentOf(explained[language], language));
      process.stdout.write(`${file}\n`);
    }
  } finally {
    child.stop();
    await store.close();
  }
}
