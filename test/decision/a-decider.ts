/** `decide` and `score` over members, a catalog and small real ONNX models that a test names. */
import { CANDIDATE_FEATURES } from "../../src/candidates/features.js";
import { buildSnapshot } from "../../src/catalog/build-snapshot.js";
import type { Experiment } from "../../src/catalog/experiment.js";
import type { Coupon, Product } from "../../src/catalog/records.js";
import { type Config, loadConfig } from "../../src/config.js";
import type { RecommendationRequest } from "../../src/decision/answer.js";
import { type DecideDependencies, decide } from "../../src/decision/decide.js";
import { LastScores } from "../../src/decision/last-scores.js";
import { HEADS } from "../../src/decision/member-scores.js";
import type { MemberEvent } from "../../src/events/event.js";
import { createFeatureSchema } from "../../src/features/feature-schema.js";
import { encodeState } from "../../src/features/state.js";
import type { MemberRecord } from "../../src/members/member-store.js";
import type { Consent, Profile } from "../../src/members/profile.js";
import { encodeOffers, type HeldOffer } from "../../src/members/sticky-offers.js";
import { ContactPolicy } from "../../src/policy/contact-policy.js";
import { explainerOf } from "../../src/scoring/explainer.js";
import { manifestFor } from "../../src/scoring/manifest.js";
import type { ModelLease } from "../../src/scoring/model-slot.js";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import type { Scorer } from "../../src/scoring/scorer.js";
import { fuseHeads, rankerGraph } from "../../src/training/onnx.js";
import { learnt } from "../candidates/builders.js";
import { daysAgo, NOW } from "../support/builders.js";
import { foldAll } from "../support/core.js";

/** At every hour, so that no test depends on the time of day. */
const ALWAYS = { from: "00:00", until: "24:00" };

export const config: Config = {
  ...loadConfig({ PORT: "0" }),
  callingWindows: [
    { jurisdiction: "*", ...ALWAYS },
    { jurisdiction: "CN", ...ALWAYS },
  ],
  // Nothing is drawn: a test that wants draws says so.
  exploration: { share: 0 },
};
export const schema = createFeatureSchema([]);

export const aProduct = (id: string, more: Partial<Product> = {}): Product => ({
  id,
  name: `The ${id}`,
  price: 100,
  margin: 40,
  active: true,
  createdAt: 0,
  updatedAt: 0,
  source: "record",
  ...more,
});

export const aCoupon = (id: string, more: Partial<Coupon> = {}): Coupon => ({
  id,
  label: `${id} for you`,
  active: true,
  createdAt: 0,
  updatedAt: 0,
  ...more,
});

/** Consents of today, all granted, for marketing. */
export const granted = (...channels: string[]): Consent[] =>
  channels.map((channel) => ({ channel, purpose: "marketing", status: "granted", at: NOW }));

export interface AMember {
  profile?: Partial<Profile>;
  events?: readonly MemberEvent[];
  /** What they were shown and what holds. */
  offers?: readonly HeldOffer[];
}

function recordOf(id: string, { profile = {}, events = [], offers = [] }: AMember): MemberRecord {
  return {
    id,
    version: 1,
    state: events.length === 0 ? null : encodeState(foldAll(events)),
    profile: { id, createdAt: 0, updatedAt: 0, ...profile },
    redirect: null,
    erased: false,
    contacts: null,
    offers: offers.length === 0 ? null : encodeOffers(offers),
  };
}

/** One split: `below` the value −`leaf`, else `leaf`. */
function stump(featureCount: number, feature: number, split: number, leaf: number) {
  return {
    objective: "binary:logistic",
    baseMargin: 0,
    featureCount,
    trees: [
      {
        left: Int32Array.of(1, -1, -1),
        right: Int32Array.of(2, -1, -1),
        feature: Int32Array.of(feature, 0, 0),
        value: Float32Array.of(split, -leaf, leaf),
        defaultLeft: Uint8Array.of(1, 0, 0),
        cover: Float32Array.of(2, 1, 1),
      },
    ],
  };
}

const EVEN = { slope: 1, intercept: 0 };

const leaseOf = (
  name: string,
  bytes: Uint8Array,
  scorer: Scorer,
  calibration: Record<string, typeof EVEN>,
) => {
  const manifest = manifestFor(new Uint8Array(1), {
    name,
    createdAt: NOW,
    features: [],
    schemaHash: "0123456789abcdef",
    outputs: [],
    trainedWindow: { from: 0, to: 1 },
    rows: 1,
    metrics: {},
    calibration,
    libraryVersion: "1.6.1",
    threads: 1,
    seed: 1,
  });
  const explainer = explainerOf(bytes);
  return (): ModelLease => ({ scorer, manifest, explainer: () => explainer, release: () => {} });
};

