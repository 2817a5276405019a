/** Once a run: compiles `dist` (tests start the real program) and starts Clusters where asked. */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { startTestCluster } from "./cluster.js";

declare module "vitest" {
  export interface ProvidedContext {
    /** One Cluster a worker, each as comma-separated nodes; none: every test file has a private Redis. */
    clusterTargets: readonly string[];
  }
}

const root = fileURLToPath(new URL("../..", import.meta.url));
let built: Promise<void> | undefined;

export default async function setup(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  built ??= build();
  await built;
  if (project.name !== "cluster") {
    project.provide("clusterTargets", []);
    return undefined;
  }
  const workers = Number(project.vitest.config.maxWorkers);
  const clusters = await Promise.all(Array.from({ length: workers }, () => startTestCluster()));
  project.provide(
    "clusterTargets",
    clusters.map(({ target }) => target),
  );
  return async () => {
    await Promise.all(clusters.map(({ stop }) => stop()));
  };
}

/** One compiler at a time, also between runs side by side: a half-written file must not be started. */
async function build(): Promise<void> {
  const lock = join(tmpdir(), `cuecard-build-${Buffer.from(root).toString("hex").slice(-32)}`);
  const release = await takeLock(lock);
  try {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    // Types are checked by `npm run check`; a fault elsewhere must not stop the test at hand.
    const args = [tsc, "-p", "tsconfig.json", "--noCheck"];
    const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
    if (status !== 0) process.stderr.write("dist may be stale: it did not compile cleanly\n");
  } finally {
    release();
  }
}

const STALE_LOCK_MS = 120_000;

async function takeLock(path: string): Promise<() => void> {
  for (;;) {
    try {
      closeSync(openSync(path, "wx"));
      return () => rmSync(path, { force: true });
    } catch {
      const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > STALE_LOCK_MS) rmSync(path, { force: true });
      await sleep(100);
    }
  }
}
