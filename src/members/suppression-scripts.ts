/**
 * What changes the suppression list. KEYS 1 list (hash → JSON), 2 version (string: id of the latest
 * change), 3 changes (stream: h hash, r reason or '' for one that left). All share a slot.
 */
import { defineScript } from "../redis/scripts.js";

/** Changes kept: a process further behind reads the whole list again. */
const CHANGES_KEPT = 4096;

/**
 * ARGV: entries the list holds at most, then pairs (hash, JSON, '' to remove it). An entry stays that
 * gives the same reason already, and one for an erasure whatever else is said. Returns the changes
 * made, or -1 when there was no room: then nothing has changed.
 */
export const suppressScript = defineScript<number>({
  name: "suppress",
  numberOfKeys: 3,
  lua: `
local writes, fresh = {}, 0
for at = 2, #ARGV, 2 do
  local hash, json = ARGV[at], ARGV[at + 1]
  local old = redis.call('HGET', KEYS[1], hash)
  local before = old and cjson.decode(old).reason or ''
  local after = json ~= '' and cjson.decode(json).reason or ''
  local stays = before == after or (before == 'erasure' and after ~= '')
  if not stays then
    writes[#writes + 1] = {hash, json, after}
    if before == '' then fresh = fresh + 1 end
  end
end
if fresh > 0 and redis.call('HLEN', KEYS[1]) + fresh > tonumber(ARGV[1]) then return -1 end
for _, write in ipairs(writes) do
  local hash, json, reason = write[1], write[2], write[3]
  if json == '' then redis.call('HDEL', KEYS[1], hash)
  else redis.call('HSET', KEYS[1], hash, json) end
  local id = redis.call('XADD', KEYS[3], 'MAXLEN', '~', ${CHANGES_KEPT}, '*', 'h', hash, 'r', reason)
  redis.call('SET', KEYS[2], id)
end
return #writes
`,
});
