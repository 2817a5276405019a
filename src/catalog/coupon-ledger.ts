/**
 * Who got which coupon, and who redeemed it. One coupon's ledger lives in its own slot and is written by
 * scripts alone: never more issues than the budget, never more than allowed to one member (merged
 * members count as one), never one redeemed twice, however many ask at once.
 */
import { type RedisClient, scanKeys, toStoreError } from "../redis/clients.js";
import { groupedPipeline } from "../redis/grouped.js";
import { couponLedgerKey, couponLedgerPattern, couponOfLedgerKey } from "../redis/keys.js";
import { packList } from "../redis/packed-list.js";
import { runReplicated } from "../redis/replicated.js";
import { runScript, type Script } from "../redis/scripts.js";
import {
  forgetScript,
  issueScript,
  listIssuesScript,
  redeemScript,
  releaseIssueScript,
} from "./coupon-ledger-scripts.js";
import type { Coupon } from "./records.js";

/** The limits a coupon names. */
export type CouponLimits = Pick<Coupon, "id" | "budget" | "perMember">;

/** The member's id after redirects first, then the ids of those merged into it. */
export type MemberIds = readonly [string, ...string[]];

export type IssueResult = "issued" | "member_has_it" | "budget_spent";
export type RedeemResult = "ok" | "already" | "not_issued";

export interface CouponIssue {
  /** Names the issue: the decision's id, or `r_…` of a redemption without one. */
  readonly token: string;
  /** null: the member was erased. */
  readonly member: string | null;
  /** Epoch milliseconds. */
  readonly issuedAt: number;
  /** When it returns unredeemed; null: never. */
  readonly until: number | null;
  readonly redeemedAt: number | null;
}

export interface CouponReport {
  readonly coupon: string;
  /** null: not limited. */
  readonly budget: number | null;
  readonly perMember: number;
  /** Redeemed and open together. */
  readonly issued: number;
  readonly open: number;
  readonly redeemed: number;
  /** Members who got one. */
  readonly members: number;
  /** null: not limited. */
  readonly left: number | null;
  /** Issues of this page, in no order; an issue may come twice while the ledger grows. */
  readonly items: CouponIssue[];
  readonly nextCursor: string | null;
}

/** There is only so much of it: it is issued before it is shown. */
export const isLimited = ({ budget, perMember }: CouponLimits): boolean =>
  budget !== undefined || perMember !== undefined;

const DEFAULT_PER_MEMBER = 1;
const UNLIMITED = -1;
const STATUS = { issued: "issued", member: "member_has_it", budget: "budget_spent" } as const;

/** Every method throws `store_unavailable`, `store_full`. */
export class CouponLedger {
  constructor(private readonly client: RedisClient) {}

  /**
   * Issues the coupon, once a token however often it is asked, until the later of the instants given
   * (epoch ms; null: for good). Not redeemed until then, the issue returns to the budget.
   */
  async issue(
    coupon: CouponLimits,
    members: MemberIds,
    token: string,
    untilMs: number | null,
    nowMs: number = Date.now(),
  ): Promise<IssueResult> {
    const limits = [coupon.budget ?? UNLIMITED, perMemberOf(coupon)];
    const args = [nowMs, token, untilMs ?? 0, ...limits, members.length, ...members];
    const status = await this.granted(issueScript, coupon.id, args);
    return STATUS[status.toString() as keyof typeof STATUS];
  }

  /** Gives an issue back, for instance of an answer that was not sent; redeemed ones stay. */
  async release(coupon: string, token: string): Promise<boolean> {
    return (await this.run(releaseIssueScript, coupon, [packList([token])])) === 1;
  }

  /**
   * Redeems one issue of the member, as often as allowed to one however many were issued before a
   * merge; the same redemption again is `ok` again. Without an issue, where `places` allows it, one is
   * made as long as the budget lasts: a published code was used.
   */
  async redeem(
    coupon: CouponLimits,
    members: MemberIds,
    redemption: string,
    { places = true, nowMs = Date.now() } = {},
  ): Promise<RedeemResult> {
    const limits = [coupon.budget ?? UNLIMITED, perMemberOf(coupon)];
    const args = [nowMs, redemption, places ? 1 : 0, ...limits, members.length, ...members];
    return (await this.granted(redeemScript, coupon.id, args)).toString() as RedeemResult;
  }

