/** Archives over and over until it is killed: the victim of the kill test. */
import { archiveLog } from "../../src/events/archive.js";
import { connectRedis, whenReady } from "../../src/redis/clients.js";

const [target, dataDir] = process.argv.slice(2) as [string, string];
const client = connectRedis(target, "work");
await whenReady(client, 10_000);
process.stdout.write("ready\n");
for (;;) {
  await archiveLog({
    client,
    dataDir,
    batchEntries: 40,
    onStep: (step) => void process.stdout.write(`${step}\n`),
  });
}
