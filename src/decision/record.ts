/**
 * What is written down of a decision: enough to explain it, to compute it again, and no more. What
 * identifies the member (name, phones, addresses) is not part of it.
 */
import { isLimited } from "../catalog/coupon-ledger.js";
import type { Config } from "../config.js";
import type { Consent, Profile } from "../members/profile.js";
import type { Verdict } from "../policy/guards.js";
import type {
  ContactPlace,
  DegradedReason,
  RecommendationResponse,
  Scores,
  Suggestion,
} from "./answer.js";
import type { Answer, Decided, Situation } from "./decide-for.js";
import { fateCodesOf } from "./fates.js";
import type { MemberFacts } from "./member-scores.js";

/** Which versions made a decision; null: there was none, or it was not asked. */
export interface Versions {
  readonly heads: string | null;
  readonly ranker: string | null;
  readonly alive: string | null;
  readonly candidates: string | null;
  readonly catalog: number;
  readonly policy: number;
  /** Of the part of the configuration that decides. */
  readonly config: string;
}

export type Kind = Suggestion["kind"];

export interface Shown {
  readonly kind: Kind;
  readonly product: string | null;
  readonly price: number | null;
  readonly coupon: string | null;
  readonly channel: string | null;
  readonly contactAt: string | null;
  readonly propensity?: number;
  readonly expectedValue?: number;
}

/** The parts of a profile that count for a decision. */
export interface Counted {
  readonly stage: MemberFacts["stage"];
  /** false: events alone are known of them. */
  readonly hasProfile: boolean;
  /** Every zone they may have been in; [] = unknown. */
  readonly zones: string[];
  /** Whose law counted; null = unknown. */
  readonly jurisdiction: string | null;
  readonly locale?: string | undefined;
  readonly vulnerable?: boolean | undefined;
  readonly personalization?: "on" | "off" | undefined;
  readonly doNotContact?: boolean | undefined;
  readonly consents?: Consent[] | undefined;
  readonly attributes?: Profile["attributes"] | undefined;
}

export type CutPart =
  | "removed"
  | "exclude"
  | "page"
  | "callReason"
  | "attributes"
  | "cart"
  | "consents"
  | "shown";

export interface DecisionRecord {
  readonly id: string;
  /** null: somebody without an id. */
  readonly member: string | null;
  /** The instant decided for, epoch milliseconds. */
  readonly at: number;
  /** `context.now` of an admin: nothing was committed. */
  readonly dryRun: boolean;
  readonly request: {
    readonly placement: string;
    readonly channel?: string | null | undefined;
    readonly cart?: string[] | undefined;
    readonly page?: string | null | undefined;
    readonly callReason?: string | null | undefined;
    readonly callId?: string | null | undefined;
    readonly exclude?: string[] | undefined;
    readonly limit?: number | undefined;
    readonly explain?: boolean | undefined;
  };
  /** Packed feature state, base64. */
  readonly state: string | null;
  /** null: nobody was known. */
  readonly counted: Counted | null;
  /** Offers that held then and were among the candidates. */
  readonly held: readonly (readonly [product: string, price: number, coupon: string | null])[];
  /** Limited coupons that were not to be newly shown: none left, or the member had theirs. */
  readonly withheld: readonly string[];
  /** The product they had asked to hear of later, when it was time; null: none. */
  readonly askedFor: string | null;
  /** End of the place reserved for the first suggestion, epoch milliseconds; null: none was. */
  readonly reservedUntil: number | null;
  readonly versions: Versions;
  readonly seed: number;
  /** The real time where the request brought a clock of its own (then `at`); else null. */
  readonly clock: number | null;
  /** What the guards said: everything behind was bound by it. */
  readonly verdict: Verdict;
  readonly shown: Shown[];
  /** Candidates not shown, by code. */
  readonly removed: Record<string, string[]>;
  /** How many of each code, also where `removed` was cut. */
  readonly removedCounts: Record<string, number>;
  readonly degraded: DegradedReason[];
  /** Scores of before, while the store was out of reach. */
  readonly lastScores: Scores | null;
  readonly experiment: RecommendationResponse["experiment"];
  /** Chance with which this answer was drawn; 1: nothing was drawn. */
  readonly drawn: number;
  /** Parts left out or shortened because the record would have been too long. */
  readonly cut: CutPart[];
}

