/**
 * The scripts that count and write contacts: one for a member's field `c`, one for a phone number's
 * record. They do the same to the same list: flat, eight values a contact, as `load` unpacks it from
 * what is stored (see `contacts.ts`) and `save` packs it.
 */

import { PackedList } from "../redis/packed-list.js";
import { defineScript, type Script } from "../redis/scripts.js";
import { COMMON_CHANNELS } from "./common-channels.js";
import type { ContactLimit } from "./contact-limits.js";
import {
  CONTACTS_MAX,
  type Contact,
  DIGEST,
  HAS_END,
  HAS_OFFER,
  HAS_OUTCOME,
  LONG_DIGEST,
  NOT_COUNTED,
  ONE_CHANNEL,
  outcomeCode,
  SHORT_DIGEST,
} from "./contacts.js";

export type ContactOperation = "reserve" | "record" | "release" | "answer";

/**
 * `ok`, 1 when the token held a place before | `barred`, the packed contacts | `moved`, where to, 1 when
 * what is to move is still here | `erased` | `unknown`.
 */
export type ContactReply = [status: Buffer, value?: Buffer | number, unfinished?: number];

/** `load` and `save` for scripts. */
export const STORED = `
local channels = {${COMMON_CHANNELS.map((channel) => `'${channel}'`).join(", ")}}
local places = {}
for place, channel in ipairs(channels) do places[channel] = place end

local function load(packed)
  if not packed then return {} end
  local stored = cmsgpack.unpack(packed)
  if type(stored[1]) ~= 'number' then
    for i = 1, #stored, 8 do
      local token = stored[i]
      if #token == ${LONG_DIGEST} and string.sub(token, 1, ${DIGEST.length}) == '${DIGEST}' then
        stored[i] = string.sub(token, 1, ${SHORT_DIGEST})
      end
    end
    return stored
  end
  local list, read, from = {}, 1, stored[1]
  local function take()
    read = read + 1
    return stored[read]
  end
  while read < #stored do
    local token, at, flags = take(), from + take(), take()
    local place = math.floor(flags / ${ONE_CHANNEL})
    local channel = place == 0 and take() or channels[place]
    if not channel then error('contacts are not readable') end
    local ends, offer, outcome, outcome_at, again = 0, '', '', 0, 0
    if bit.band(flags, ${HAS_END}) ~= 0 then ends = take() end
    if bit.band(flags, ${HAS_OFFER}) ~= 0 then offer = take() end
    if bit.band(flags, ${HAS_OUTCOME}) ~= 0 then outcome, outcome_at, again = take(), take(), take() end
    for _, value in ipairs({token, at, ends, channel, offer, outcome, outcome_at, again}) do
      list[#list + 1] = value
    end
  end
  return list
end

local function save(list)
  if #list == 0 then return nil end
  local from = list[2]
  for i = 1, #list, 8 do from = math.min(from, list[i + 1]) end
  local stored = {from}
  local function put(value) stored[#stored + 1] = value end
  for i = 1, #list, 8 do
    local ends, channel, offer, outcome = list[i + 2], list[i + 3], list[i + 4], list[i + 5]
    local place = places[channel] or 0
    put(list[i])
    put(list[i + 1] - from)
    put((ends ~= 0 and ${HAS_END} or 0) + (offer ~= '' and ${HAS_OFFER} or 0)
      + (outcome ~= '' and ${HAS_OUTCOME} or 0) + place * ${ONE_CHANNEL})
    if place == 0 then put(channel) end
    if ends ~= 0 then put(ends) end
    if offer ~= '' then put(offer) end
    if outcome ~= '' then
      put(outcome)
      put(list[i + 6])
      put(list[i + 7])
    end
  end
  return cmsgpack.pack(stored)
end
`;

