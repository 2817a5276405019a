/**
 * Random scenes decided by the product's own code, from the reading of a member to the last look of
 * the guards, over a store in memory; each answer goes to the oracle.
 */
import { buildArtifacts } from "../src/candidates/build-artifacts.js";
import { buildSnapshot } from "../src/catalog/build-snapshot.js";
import type { RecommendationRequest, RecommendationResponse } from "../src/decision/answer.js";
import { type DecideDependencies, decide } from "../src/decision/decide.js";
import { LastScores } from "../src/decision/last-scores.js";
import { Random } from "../src/demo/random.js";
import { CuecardError } from "../src/errors.js";
import { createFeatureSchema } from "../src/features/feature-schema.js";
import { EMPTY_STATE, encodeState, type FeatureState, fold } from "../src/features/state.js";
import { combineProfiles } from "../src/members/combine-profiles.js";
import { encodeContacts, mergeContacts } from "../src/members/contacts.js";
import { identitiesOf } from "../src/members/identity.js";
import type { MemberRecord } from "../src/members/member-store.js";
import type { Profile } from "../src/members/profile.js";
import { mergeOffers } from "../src/members/sticky-offers.js";
import { ContactPolicy } from "../src/policy/contact-policy.js";
import type { ModelLease } from "../src/scoring/model-slot.js";
import { judge, type Memory, remember } from "./guards-oracle.js";
import {
  aCatalog,
  aDay,
  advance,
  aPerson,
  aPolicy,
  type CatalogFacts,
  type Facts,
  type Part,
} from "./guards-scene.js";

/** Decisions that share a policy and a catalog; made again from the seed and the block's number alone. */
export const BLOCK_SIZE = 64;
const SCENE_SIZE = 8;
const GUARDS = 12;

export interface Tally {
  decisions: number;
  /** Decisions in which something was offered, in all and outbound. */
  offered: number;
  outbound: number;
  /** By guard, the first place unused: had something to bar; barred what nothing else did. */
  readonly tested: number[];
  readonly alone: number[];
  /** Stopped at the last look of the product itself: nothing went out, but it should not come so far. */
  stopped: number;
  /** Decisions that broke a guard, and the first of them in words. */
  violated: number;
  readonly violations: string[];
}

export const emptyTally = (): Tally => ({
  decisions: 0,
  offered: 0,
  outbound: 0,
  tested: new Array(GUARDS + 1).fill(0),
  alone: new Array(GUARDS + 1).fill(0),
  stopped: 0,
  violated: 0,
  violations: [],
});

const VIOLATIONS_TOLD_MAX = 50;
const schema = createFeatureSchema([]);

/** Adds `more` to `sum`. */
export function addTally(sum: Tally, more: Tally): void {
  for (const key of ["decisions", "offered", "outbound", "stopped", "violated"] as const) {
    sum[key] += more[key];
  }
  for (let guard = 1; guard <= GUARDS; guard++) {
    sum.tested[guard] += more.tested[guard];
    sum.alone[guard] += more.alone[guard];
  }
  sum.violations.push(...more.violations.slice(0, VIOLATIONS_TOLD_MAX - sum.violations.length));
}

/** Blocks from `first` to before `end`. */
export async function runBlocks(
  seed: number,
  { first, end }: { first: number; end: number },
): Promise<Tally> {
  const tally = emptyTally();
  for (let block = first; block < end; block++) await runBlock(seed, block, tally);
  return tally;
}

async function runBlock(seed: number, block: number, tally: Tally): Promise<void> {
  const random = new Random(`guards ${seed} ${block}`);
  const day = aDay(random);
  const policy = aPolicy(random);
  const catalog = aCatalog(random, day);
  const artifacts = artifactsOf(catalog, day);
  const contactPolicy = new ContactPolicy(policy);
  for (let scene = 0; scene < BLOCK_SIZE / SCENE_SIZE; scene++) {
    const facts = aPerson(random, policy, catalog, day);
    const memory: Memory = new Map();
    const { dependencies, offers } = productOver(facts, { artifacts, contactPolicy }, tally);
    let wasMerged = false;
    const answered = new Set<string>();
    for (let step = 0; step < SCENE_SIZE; step++) {
      advance(facts, random, day);
      if (facts.merged && !wasMerged) mergeHeld(facts, offers);
      wasMerged = facts.merged;
      const answer = await decide(facts.request, dependencies);
      const where = `block ${block}, scene ${scene}, step ${step}`;
      const isRepeat = answered.has(answer.decisionId);
      answered.add(answer.decisionId);
      await judgeOne({ facts, answer, isRepeat, memory, dependencies, where, tally });
    }
  }
}

