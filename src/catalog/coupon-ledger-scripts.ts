/**
 * The scripts of the coupon ledger. All take the same three keys, in the coupon's own slot:
 * KEYS 1 issues (hash token → {member, at, until, redemption, redeemedAt}, packed), 2 members (hash id →
 * tokens, packed), 3 open (sorted set of tokens not redeemed, scored by the instant they return).
 * Times are epoch milliseconds of the caller's clock; 0: never.
 * A call that grants something always writes, so that its replication can be waited for.
 */
import { defineScript } from "../redis/scripts.js";

/** Expired issues one call gives back at most: a millisecond of its node's time. */
const RETURNED_MAX = 200;

const LEDGER = `
local given = cmsgpack.unpack(ARGV[1])

local function tokensOf(id)
  local packed = redis.call('HGET', KEYS[2], id)
  return packed and cmsgpack.unpack(packed) or {}
end
local function issueOf(token)
  local packed = redis.call('HGET', KEYS[1], token)
  return packed and cmsgpack.unpack(packed)
end
local function write(token, issue)
  redis.call('HSET', KEYS[1], token, cmsgpack.pack(issue))
  if issue[4] ~= '' then
    redis.call('ZREM', KEYS[3], token)
  else
    redis.call('ZADD', KEYS[3], issue[3] == 0 and '+inf' or issue[3], token)
  end
end
local function add(token, issue)
  local tokens = tokensOf(issue[1])
  tokens[#tokens + 1] = token
  redis.call('HSET', KEYS[2], issue[1], cmsgpack.pack(tokens))
  write(token, issue)
end
local function giveBack(token)
  local issue = issueOf(token)
  redis.call('HDEL', KEYS[1], token)
  redis.call('ZREM', KEYS[3], token)
  if not issue or issue[1] == '' then return end
  local kept = {}
  for _, one in ipairs(tokensOf(issue[1])) do if one ~= token then kept[#kept + 1] = one end end
  if #kept == 0 then redis.call('HDEL', KEYS[2], issue[1])
  else redis.call('HSET', KEYS[2], issue[1], cmsgpack.pack(kept)) end
end
local function giveBackExpired(now)
  local expired = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, ${RETURNED_MAX})
  for _, token in ipairs(expired) do giveBack(token) end
end
`;

/**
 * ARGV[1], packed: now, token, until, budget (-1 none), per member, ids n, n × id (the holder first).
 * Returns 'issued' | 'member' (has as many as allowed) | 'budget' (spent).
 */
export const issueScript = defineScript<Buffer>({
  name: "coupon_issue",
  numberOfKeys: 3,
  lua: `${LEDGER}
local now, token, ends, budget, most = given[1], given[2], given[3], given[4], given[5]
giveBackExpired(now)
local known = issueOf(token)
if known then
  if known[3] ~= 0 and (ends == 0 or ends > known[3]) then known[3] = ends end
  write(token, known)
  return 'issued'
end
local count = 0
for i = 7, 6 + given[6] do count = count + #tokensOf(given[i]) end
if count >= most then return 'member' end
if budget >= 0 and redis.call('HLEN', KEYS[1]) >= budget then return 'budget' end
add(token, {given[7], now, ends, '', 0})
return 'issued'`,
});

/**
 * ARGV[1], packed: now, redemption, 1 where one without an issue takes a place of its own, budget,
 * per member, ids n, n × id (the holder first). An issue that expired but was not given back yet counts:
 * its redemption may have happened in time. Members merged after each got one hold more issues than
 * one member may redeem; of a coupon that is not recorded (places 0) nobody knows how many those are.
 * Returns 'ok' | 'already' | 'not_issued'.
 */
export const redeemScript = defineScript<Buffer>({
  name: "coupon_redeem",
  numberOfKeys: 3,
  lua: `${LEDGER}
local now, redemption, places, budget, most = given[1], given[2], given[3], given[4], given[5]
local count, redeemed, found = 0, 0, nil
for i = 7, 6 + given[6] do
  for _, token in ipairs(tokensOf(given[i])) do
    local issue = issueOf(token)
    count = count + 1
    if issue[4] ~= '' then redeemed = redeemed + 1 end
    if issue[4] == redemption then
      write(token, issue)
      return 'ok'
    end
    if issue[4] == '' and not found then found = token end
  end
end
if places == 1 and redeemed >= most then return 'already' end
if found then
  local issue = issueOf(found)
  issue[4], issue[5] = redemption, now
  write(found, issue)
  return 'ok'
end
if count >= most then return 'already' end
if places == 0 then return 'not_issued' end
giveBackExpired(now)
if budget >= 0 and redis.call('HLEN', KEYS[1]) >= budget then return 'not_issued' end
local token = 'r_' .. redis.sha1hex(given[7] .. '\\n' .. redemption)
add(token, {given[7], now, 0, redemption, now})
return 'ok'`,
});

/** ARGV[1], packed: token. Gives an issue back that nobody redeemed. Returns 1 when there was one. */
export const releaseIssueScript = defineScript<number>({
  name: "coupon_release",
  numberOfKeys: 3,
  lua: `${LEDGER}
local issue = issueOf(given[1])
if not issue or issue[4] ~= '' then return 0 end
giveBack(given[1])
return 1`,
});

/** ARGV[1], packed: ids n, n × id. The issues stay counted, without the member. Returns how many. */
export const forgetScript = defineScript<number>({
  name: "coupon_forget",
  numberOfKeys: 3,
  lua: `${LEDGER}
local count = 0
for i = 2, 1 + given[1] do
  for _, token in ipairs(tokensOf(given[i])) do
    local issue = issueOf(token)
    issue[1] = ''
    write(token, issue)
    count = count + 1
  end
  redis.call('HDEL', KEYS[2], given[i])
end
return count`,
});

/**
 * ARGV: cursor of HSCAN, how many. Returns the next cursor and (token, issue as JSON) behind one
 * another.
 */
export const listIssuesScript = defineScript<[cursor: Buffer, entries: Buffer[]]>({
  name: "coupon_list",
  numberOfKeys: 3,
  lua: `
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local entries = {}
for i = 1, #page[2], 2 do
  entries[#entries + 1] = page[2][i]
  entries[#entries + 1] = cjson.encode(cmsgpack.unpack(page[2][i + 1]))
end
return {page[1], entries}`,
});
