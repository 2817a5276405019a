/** A compiled child of work on demand: answers its input and its process, after a while where asked. */
import { setTimeout as sleep } from "node:timers/promises";
import { runChild } from "../../../dist/jobs/child.js";

await runChild(async ({ name, input }, signal) => {
  const begun = Date.now();
  await sleep(input.waitMs ?? 0, undefined, { signal });
  return { name, input, pid: process.pid, begun, ended: Date.now() };
});