/**
 * ARGV[1], a packed list: operation, now, keep nothing before, the contact (8 values), limits n,
 *   n × (counts 0 contacts | 1 refusals | 2 laters, channel or '', offer or '', after, max).
 * Times are epoch milliseconds of the caller's clock: the script has none of its own.
 * Where the list stands, and what is refused there, is the matter of the two scripts below. A
 * reservation always writes, so that its replication can be waited for.
 */
const OPERATIONS = `${STORED}
local given = cmsgpack.unpack(ARGV[1])
local operation, now, keep = given[1], given[2], given[3]

local function prune(list)
  local kept = {}
  for i = 1, #list, 8 do
    local ends = list[i + 2]
    local latest = math.max(list[i + 1], ends, list[i + 6], list[i + 7])
    if (ends == 0 or ends > now or list[i + 5] ~= '') and latest > keep then
      for k = 0, 7 do kept[#kept + 1] = list[i + k] end
    end
  end
  return kept
end

local function fitting(list)
  if #list <= 8 * ${CONTACTS_MAX} then return list end
  local order = {}
  for i = 1, #list, 8 do order[#order + 1] = i end
  local function later(a, b)
    if list[a + 1] ~= list[b + 1] then return list[a + 1] > list[b + 1] end
    return list[a] > list[b]
  end
  table.sort(order, later)
  local seen, rank, free = {}, {}, {}
  for _, i in ipairs(order) do
    local channel = list[i + 3]
    rank[i] = seen[channel] or 0
    seen[channel] = rank[i] + 1
    free[i] = (list[i + 5] == 'r' or list[i + 5] == 'l') and 0 or 1
  end
  table.sort(order, function(a, b)
    if free[a] ~= free[b] then return free[a] < free[b] end
    if rank[a] ~= rank[b] then return rank[a] < rank[b] end
    return later(a, b)
  end)
  local kept = {}
  for n = 1, ${CONTACTS_MAX} do
    for k = 0, 7 do kept[#kept + 1] = list[order[n] + k] end
  end
  return kept
end

local function find(list)
  for i = 1, #list, 8 do if list[i] == given[4] then return i end end
  return nil
end

local function hit(list)
  for l = 13, 12 + 5 * given[12], 5 do
    local counts, channel, offer, after = given[l], given[l + 1], given[l + 2], given[l + 3]
    local count = 0
    for i = 1, #list, 8 do
      if (channel == '' or list[i + 3] == channel) and (offer == '' or list[i + 4] == offer) then
        local ends = list[i + 2]
        if counts == 0 then
          if (ends == 0 or ends > now) and list[i + 1] > after then count = count + 1 end
        elseif counts == 1 then
          if list[i + 5] == 'r' and list[i + 6] > after then count = count + 1 end
        elseif list[i + 5] == 'l' and list[i + 7] > now then
          count = count + 1
        end
      end
    end
    if count >= given[l + 4] then return true end
  end
  return false
end

local function append(list)
  for k = 4, 11 do list[#list + 1] = given[k] end
end

-- One as made: never earlier than it was known to be.
local function count(list, i)
  list[i + 2] = 0
  if given[5] > list[i + 1] then list[i + 1] = given[5] end
end

-- A second 'later' about the same offer, or on the same channel about none, is a refusal.
local function settleLaters(list, i)
  for j = 1, #list, 8 do
    local same = list[j + 4] == list[i + 4] and (list[i + 4] ~= '' or list[j + 3] == list[i + 3])
    if j ~= i and same and list[j + 5] == 'l' then
      local second = list[j + 6] > list[i + 6] and j or i
      list[second + 5] = 'r'
      list[second + 7] = 0
    end
  end
end

local function reserve(list, i)
  if i and (list[i + 2] == 0 or list[i + 2] > now) then
    if list[i + 2] ~= 0 and given[6] > list[i + 2] then list[i + 2] = given[6] end
    -- The same instant: a repetition within one call, not another that holds it already.
    return {'ok', list[i + 1] == given[5] and 0 or 1}, true
  end
  if hit(list) then return {'barred', save(list) or cmsgpack.pack({})}, false end
  if i then
    list[i + 1], list[i + 2] = given[5], given[6]
  else
    append(list)
  end
  return {'ok', 0}, true
end

local function record(list, i)
  if not i then
    append(list)
    return {'ok', 0}, true
  end
  local changed = list[i + 2] ~= 0 or given[5] > list[i + 1]
  local stood = (list[i + 2] == 0 or list[i + 2] > now) and 1 or 0
  count(list, i)
  return {'ok', stood}, changed
end

local function release(list, i)
  if not i or list[i + 2] == 0 then return {'ok', 0}, false end
  if list[i + 5] ~= '' then
    list[i + 2] = ${NOT_COUNTED}
  else
    for k = 0, 7 do table.remove(list, i) end
  end
  return {'ok', 1}, true
end

local function answer(list, i)
  if not i then
    append(list)
    i = #list - 7
  else
    if given[6] == 0 then count(list, i) end
    local earlier = given[10] < list[i + 6]
    if earlier or (given[10] == list[i + 6] and list[i + 5] ~= '') then
      return {'ok', 1}, given[6] == 0
    end
    for k = 5, 7 do list[i + k] = given[4 + k] end
  end
  if list[i + 5] == 'l' then settleLaters(list, i) end
  return {'ok', 0}, true
end

local function apply(packed)
  local list = prune(load(packed))
  local i = find(list)
  local reply, changed
  if operation == 'reserve' then reply, changed = reserve(list, i)
  elseif operation == 'record' then reply, changed = record(list, i)
  elseif operation == 'release' then reply, changed = release(list, i)
  else reply, changed = answer(list, i) end
  return reply, changed and fitting(list) or nil
end
`;

