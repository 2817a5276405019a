/**
 * Commits what an answer promises before the answer leaves: the offers it shows and, where it has a
 * call id, the answer itself, so that a repeat of the call gets the same one.
 *
 * Answers are kept in the hash `call:{pN}:<call id>`, one field a member, for some hours. Field `k` of
 * a member's hash lists the calls still open (lines of `<epoch seconds of its end> <call id>`): an
 * erasure has to find them.
 */

import { type RedisClient, toStoreError } from "../redis/clients.js";
import { groupedPipeline } from "../redis/grouped.js";
import { callKey, memberKey, PARTITIONS, partitionOf } from "../redis/keys.js";
import { defineScript, runScript } from "../redis/scripts.js";
import type { MemberRecord } from "./member-store.js";
import { decodeOffers, encodeOffers } from "./sticky-offers.js";

/** Open calls whose answers are kept for one member; the oldest one beyond is forgotten. */
const CALLS_REMEMBERED = 64;

/**
 * KEYS: member, call. ARGV: 'known' or 'unknown', offers as read ('' none), offers to hold ('' as they
 *   are), member (field of the call), answer ('' the request has no call), epoch seconds now, seconds an
 *   answer is kept, call id, calls remembered, kept answer that may be replaced ('' none).
 * Returns {'kept', answer} | {'moved'} (merged away, erased or gone) | {'stale', offers} | {'ok'}.
 */
const holdScript = defineScript<Buffer[]>({
  name: "hold_offers",
  numberOfKeys: 2,
  lua: `
local hasCall = ARGV[5] ~= ''
if hasCall then
  local kept = redis.call('HGET', KEYS[2], ARGV[4])
  if kept and kept ~= ARGV[10] then return {'kept', kept} end
end
if ARGV[1] == 'known' then
  local found = redis.call('HMGET', KEYS[1], 'v', 'r', 'x', 'o', 'k')
  if not found[1] or found[2] or found[3] then return {'moved'} end
  if (found[4] or '') ~= ARGV[2] then return {'stale', found[4] or ''} end
  if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'v', found[1] + 1, 'o', ARGV[3]) end
  if hasCall then
    local now = tonumber(ARGV[6])
    local open = {}
    for line in string.gmatch(found[5] or '', '[^\\n]+') do
      local ends, id = string.match(line, '^(%d+) (.*)$')
      if tonumber(ends) > now and id ~= ARGV[8] then open[#open + 1] = line end
    end
    open[#open + 1] = string.format('%d %s', now + tonumber(ARGV[7]), ARGV[8])
    local first = math.max(1, #open - tonumber(ARGV[9]) + 1)
    -- An erasure finds what is listed: what is listed no more must not be kept either.
    local calls = string.sub(KEYS[2], 1, #KEYS[2] - #ARGV[8])
    for i = 1, first - 1 do
      redis.call('HDEL', calls .. string.match(open[i], '^%d+ (.*)$'), ARGV[4])
    end
    redis.call('HSET', KEYS[1], 'k', table.concat(open, '\\n', first))
  end
end
if hasCall then
  redis.call('HSET', KEYS[2], ARGV[4], ARGV[5])
  redis.call('EXPIRE', KEYS[2], ARGV[7])
end
return {'ok'}
`,
});

export interface Hold {
  /** Who is answered: a member's id, else what stands for somebody unknown. */
  readonly holder: string;
  /** Whether `holder` has a hash; without one only the call is kept. */
  readonly known: boolean;
  /** The member's offers as they were read. */
  readonly read: Buffer | null;
  /** What they become; null: they stay. */
  readonly offers: Buffer | null;
  readonly call: HeldCall | null;
}

export interface HeldCall {
  readonly id: string;
  readonly answer: string;
  /** The kept answer that must not be given again: this one takes its place. null: none. */
  readonly replaces: string | null;
}

export type HoldResult =
  | { readonly status: "ok" }
  /** The call has its answer already. */
  | { readonly status: "kept"; readonly answer: string }
  /** The offers are others by now: decide again with these. */
  | { readonly status: "stale"; readonly offers: Buffer | null }
  /** Merged away, erased or gone: read the member again. */
  | { readonly status: "moved" };

export class OfferStore {
  constructor(
    private readonly client: RedisClient,
    /** How long a call gets the same answer. */
    private readonly callSeconds: number,
  ) {}

  /** Commits all of it or nothing. Throws `store_unavailable`, `store_full`. */
  async hold({ holder, known, read, offers, call }: Hold): Promise<HoldResult> {
    const keys = [memberKey(holder), callKey(partitionOf(holder), call?.id ?? "")];
    const args = [
      known ? "known" : "unknown",
      read ?? "",
      offers ?? "",
      holder,
      call?.answer ?? "",
      Math.floor(Date.now() / 1000),
      this.callSeconds,
      call?.id ?? "",
      CALLS_REMEMBERED,
      call?.replaces ?? "",
    ];
    const [status, value] = await this.try(() => runScript(this.client, holdScript, keys, args));
    switch (status!.toString()) {
      case "kept":
        return { status: "kept", answer: value!.toString() };
      case "stale":
        return { status: "stale", offers: value!.length === 0 ? null : value! };
      case "moved":
        return { status: "moved" };
      default:
        return { status: "ok" };
    }
  }

  /** Offers of the member go on without this coupon. Throws `store_unavailable`, `store_full`. */
  async endCoupon({ id, offers }: Pick<MemberRecord, "id" | "offers">, coupon: string) {
    for (let read = offers; ; ) {
      const held = decodeOffers(read);
      if (!held.some((one) => one.coupon === coupon)) return;
      const left = held.map((one) => (one.coupon === coupon ? { ...one, coupon: null } : one));
      const change = { holder: id, known: true, read, offers: encodeOffers(left), call: null };
      const result = await this.hold(change);
      // Who is merged away or erased at this moment is shown nothing any more.
      if (result.status !== "stale") return;
      read = result.offers;
    }
  }

  /**
   * Answers kept for this call, those of `holders`; of whomever it was where none of them has one.
   * Throws `store_unavailable`.
   */
  async answersTo(call: string, holders: readonly string[]): Promise<string[]> {
    const own = await this.readAll(
      holders.map((one) => ["hget", callKey(partitionOf(one), call), one]),
    );
    if (own.length > 0) return own;
    // A call is kept where its member is, and whose it was is not always told: rare, and some ms.
    return this.readAll(
      Array.from({ length: PARTITIONS }, (_, partition) => ["hvals", callKey(partition, call)]),
    );
  }

  private async readAll(commands: readonly (readonly [string, ...string[]])[]): Promise<string[]> {
    const outcomes = await groupedPipeline<Buffer | Buffer[] | null>(this.client, commands);
    return outcomes.flatMap((outcome) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      return [outcome.value ?? []].flat().map(String);
    });
  }

  /**
   * Removes the answers kept for this member's open calls. For an erasure, behind its tombstone: from
   * then on none is kept any more. Throws `store_unavailable`.
   */
  async forgetCalls(member: string): Promise<void> {
    const listed = await this.try(() => this.client.hget(memberKey(member), "k"));
    if (listed === null) return;
    const partition = partitionOf(member);
    const calls = listed.split("\n").map((line) => line.slice(line.indexOf(" ") + 1));
    const outcomes = await groupedPipeline(this.client, [
      ...calls.map((id) => ["hdel", callKey(partition, id), member] as const),
      ["hdel", memberKey(member), "k"],
    ]);
    for (const { error } of outcomes) if (error !== undefined) throw toStoreError(error);
  }

  private async try<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}