interface One {
  readonly facts: Facts;
  readonly answer: RecommendationResponse;
  /** Of a call that was answered before: a stranger's was compared then, to as many suggestions. */
  readonly isRepeat: boolean;
  readonly memory: Memory;
  readonly dependencies: DecideDependencies;
  readonly where: string;
  readonly tally: Tally;
}

async function judgeOne(one: One): Promise<void> {
  const { facts, answer, isRepeat, memory, dependencies, where, tally } = one;
  const judgement = judge(facts, answer, memory);
  const { violations, tested, alone, barredProducts } = judgement;
  tally.decisions++;
  if (answer.suggestions.some(({ product }) => product !== null)) {
    tally.offered++;
    if (facts.request.placement === "outbound") tally.outbound++;
  }
  for (const guard of tested) tally.tested[guard]!++;
  for (const guard of alone) tally.alone[guard]!++;
  const found = violations.map(({ guard, what }) => `guard ${guard}: ${what}`);
  if (judgement.asStranger && !isRepeat && violations.length === 0) {
    const { request } = facts;
    const exclude = [...(request.exclude ?? []), ...barredProducts];
    // A call of their own, so that the same has to be committed.
    const callId = request.context?.callId == null ? undefined : where;
    const context = { ...request.context, callId };
    const member = { visitor: "nobody" };
    const asked: RecommendationRequest = { ...request, member, exclude, context };
    const other = await decide(asked, dependencies);
    const isOffered = answer.suggestions.some(({ product }) => product !== null);
    if (isOffered && termsOf(answer) !== termsOf(other)) found.push("guard 7: not as a stranger's");
  }
  if (found.length > 0) {
    tally.violated++;
    const told = `${where}: ${[...new Set(found)].join(", ")}; asked ${JSON.stringify(facts.request)}`;
    if (tally.violations.length < VIOLATIONS_TOLD_MAX) tally.violations.push(told);
  }
  remember(facts, answer, memory);
}

const termsOf = ({ suggestions }: RecommendationResponse): string =>
  JSON.stringify(
    suggestions.map(({ product, coupon, channel }) => [
      product?.id,
      product?.price,
      coupon?.id,
      channel,
    ]),
  );

function artifactsOf({ products }: CatalogFacts, day: number) {
  const bought = products.flatMap(({ id }, i) =>
    Array.from({ length: products.length - i }, (_, buyer) => ({
      member: `buyer ${i} ${buyer}`,
      at: day - 30 * 86_400_000,
      lines: [{ product: id, quantity: 1 }],
    })),
  );
  return buildArtifacts(bought, [], { asOf: day });
}

/** Offers that hold, by member: what the product itself wrote. */
type Offers = Map<string, Buffer | null>;

/** What the scenes of a block share beside their policy and catalog. */
interface Block {
  readonly artifacts: ReturnType<typeof artifactsOf>;
  readonly contactPolicy: ContactPolicy;
}

/** The product's dependencies over the facts as they stand whenever it asks. */
function productOver(
  facts: Facts,
  { artifacts, contactPolicy }: Block,
  tally: Tally,
): { dependencies: DecideDependencies; offers: Offers } {
  const { config, catalog } = facts;
  const offers: Offers = new Map();
  /** Answers kept for calls, by member and call. */
  const calls = new Map<string, string>();
  let snapshot = snapshotOf(catalog);
  const need = (...down: Facts["store"][]): void => {
    if (down.includes(facts.store))
      throw new CuecardError("store_unavailable", "as the scene says");
  };
  const readRef: DecideDependencies["reader"]["readRef"] = async (ref) => {
    need("down");
    return recordOf(facts, ref, offers);
  };
  const dependencies: DecideDependencies = {
    config,
    rules: { config, contactPolicy },
    clock: () => facts.clock,
    reader: { readRef, readRefs: (refs) => Promise.all(refs.map(readRef)) },
    suppressions: {
      refresh: async () => need("list_down", "down"),
      reasonFor(kind, value) {
        const found = facts.listed.some((one) => one.kind === kind && one.value === value);
        return found ? "do_not_contact" : null;
      },
    },
    contacts: {
      async phoneContacts(phones) {
        need("phones_down", "down");
        return phones.map((phone) => facts.phoneContacts[phone] ?? []);
      },
      // No scene reserves or limits a coupon: that many at once are exact is tested on real stores.
      reserve: async () => ({ status: "ok" }),
      release: async () => undefined,
    },
    couponLedger: { issue: async () => "issued", release: async () => true },
    offers: {
      async hold({ holder, known, read, offers: held, call }) {
        need("holds_fail", "down");
        const kept = calls.get(`${holder} ${call?.id}`);
        if (call !== null && kept !== undefined && kept !== call.replaces) {
          return { status: "kept", answer: kept };
        }
        const keep = (): void => {
          if (call !== null) calls.set(`${holder} ${call.id}`, call.answer);
        };
        if (!known) {
          keep();
          return { status: "ok" };
        }
        const stored = offers.get(holder) ?? null;
        if (!(stored ?? NO_BYTES).equals(read ?? NO_BYTES)) {
          return { status: "stale", offers: stored };
        }
        if (held !== null) offers.set(holder, held);
        keep();
        return { status: "ok" };
      },
    },
    onGuardStop: () => void tally.stopped++,
    onModelError: () => undefined,
    schema,
    lastScores: new LastScores(() => false),
    heads: { lease: () => leaseOf(facts, 3) },
    ranker: { lease: () => leaseOf(facts, 1) },
    alive: () => null,
    artifacts: () => artifacts,
    snapshot() {
      if (snapshot.version !== catalog.version) snapshot = snapshotOf(catalog);
      return snapshot;
    },
    versions: () => ({ alive: null, candidates: null, config: "" }),
    record: () => undefined,
  };
  return { dependencies, offers };
}