/** KEYS: member. */
export const memberContactsScript: Script<ContactReply> = defineScript<ContactReply>({
  name: "member_contacts",
  numberOfKeys: 1,
  lua: `${OPERATIONS}
local member = redis.call('HMGET', KEYS[1], 'v', 'c', 'r', 'x', 's', 'p')
if member[4] then return {'erased'} end
if member[3] then return {'moved', member[3], (member[5] or member[6]) and 1 or 0} end
if not member[1] then return {'unknown'} end
local reply, list = apply(member[2])
if list then
  local packed = save(list)
  if packed then redis.call('HSET', KEYS[1], 'c', packed) else redis.call('HDEL', KEYS[1], 'c') end
  redis.call('HINCRBY', KEYS[1], 'v', 1)
end
return reply`,
});

/** KEYS: contacts of a phone number. ARGV[2]: milliseconds after which an untouched record goes. */
export const phoneContactsScript: Script<ContactReply> = defineScript<ContactReply>({
  name: "phone_contacts",
  numberOfKeys: 1,
  lua: `${OPERATIONS}
local reply, list = apply(redis.call('GET', KEYS[1]))
if list then
  local packed = save(list)
  if packed then redis.call('SET', KEYS[1], packed, 'PX', ARGV[2]) else redis.call('DEL', KEYS[1]) end
end
return reply`,
});

const COUNTS = { contacts: 0, refusals: 1, laters: 2 } as const;
const list = new PackedList();

export function packOperation(
  operation: ContactOperation,
  contact: Contact,
  limits: readonly ContactLimit[],
  now: number,
  keep: number,
): Buffer {
  list.clear();
  list.add(operation);
  list.addNumber(now);
  list.addNumber(keep);
  list.add(contact.token);
  list.addNumber(contact.at);
  list.addNumber(contact.until);
  list.add(contact.channel);
  list.add(contact.offer ?? "");
  list.add(outcomeCode(contact.outcome));
  list.addNumber(contact.outcomeAt);
  list.addNumber(contact.again);
  list.addNumber(limits.length);
  for (const { counts, channel, offer, after, max } of limits) {
    list.addNumber(COUNTS[counts]);
    list.add(channel ?? "");
    list.add(offer ?? "");
    list.addNumber(after);
    list.addNumber(max);
  }
  return list.take();
}
