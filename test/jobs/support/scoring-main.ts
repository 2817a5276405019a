/** The scoring job as a process of its own, slow enough to be killed: argument 1 is the store. */
import { setTimeout as sleep } from "node:timers/promises";
import { connectRedis } from "../../../src/redis/clients.js";
import { scoreAll } from "./a-ranking.js";

await scoreAll({
  client: connectRedis(process.argv[2]!, "work"),
  idsMax: 60,
  progress: (percent) => void process.send?.(percent),
  fence: () => sleep(100),
});