const NO_BYTES = Buffer.alloc(0);

const snapshotOf = ({ version, products, coupons, experiments }: CatalogFacts) =>
  buildSnapshot(version, products, { coupons, experiments });

const MANIFEST = {
  version: "as the scene says",
  calibration: { ranker: { slope: 1, intercept: 0 } },
} as unknown as ModelLease["manifest"];

/** Not a model: numbers in no order at all, the same for the same rows. */
function leaseOf({ models }: Facts, width: number): ModelLease | null {
  if (models === "none") return null;
  const run = async (rows: Float32Array, count: number) => {
    if (models === "failing") throw new Error("as the scene says");
    const seen = rows.reduce((sum, value) => (Number.isNaN(value) ? sum : sum + value), 0);
    const margins = Float32Array.from({ length: count * width }, (_, i) =>
      Math.sin((i + 1) * 12.9898 + seen),
    );
    return { margins, probabilities: margins.map((margin) => (margin + 1) / 2) };
  };
  const scorer = { featureCount: 0, width, outputs: [], run, release: async () => undefined };
  return { scorer, manifest: MANIFEST, explainer: () => null, release: () => undefined };
}

/** What a store would hold of whom the reference names; merged as the product merges. */
function recordOf(
  { parts, merged, erased, request }: Facts,
  ref: RecommendationRequest["member"],
  offers: Offers,
): MemberRecord | null {
  const found = erased ? undefined : parts.find((part) => isNamedBy(part, ref));
  // Whoever asks for somebody else, as the comparison with a stranger does, finds nobody.
  if (found === undefined || (ref !== request.member && typeof ref === "string")) return null;
  const one = merged ? parts : [found];
  const { id } = one[0]!;
  const profiles: Profile[] = one.map(({ profile }) => profile);
  const events = one.flatMap((part) => part.events.map((event, i) => ({ part, event, i })));
  const state = events.reduce<FeatureState>(
    (folded, { part, event: { type, at }, i }) =>
      fold(folded, { id: `${part.id} ${i}`, type, at, lines: linesOf(type) }),
    EMPTY_STATE,
  );
  const contacts = one
    .map((part) => encodeContacts(part.contacts))
    .reduce((a, b) => mergeContacts(a, b), null);
  return {
    id,
    version: 1,
    state: events.length === 0 ? null : encodeState(state),
    profile: one.length === 1 ? profiles[0]! : combineProfiles(id, profiles),
    redirect: null,
    erased: false,
    contacts,
    offers: offers.get(id) ?? null,
  };
}

const linesOf = (type: string) =>
  type === "purchase" ? [{ product: "p1", quantity: 1, amount: 10, category: "k1" }] : [];

function isNamedBy({ id, profile }: Part, ref: RecommendationRequest["member"]): boolean {
  if (typeof ref === "string") return ref === id;
  const [[kind, value]] = Object.entries(ref) as [[string, string]];
  return identitiesOf(profile).some((one) => one.kind === kind && one.value === value);
}

function mergeHeld({ parts }: Facts, offers: Offers): void {
  const [into, from] = parts.map(({ id }) => id) as [string, string];
  offers.set(into, mergeOffers(offers.get(into) ?? null, offers.get(from) ?? null));
  offers.delete(from);
}
