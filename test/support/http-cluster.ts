/**
 * A process for tests of the cluster: serves on PORT with two workers and says on stdout what
 * happens. `GET /v1/scores` for member "pid" names the worker, for "die" ends it.
 */

import { isCuecardError } from "../../src/errors.js";
import { runCluster } from "../../src/http/cluster.js";
import { createFront } from "../../src/http/front.js";
import { metricsText } from "../../src/http/metrics.js";
import { memoryServices, silentLogger, testKeys } from "./http.js";

const port = Number(process.argv[2]);
const services = memoryServices({
  metricsText,
  score: async ({ members }) => {
    if (members[0] === "die") process.kill(process.pid, "SIGKILL");
    if (members[0] === "slow") await new Promise((resolve) => setTimeout(resolve, 300));
    return { scores: [], degraded: [], models: { heads: String(process.pid) }, tookMs: 0 };
  },
});

const say = (text: string): boolean => process.stdout.write(`${text}\n`);

try {
  const running = await runCluster({
    processes: 2,
    logger: silentLogger,
    async startWorker() {
      const front = createFront({
        services,
        keys: testKeys,
        logger: silentLogger,
        metricsOpen: true,
      });
      await front.listen(port, "127.0.0.1");
      return front;
    },
  });
  say("ready");
  process.on("SIGTERM", async () => {
    await running.close();
    say("closed");
    process.exit(0);
  });
} catch (error) {
  say(isCuecardError(error) ? error.message : "unexpected");
  process.exit(1);
}
