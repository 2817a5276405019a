/** The script that writes members, how what it writes is packed, and the script that reads many. */
import type { LogRecord } from "../events/log-record.js";
import { PackedList } from "../redis/packed-list.js";
import { defineScript } from "../redis/scripts.js";
import type { Commit, MemberWrite } from "./member-store.js";
import { encodeProfile } from "./profile-codec.js";

/**
 * KEYS: log, ledger, dedupe hashes (the current period's, the one before it; none without claims),
 *   member keys.
 * ARGV[1], a packed list: number of dedupe hashes, seconds one is kept from its begin,
 *   ledger field ('' none), ledger chunk, claims n, n × (key, content, 'new'|'taken'),
 *   members n, n × (expected version, sets m, m × (field, value), deletes d, d × field),
 *   records n, n × record.
 * Returns {'ok'} | {'done'} | {'stale'} | {'claimed', index, 'taken'|'free', 'same'|'other', …}.
 */
export const commitScript = defineScript<Buffer[]>({
  name: "commit_member",
  lua: `
local list = cmsgpack.unpack(ARGV[1])
local hashes, ttl, field, chunk = list[1], list[2], list[3], list[4]
if field ~= '' then
  local reached = redis.call('HGET', KEYS[2], field)
  if reached and tonumber(reached) >= chunk then return {'done'} end
end
local at = 6
local claims = list[5]
local fresh = {}
if claims > 0 then
  local failed = {'claimed'}
  local keys, known = {}, {}
  for i = 1, claims do keys[i] = list[at + 3 * (i - 1)] end
  for h = 1, hashes do
    local found = redis.call('HMGET', KEYS[2 + h], unpack(keys))
    for i = 1, claims do known[i] = known[i] or found[i] end
  end
  for i = 1, claims do
    local content = list[at + 1]
    if list[at + 2] == 'new' then
      if known[i] then
        failed[#failed + 1] = tostring(i - 1)
        failed[#failed + 1] = 'taken'
        failed[#failed + 1] = (known[i] == content) and 'same' or 'other'
      else
        fresh[#fresh + 1] = keys[i]
        fresh[#fresh + 1] = content
      end
    elseif not known[i] then
      failed[#failed + 1] = tostring(i - 1)
      failed[#failed + 1] = 'free'
      failed[#failed + 1] = 'other'
    end
    at = at + 3
  end
  if #failed > 1 then return failed end
end
local members = list[at]; at = at + 1
local first = at
for i = 0, members - 1 do
  local version = redis.call('HGET', KEYS[3 + hashes + i], 'v') or 0
  if tonumber(version) ~= list[at] then return {'stale'} end
  at = at + 2 + 2 * list[at + 1]
  at = at + 1 + list[at]
end
at = first
for i = 0, members - 1 do
  local key = KEYS[3 + hashes + i]
  local version, sets = list[at] + 1, 2 * list[at + 1]
  at = at + 2
  if sets == 2 then
    redis.call('HSET', key, 'v', version, list[at], list[at + 1])
  else
    redis.call('HSET', key, 'v', version, unpack(list, at, at + sets - 1))
  end
  at = at + sets
  local deletes = list[at]
  for d = 1, deletes do redis.call('HDEL', key, list[at + d]) end
  at = at + 1 + deletes
end
for i = at + 1, at + list[at] do redis.call('XADD', KEYS[1], '*', 'r', list[i]) end
if #fresh > 0 then
  redis.call('HSET', KEYS[3], unpack(fresh))
  -- The hash begins with these: later claims of its period find its end set.
  if redis.call('HLEN', KEYS[3]) <= #fresh / 2 then redis.call('EXPIRE', KEYS[3], ttl) end
end
if field ~= '' then redis.call('HSET', KEYS[2], field, chunk) end
return {'ok'}
`,
});

/** KEYS: members of one partition. Returns the fields of each, in their order, behind one another. */
export const readScript = defineScript<(Buffer | null)[]>({
  name: "read_partition_members",
  lua: `
local found = {}
for i = 1, #KEYS do
  local fields = redis.call('HMGET', KEYS[i], 'v', 's', 'p', 'r', 'x', 'c', 'o')
  for f = 1, 7 do found[7 * (i - 1) + f] = fields[f] end
end
return found
`,
});

const list = new PackedList();

function addMember(write: MemberWrite): void {
  const sets: (string | Buffer)[] = [];
  const deletes: string[] = [];
  const change = (field: string, value: string | Buffer | null | undefined): void => {
    if (value === null) deletes.push(field);
    else if (value !== undefined) sets.push(field, value);
  };
  change("s", write.state);
  change("p", write.profile == null ? write.profile : encodeProfile(write.id, write.profile));
  change("r", write.redirect);
  change("x", write.erased);
  change("c", write.contacts);
  change("o", write.offers);
  list.addNumber(write.expectedVersion);
  list.addNumber(sets.length / 2);
  for (const value of sets) list.add(value);
  list.addNumber(deletes.length);
  for (const field of deletes) list.add(field);
}

/** The one argument of `commitScript`. `dedupeHashes`: how many are among the keys. */
export function packCommit(
  { members, records, claims, ledger }: Commit,
  dedupeHashes: number,
  ttlSeconds: number,
  encodeRecord: (record: LogRecord) => string,
): Buffer {
  list.clear();
  list.addNumber(dedupeHashes);
  list.addNumber(ttlSeconds);
  list.add(ledger?.field ?? "");
  list.addNumber(ledger?.chunk ?? 0);
  list.addNumber(claims.length);
  for (const { key, content, expect } of claims) {
    list.add(key);
    list.add(content);
    list.add(expect);
  }
  list.addNumber(members.length);
  for (const member of members) addMember(member);
  list.addNumber(records.length);
  for (const record of records) list.add(encodeRecord(record));
  return list.take();
}
