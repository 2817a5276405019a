/** A worker of the test jobs as a process of its own: argument 1 is the store. */
import { connectRedis } from "../../../src/redis/clients.js";
import { startTestWorker } from "./worker.js";

const target = process.argv[2];
const worker = await startTestWorker(target, connectRedis(target, "work"));
process.on("SIGTERM", () => worker.close().then(() => process.exit(0)));
process.send?.("up");
