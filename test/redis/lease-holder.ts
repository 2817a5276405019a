/** A process that holds a lease and publishes when told: `lease.test.ts` stops and continues it. */
import { connectRedis } from "../../src/redis/clients.js";
import { withLease } from "../../src/redis/lease.js";

const [, , target, name, ttlMs, publishedKey] = process.argv;
const client = connectRedis(target, "work");

await withLease(client, name, Number(ttlMs), async (lease) => {
  const told = new Promise((resolve) => process.once("message", resolve));
  process.send?.({ token: lease.token });
  await told;
  try {
    await lease.assertHeld();
    await client.set(publishedKey, lease.token);
    process.send?.({ outcome: "published" });
  } catch (error) {
    process.send?.({ outcome: (error as { code?: string }).code ?? String(error) });
  }
});
client.disconnect();
process.disconnect();
