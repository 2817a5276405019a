/** What an older store called differently. */
import { type RedisClient, scanKeys, toStoreError } from "../redis/clients.js";
import { defineScript, pipelineScripts } from "../redis/scripts.js";
import { STORED } from "./contact-scripts.js";

/** The first layout in which contacts of a number stand under `c:`. */
export const CONTACTS_RENAMED = 4;
const BEFORE = "contacts:";
const NOW = "c:";

/**
 * KEYS: contacts of a number under the name before, and now. Where both stand (an older server went on
 * after a start that was cut off), all count: of what both know one too many, never one too few.
 */
const renameScript = defineScript<number>({
  name: "rename_contacts",
  numberOfKeys: 2,
  lua: `${STORED}
local before = redis.call('GET', KEYS[1])
-- Over meanwhile, or renamed by another server that starts.
if not before or redis.call('RENAMENX', KEYS[1], KEYS[2]) == 1 then return 0 end
local list = load(redis.call('GET', KEYS[2]))
for _, value in ipairs(load(before)) do list[#list + 1] = value end
local ends = math.max(redis.call('PTTL', KEYS[1]), redis.call('PTTL', KEYS[2]))
local packed = save(list)
if packed then redis.call('SET', KEYS[2], packed) end
if ends > 0 then redis.call('PEXPIRE', KEYS[2], ends) end
return redis.call('DEL', KEYS[1])`,
});

/**
 * Contacts of numbers keep counting, and their end, after an upgrade from layout `from`. Throws
 * `store_unavailable`.
 */
export async function renameContacts(client: RedisClient, from: number): Promise<void> {
  if (from >= CONTACTS_RENAMED) return;
  try {
    for await (const keys of scanKeys(client, `${BEFORE}{phone:*`)) {
      const calls = keys.map((key) => ({
        script: renameScript,
        keys: [key, NOW + key.slice(BEFORE.length)],
        args: [],
      }));
      for (const { error } of await pipelineScripts(client, calls)) {
        if (error !== undefined) throw error;
      }
    }
  } catch (error) {
    throw toStoreError(error);
  }
}
