/** What a store says of itself: who may open it and what it holds. */
import { CuecardError } from "../errors.js";
import { mastersOf, type RedisClient, toStoreError } from "./clients.js";
import { PARTITIONS, storeStampKey } from "./keys.js";

export interface StoreStamp {
  /** Fixed for life: member ids are spread over so many. */
  readonly partitions: number;
  /** Newest packed layout written here. */
  readonly layout: number;
  /** The demo world and a shop's own data never share a store. */
  readonly world: "own" | "demo";
  /** Demo only: the world was filled and trained to its end. */
  readonly filled?: boolean;
  /** Demo only, epoch milliseconds: its "now", so that a fill that was cut off goes on with the same events. */
  readonly worldNow?: number;
  /** ISO 8601. */
  readonly createdAt: string;
}

export async function readStamp(client: RedisClient): Promise<StoreStamp | null> {
  try {
    const text = await client.get(storeStampKey);
    return text === null ? null : (JSON.parse(text) as StoreStamp);
  } catch (error) {
    throw toStoreError(error);
  }
}

/** true when no key but BullMQ's and ours of start-up stands in the store. */
export async function isEmptyStore(client: RedisClient): Promise<boolean> {
  const sizes = await Promise.all(mastersOf(client).map((node) => node.dbsize()));
  return sizes.reduce((sum, size) => sum + size, 0) === 0;
}

export async function writeStamp(client: RedisClient, stamp: StoreStamp): Promise<void> {
  await client.set(storeStampKey, JSON.stringify(stamp));
}

/**
 * Opens the store for `world`: stamps an empty one, takes one stamped alike.
 * Throws `store_incompatible` (another partition count or a newer layout) and `store_not_empty`
 * (asked for the demo world where something else is). `upgrade`: what a store of an older layout needs
 * before it is stamped, so that one cut off is gone on with at the next start.
 */
export async function openStore(
  client: RedisClient,
  world: StoreStamp["world"] | "any",
  layout: number,
  upgrade: (client: RedisClient, from: number) => Promise<void>,
): Promise<StoreStamp> {
  const found = await readStamp(client);
  if (found === null) {
    if (world === "demo" && !(await isEmptyStore(client))) {
      throw new CuecardError(
        "store_not_empty",
        "this Redis holds keys that are not the demo world's",
      );
    }
    const stamp: StoreStamp = {
      partitions: PARTITIONS,
      layout,
      world: world === "demo" ? "demo" : "own",
      createdAt: new Date().toISOString(),
    };
    await writeStamp(client, stamp);
    return stamp;
  }
  if (found.partitions !== PARTITIONS || found.layout > layout) {
    throw new CuecardError(
      "store_incompatible",
      `partitions ${found.partitions}, layout ${found.layout}; this server: ${PARTITIONS}, ${layout}`,
    );
  }
  if (world === "demo" && found.world !== "demo") {
    throw new CuecardError("store_not_empty", "it holds a shop's own data, not the demo world");
  }
  if (found.layout === layout) return found;
  await upgrade(client, found.layout);
  // Before the first write in the new layout, so that an older server refuses the whole store.
  const raised = { ...found, layout };
  await writeStamp(client, raised);
  return raised;
}
