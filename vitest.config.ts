/**
 * Two projects over one suite: "redis" runs everything, each file with a private Redis of its own;
 * "cluster" runs the store suites again, each worker against a six-node Redis Cluster of its own.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const common = {
  globalSetup: ["test/support/global-setup.ts"],
  testTimeout: 30_000,
  hookTimeout: 60_000,
};

/** Suites that hold on one Redis and on a Cluster alike: those that take the store they are given. */
const storeSuites = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => join("test", file))
  .filter((file) =>
    /testTarget\(|useClient\(|support\/(world|core)\.js/.test(readFileSync(file, "utf8")),
  );

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...common, name: "redis", include: ["test/**/*.test.ts"] } },
      { test: { ...common, name: "cluster", include: storeSuites } },
    ],
  },
});