  /** Takes erased members out of every ledger; what they got stays counted. Safe to repeat. */
  async forget(members: readonly string[]): Promise<number> {
    if (members.length === 0) return 0;
    let count = 0;
    for await (const keys of scanKeys(this.client, couponLedgerPattern)) {
      for (const coupon of new Set(keys.map(couponOfLedgerKey))) {
        count += await this.run(forgetScript, coupon, [packList([members.length, ...members])]);
      }
    }
    return count;
  }

  /** How much of the coupon is gone, and a page of who received it. */
  async report(
    coupon: CouponLimits,
    { limit, cursor = null }: { limit: number; cursor?: string | null },
    nowMs: number = Date.now(),
  ): Promise<CouponReport> {
    const [issues, members, open] = keysOf(coupon.id) as [string, string, string];
    const outcomes = await groupedPipeline<number>(this.client, [
      ["hlen", issues],
      ["hlen", members],
      ["zcard", open],
      ["zcount", open, `(${nowMs}`, "+inf"],
    ]);
    const [all, holders, unredeemed, live] = outcomes.map(({ error, value }) => {
      if (error !== undefined) throw toStoreError(error);
      return value;
    }) as [number, number, number, number];
    const issued = all - unredeemed + live;
    const budget = coupon.budget ?? null;
    return {
      coupon: coupon.id,
      budget,
      perMember: perMemberOf(coupon),
      issued,
      open: live,
      redeemed: all - unredeemed,
      members: holders,
      left: budget === null ? null : Math.max(0, budget - issued),
      ...(await this.page(coupon.id, limit, cursor)),
    };
  }

  private async page(
    coupon: string,
    limit: number,
    cursor: string | null,
  ): Promise<Pick<CouponReport, "items" | "nextCursor">> {
    const [next, entries] = await this.run(listIssuesScript, coupon, [cursor ?? "0", limit]);
    const items: CouponIssue[] = [];
    for (let i = 0; i < entries.length; i += 2) {
      const [member, issuedAt, until, redemption, redeemedAt] = JSON.parse(
        entries[i + 1]!.toString(),
      ) as [string, number, number, string, number];
      items.push({
        token: entries[i]!.toString(),
        member: member === "" ? null : member,
        issuedAt,
        until: until === 0 ? null : until,
        redeemedAt: redemption === "" ? null : redeemedAt,
      });
    }
    const cursorText = next.toString();
    return { items, nextCursor: cursorText === "0" ? null : cursorText };
  }

  private granted<T>(
    script: Script<T>,
    coupon: string,
    values: readonly (string | number)[],
  ): Promise<T> {
    return runReplicated(this.client, script, keysOf(coupon), [packList(values)]);
  }

  private async run<T>(
    script: Script<T>,
    coupon: string,
    args: readonly (string | number | Buffer)[],
  ): Promise<T> {
    try {
      return await runScript(this.client, script, keysOf(coupon), args);
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

const perMemberOf = ({ perMember }: CouponLimits): number => perMember ?? DEFAULT_PER_MEMBER;

const keysOf = (coupon: string): string[] => [
  couponLedgerKey(coupon, "issues"),
  couponLedgerKey(coupon, "members"),
  couponLedgerKey(coupon, "open"),
];

/**
 * Whether coupons may be chosen person by person for somebody of this jurisdiction (config
 * `coupons.personal`). Where not, published eligibility decides. `*` does not speak for China: there
 * the operator has to say so by name.
 */
export function personalCoupons(
  personal: Readonly<Record<string, boolean>>,
  jurisdiction: string | undefined,
): boolean {
  const named = personal[jurisdiction ?? "*"];
  if (named !== undefined || jurisdiction === "CN") return named ?? false;
  return personal["*"] ?? false;
}
