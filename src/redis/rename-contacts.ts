/** What an older store called differently. */
import { type RedisClient, scanKeys, toStoreError } from "./clients.js";
import { groupedPipeline } from "./grouped.js";

/** The first layout in which contacts of a number stand under `c:`. */
export const CONTACTS_RENAMED = 4;
const BEFORE = "contacts:";
const NOW = "c:";

/** Contacts of numbers keep counting, and their end, after an upgrade. Throws `store_unavailable`. */
export async function renameContacts(client: RedisClient): Promise<void> {
  try {
    for await (const keys of scanKeys(client, `${BEFORE}{phone:*`)) {
      const renames = keys.map((key) => ["rename", key, NOW + key.slice(BEFORE.length)] as const);
      for (const { error } of await groupedPipeline(client, renames)) {
        // Over meanwhile, or renamed by another server that starts.
        if (error !== undefined && !/no such key/.test(error.message)) throw error;
      }
    }
  } catch (error) {
    throw toStoreError(error);
  }
}
