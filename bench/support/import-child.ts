/**
 * `node import-child.js RESULT_FILE ARGUMENTS…`: the command line as it is, with what it used written
 * to a file when it ends.
 */
import { writeFileSync } from "node:fs";
import { cpuMicroseconds } from "./cpu.js";

const [resultFile] = process.argv.splice(2, 1);

process.on("exit", () => {
  const used = { cpu: cpuMicroseconds(), maxRssBytes: process.resourceUsage().maxRSS * 1024 };
  writeFileSync(resultFile, JSON.stringify(used));
});

await import("../../src/main.js");