/** A decision on its way to the log: held as it is, written down off the answer's path. */
export interface Recordable {
  readonly id: string;
  readonly dryRun: boolean;
  readonly situation: Situation;
  readonly decided: Decided;
  readonly versions: Versions;
  readonly contact: ContactPlace | null;
}

/** The whole record; `record-codec` cuts it to what may be logged. */
export function recordOf(one: Recordable, config: Pick<Config, "attributes">): DecisionRecord {
  const { situation, decided } = one;
  const { request, facts, now } = situation;
  const { answer, trace } = decided;
  const { context = {} } = request;
  const removed = removedBy(decided);
  return {
    id: one.id,
    member: facts?.id ?? (typeof request.member === "string" ? request.member : null),
    at: now,
    dryRun: one.dryRun,
    request: {
      placement: request.placement,
      channel: request.channel,
      cart: context.cart,
      page: context.page,
      callReason: context.callReason,
      callId: context.callId,
      exclude: request.exclude,
      limit: request.limit,
      explain: request.explain === true ? true : undefined,
    },
    state: facts?.packed?.toString("base64") ?? null,
    counted: facts === null ? null : countedOf(facts, config),
    held: trace === null ? [] : heldAmong(situation, trace),
    withheld: trace === null ? [] : withheldIn(trace),
    askedFor: situation.askedFor,
    reservedUntil: one.contact === null ? null : Date.parse(one.contact.until),
    versions: one.versions,
    seed: situation.seed,
    clock: one.dryRun ? situation.use.instants[0]! : null,
    verdict: situation.verdict,
    shown: answer.suggestions.map(shownOf),
    removed,
    removedCounts: Object.fromEntries(
      Object.entries(removed).map(([code, products]) => [code, products.length]),
    ),
    degraded: answer.degraded,
    lastScores: situation.lastScores,
    experiment: answer.experiment,
    drawn: trace?.drawn ?? 1,
    cut: [],
  };
}

function countedOf(
  { profile, stage, zones, jurisdiction }: MemberFacts,
  config: Pick<Config, "attributes">,
): Counted {
  const names = config.attributes.map(({ name }) => name);
  const given = profile?.attributes ?? {};
  const attributes = names.flatMap((name) =>
    name in given ? [[name, given[name]!] as const] : [],
  );
  return {
    stage,
    hasProfile: profile !== null,
    zones: [...zones],
    jurisdiction,
    locale: profile?.locale,
    vulnerable: profile?.vulnerable,
    personalization: profile?.personalization,
    doNotContact: profile?.doNotContact,
    consents: profile?.consents,
    attributes: attributes.length === 0 ? undefined : Object.fromEntries(attributes),
  };
}

type Trace = NonNullable<Decided["trace"]>;

function heldAmong({ held, verdict }: Situation, { snapshot, set }: Trace): DecisionRecord["held"] {
  if (!verdict.personal || held.size === 0) return [];
  const candidates = set.product.subarray(0, set.count);
  const among: DecisionRecord["held"][number][] = [];
  for (const { product, price, coupon } of held.values()) {
    const index = snapshot.indexOf.get(product);
    if (index !== undefined && candidates.includes(index)) among.push([product, price, coupon]);
  }
  return among;
}

function withheldIn({ withheld, snapshot }: Trace): string[] {
  if (withheld.size === 0) return [];
  const limited = snapshot.coupons.filter((one) => withheld.has(one.id) && isLimited(one));
  return limited.map(({ id }) => id);
}

function removedBy({ trace }: Decided): Record<string, string[]> {
  const removed: Record<string, string[]> = {};
  if (trace === null) return removed;
  const codes = fateCodesOf(trace);
  const { snapshot, set } = trace;
  for (let i = 0; i < set.count; i++) {
    const code = codes[i]!;
    if (code === null) continue;
    removed[code] ??= [];
    removed[code].push(snapshot.products[set.product[i]!]!.id);
  }
  return removed;
}

const shownOf = (one: Answer["suggestions"][number]): Shown => ({
  kind: one.kind,
  product: one.product?.id ?? null,
  price: one.product?.price ?? null,
  coupon: one.coupon?.id ?? null,
  channel: one.channel,
  contactAt: one.contactAt,
  ...(one.propensity === undefined
    ? {}
    : { propensity: brief(one.propensity), expectedValue: brief(one.expectedValue ?? 0) }),
});

/** Five digits tell what it was; replay has all of them. */
const brief = (value: number): number => Number(value.toPrecision(5));
