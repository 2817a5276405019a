/**
 * The catalog's atomic writes. Every script takes the same five keys, all tagged `{catalog}`:
 * KEYS 1 records (hash id → JSON), 2 ids (sorted set, for paging), 3 version, 4 changes (stream whose
 * entry ids are versions), 5 fingerprints (hash fingerprint40 → product id). A write that changes
 * anything bumps the version once and appends one entry naming the kind and the ids.
 */

import { defineScript } from "../redis/scripts.js";

/** Entries kept: a process further behind than this loads everything again. */
const CHANGES_KEPT = 256;

/** Flat (position in the batch, id of the product that owns the fingerprint). */
export type Refusals = (number | Buffer)[];

const ANNOUNCE = `
local function announce(kind, ids)
  if #ids == 0 then return end
  local version = redis.call('INCR', KEYS[3])
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ${CHANGES_KEPT}, version .. '-0', kind, cjson.encode(ids))
end
local function claim(fingerprint, id)
  if fingerprint == '' then return false end
  if redis.call('HSETNX', KEYS[5], fingerprint, id) == 1 then return false end
  local owner = redis.call('HGET', KEYS[5], fingerprint)
  return owner ~= id and owner
end
`;

/**
 * ARGV: kind, now, then (id, fingerprint or '', JSON object without createdAt) per record.
 * Writes each record, keeping the first createdAt. Returns a flat list (position, owner) of the
 * records refused because their fingerprint belongs to another product; positions start at 0.
 */
export const putRecordsScript = defineScript<Refusals>({
  name: "catalog-put",
  numberOfKeys: 5,
  lua: `${ANNOUNCE}
local refused, written = {}, {}
for i = 3, #ARGV, 3 do
  local id, json = ARGV[i], ARGV[i + 2]
  local owner = claim(ARGV[i + 1], id)
  if owner then
    refused[#refused + 1] = (i - 3) / 3
    refused[#refused + 1] = owner
  else
    local createdAt = ARGV[2]
    local old = redis.call('HGET', KEYS[1], id)
    if old then createdAt = string.format('%.0f', cjson.decode(old).createdAt) end
    redis.call('HSET', KEYS[1], id, '{"createdAt":' .. createdAt .. ',' .. string.sub(json, 2))
    redis.call('ZADD', KEYS[2], 0, id)
    written[#written + 1] = id
  end
end
announce(ARGV[1], written)
return refused`,
});

/** ARGV: kind, id, fingerprint or ''. Returns 1 when there was such a record. */
export const deleteRecordScript = defineScript<number>({
  name: "catalog-delete",
  numberOfKeys: 5,
  lua: `${ANNOUNCE}
if redis.call('HDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
if ARGV[3] ~= '' then redis.call('HDEL', KEYS[5], ARGV[3]) end
announce(ARGV[1], {ARGV[2]})
return 1`,
});

/**
 * ARGV: kind, now, then (id, fingerprint, name, category, price, first day seen) per product, ''
 * where unknown.
 * Adds absent products with source "event"; fills what an "event" record lacks; never touches a
 * record a person wrote. Returns refusals like putRecordsScript.
 */
export const registerSeenScript = defineScript<Refusals>({
  name: "catalog-register-seen",
  numberOfKeys: 5,
  lua: `${ANNOUNCE}
local refused, written = {}, {}
for i = 3, #ARGV, 6 do
  local id = ARGV[i]
  local old = redis.call('HGET', KEYS[1], id)
  local record = old and cjson.decode(old)
  local owner = not old and claim(ARGV[i + 1], id)
  if owner then
    refused[#refused + 1] = (i - 3) / 6
    refused[#refused + 1] = owner
  elseif not record or record.source == 'event' then
    local changed = not record
    record = record or {createdAt = tonumber(ARGV[2]), id = id, active = true, source = 'event'}
    for offset, field in ipairs({'name', 'category', 'price'}) do
      local value = ARGV[i + 1 + offset]
      if value ~= '' and record[field] == nil then
        record[field] = field == 'price' and tonumber(value) or value
        changed = true
      end
    end
    local day = ARGV[i + 5]
    if day ~= '' and (record.launchedAt == nil or day < record.launchedAt) then
      record.launchedAt = day
      changed = true
    end
    if changed then
      record.updatedAt = tonumber(ARGV[2])
      redis.call('HSET', KEYS[1], id, cjson.encode(record))
      redis.call('ZADD', KEYS[2], 0, id)
      written[#written + 1] = id
    end
  end
end
announce(ARGV[1], written)
return refused`,
});

/**
 * ARGV: kind, id after which to begin ('' the first), how many. KEYS as above; reads only. Returns the
 * last id of the page ('' at the end) and its records, in the order of ids, as one JSON array: one
 * long text is taken apart faster than a thousand short ones.
 */
export const pageRecordsScript = defineScript<[last: Buffer, records: Buffer]>({
  name: "catalog-page",
  numberOfKeys: 5,
  lua: `
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local ids = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, ARGV[3])
local records = {}
if #ids > 0 then
  for _, record in ipairs(redis.call('HMGET', KEYS[1], unpack(ids))) do
    if record then records[#records + 1] = record end
  end
end
local last = #ids == tonumber(ARGV[3]) and ids[#ids] or ''
return {last, '[' .. table.concat(records, ',') .. ']'}`,
});