/**
 * Heads: who ordered more than once buys with 0.88, else 0.12. Ranker: dearer than e^4 ≈ 55 comes
 * first (0.73 against 0.27 of the next orders). `leaf`: how sure they are.
 */
export function graphs(leaf = 1): { heads: Uint8Array; ranker: Uint8Array } {
  const orders = schema.names.indexOf("order_count");
  const head = (name: string) => ({
    name,
    model: stump(schema.length, orders, 1.5, 2 * leaf),
    calibration: EVEN,
  });
  const price = CANDIDATE_FEATURES.indexOf("price_log");
  const model = stump(CANDIDATE_FEATURES.length, price, 4, leaf);
  return { heads: fuseHeads(HEADS.map(head), schema.length), ranker: rankerGraph(model) };
}

export async function trained(): Promise<Pick<DecideDependencies, "heads" | "ranker">> {
  const bytes = graphs();
  const heads = await loadOnnxScorer(bytes.heads);
  const ranker = await loadOnnxScorer(bytes.ranker);
  return {
    heads: { lease: leaseOf("heads", bytes.heads, heads, { purchase: EVEN }) },
    ranker: { lease: leaseOf("ranker", bytes.ranker, ranker, { ranker: EVEN }) },
  };
}

export const untrained: Pick<DecideDependencies, "heads" | "ranker"> = {
  heads: { lease: () => null },
  ranker: { lease: () => null },
};

export interface World {
  members?: Record<string, AMember>;
  products?: readonly Product[];
  coupons?: readonly Coupon[];
  experiments?: readonly Experiment[];
  /** Ids by falling popularity; default: all products as they stand. */
  popular?: readonly string[];
  config?: Config;
}

export function dependenciesOf(world: World = {}, more: Partial<DecideDependencies> = {}) {
  const {
    products = [aProduct("p1"), aProduct("p2"), aProduct("p3")],
    coupons = [],
    experiments = [],
  } = world;
  const popular = world.popular ?? products.map(({ id }) => id);
  const buys = popular.flatMap((product, rank) =>
    Array.from({ length: popular.length - rank }, (_, buyer) => ({
      member: `buyer ${rank} ${buyer}`,
      at: daysAgo(30),
      lines: [{ product, quantity: 1 }],
    })),
  );
  const snapshot = buildSnapshot(1, products, { coupons, experiments });
  const artifacts = learnt(buys);
  const records = new Map(
    Object.entries(world.members ?? {}).map(([id, member]) => [id, recordOf(id, member)]),
  );
  const readRef: DecideDependencies["reader"]["readRef"] = async (ref) =>
    (typeof ref === "string" ? records.get(ref) : undefined) ?? null;
  const failures: unknown[] = [];
  const current = world.config ?? config;
  const dependencies: DecideDependencies = {
    config: current,
    rules: { config: current, contactPolicy: new ContactPolicy(current) },
    suppressions: { refresh: async () => {}, reasonFor: () => null },
    contacts: {
      phoneContacts: async (phones) => phones.map(() => []),
      reserve: async () => ({ status: "ok" }),
      release: async () => undefined,
    },
    couponLedger: { issue: async () => "issued", release: async () => true },
    onGuardStop: (guard) => void failures.push(`guard ${guard}`),
    schema,
    reader: { readRef, readRefs: (refs) => Promise.all(refs.map(readRef)) },
    lastScores: new LastScores(() => false),
    ...untrained,
    alive: () => null,
    artifacts: () => artifacts,
    snapshot: () => snapshot,
    offers: { hold: async () => ({ status: "ok" }) },
    versions: () => ({ alive: null, candidates: null, config: "" }),
    record: () => undefined,
    onModelError: (error) => failures.push(error),
    ...more,
  };
  return { dependencies, failures };
}

/** One answer at NOW. The budget is long: a busy machine must not change what is tested. */
export const ask = (
  dependencies: DecideDependencies,
  request: Partial<RecommendationRequest> = {},
) =>
  decide(
    {
      member: "m",
      placement: "screen_pop",
      budgetMs: 10_000,
      ...request,
      context: { now: NOW, ...request.context },
    },
    dependencies,
  );
