/** Facts about where a figure was measured, tables, and the file of results, one section a bench. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { projectRoot } from "./compile.js";

export function commitOf(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync("git", args, { cwd: projectRoot, encoding: "utf8" }).trim();
    const dirty = git("status", "--porcelain", "--untracked-files=no", "--", "src") !== "";
    return git("rev-parse", "--short", "HEAD") + (dirty ? " with uncommitted changes" : "");
  } catch {
    return "unknown";
  }
}

export function machineOf(): string {
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cpus()[0]?.model ?? "unknown processor"}, ${availableParallelism()} cores, ${gib} GiB`;
}

/** Markdown, columns padded so that it reads as a table in a terminal too. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join("\n");
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const FILE = `${projectRoot}bench/RESULTS.md`;
const HEAD =
  "# Results\n\nWritten by the benches themselves (`npm run bench`). Compare within one run only.\n";

/** Replaces the section of this bench; the others stay. */
export function writeSection(name: string, text: string): void {
  const before = existsSync(FILE) ? readFileSync(FILE, "utf8") : HEAD;
  const sections = before.split(/^(?=## )/m).filter((part) => !part.startsWith(`## ${name}\n`));
  const [head, ...others] = sections;
  const parts = [head.trimEnd(), ...others.map((part) => part.trimEnd()), `## ${name}\n\n${text}`];
  writeFileSync(FILE, `${parts.join("\n\n").trimEnd()}\n`);
}
