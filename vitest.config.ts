/**
 * Two projects over one suite: "redis" runs everything, each file with a private Redis of its own;
 * "cluster" runs the store suites again against one six-node Redis Cluster, file by file.
 */
import { defineConfig } from "vitest/config";

const common = {
  globalSetup: ["test/support/global-setup.ts"],
  testTimeout: 30_000,
  hookTimeout: 60_000,
};

/** Suites that hold on one Redis and on a Cluster alike: they ask `testTarget()` for the store. */
const storeSuites = [
  "redis",
  "events",
  "members",
  "features",
  "catalog",
  "scoring",
  "http",
  "decision",
];

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      { test: { ...common, name: "redis", include: ["test/**/*.test.ts"] } },
      {
        test: {
          ...common,
          name: "cluster",
          include: storeSuites.map((suite) => `test/${suite}/**/*.test.ts`),
          // What is about one private Redis, or starts a Cluster of its own, stands once.
          exclude: [
            "test/redis/private-redis*.test.ts",
            "test/redis/data-dir.test.ts",
            "test/redis/keys.test.ts",
            "test/redis/failover.test.ts",
          ],
          fileParallelism: false,
        },
      },
    ],
  },
});
