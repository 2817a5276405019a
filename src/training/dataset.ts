/**
 * Point-in-time training data for the member heads. Each member's events are replayed through the
 * serving `fold` up to several past instants, and hydrated there by the serving `hydrate`.
 *
 * What counts as known at an instant T: every event and profile whose own time `at` is ≤ T, also one
 * that arrived later (an import of old orders would otherwise teach nothing). P(alive) parameters are
 * fitted on orders before T.
 */
import type { StagesConfig } from "../config.js";
import { CuecardError } from "../errors.js";
import type { MemberEvent } from "../events/event.js";
import type { ReplayedMember } from "../events/replay.js";
import type { AliveModel } from "../features/alive.js";
import type { FeatureSchema } from "../features/feature-schema.js";
import { daysSinceLastOrder } from "../features/member-history.js";
import { silenceThresholds } from "../features/stage.js";
import { EMPTY_STATE, type FeatureState, fold } from "../features/state.js";
import type { Profile } from "../members/profile.js";
import { hash32 } from "../redis/keys.js";
import { hydrateContext } from "../scoring/hydrate-context.js";
import { type Slices, sliceSnapshots } from "./slices.js";
import { DAY_MS, fitAliveAsOf, inTime, isOrder, type Survey } from "./survey.js";

/** Outputs of the fused graph, in order. */
export const HEAD_NAMES = ["purchase", "purchase7", "churn"] as const;
export type HeadName = (typeof HEAD_NAMES)[number];

export interface DatasetOptions {
  /** Days between snapshots. Default 15: half of the purchase horizon. */
  readonly stepDays?: number;
  readonly snapshotsMax?: number;
  /** Rows at most; members are sampled where there would be more. Default 300,000. */
  readonly rowsMax?: number;
  readonly seed?: number;
}

export interface HeadLabels {
  /** 0 or 1, one a row. */
  readonly labels: Float32Array;
  /** 1 where the label is defined and known; 0 leaves the row out for this head. */
  readonly weights: Uint8Array;
  readonly slices: Slices;
  /** Days after the snapshot the label looks at, at most. */
  readonly horizonDays: number;
}

export interface Dataset {
  readonly names: readonly string[];
  readonly rowCount: number;
  /** Row-major, `rowCount × names.length`, NaN where a value is missing. */
  readonly rows: Float32Array;
  /** hash32 of the member's id: rows of one member are drawn together. */
  readonly member: Uint32Array;
  /** Index into `snapshots`. */
  readonly snapshot: Uint8Array;
  /** Epoch milliseconds, ascending. */
  readonly snapshots: readonly number[];
  readonly heads: Readonly<Record<HeadName, HeadLabels>>;
}

export interface DatasetDeps {
  readonly schema: FeatureSchema;
  readonly stages: StagesConfig;
  /** The shop's own zone, for members without one. */
  readonly timezone: string;
}

const ROWS_MAX = 300_000;
/** Orders a log needs before anything is learnt from it. */
export const ORDERS_MIN = 300;
/** A snapshot closer to the beginning has next to no past to see. */
const WARM_UP_DAYS = 14;
/** Churn looks no further than this; shorter where the log leaves no room for later slices. */
const CHURN_HORIZONS: readonly { days: number; trainMin: number }[] = [
  { days: 90, trainMin: 8 },
  { days: 60, trainMin: 4 },
  { days: 30, trainMin: 1 },
];
/** Parameters of P(alive) move slowly: fits, each used for the snapshots after its instant. */
const ALIVE_FITS = 6;
const ALIVE_CUSTOMERS = 4_000;

export interface Plan {
  readonly snapshots: readonly number[];
  /** One a snapshot, fitted before it. */
  readonly alive: readonly (AliveModel | null)[];
  readonly end: number;
  readonly heads: Readonly<Record<HeadName, { horizonDays: number; slices: Slices }>>;
}

/** @throws CuecardError `not_enough_data`, saying what is short. */
export function planSnapshots(survey: Survey, options: DatasetOptions = {}): Plan {
  const { from, to, orderCount } = survey;
  if (orderCount < ORDERS_MIN) {
    throw new CuecardError(
      "not_enough_data",
      `${orderCount} orders; at least ${ORDERS_MIN} needed`,
    );
  }
  const stepMs = (options.stepDays ?? 15) * DAY_MS;
  const snapshots: number[] = [];
  for (let at = to - 30 * DAY_MS; at >= from + WARM_UP_DAYS * DAY_MS; at -= stepMs) {
    if (snapshots.length === (options.snapshotsMax ?? 24)) break;
    snapshots.unshift(at);
  }
  const heads = {
    purchase: planHead(snapshots, to, 30),
    purchase7: planHead(snapshots, to, 7),
    churn: planChurn(snapshots, to),
  };
  const { purchase, purchase7, churn } = heads;
  if (purchase === null || purchase7 === null || churn === null) {
    const days = Math.floor((to - from) / DAY_MS);
    throw new CuecardError("not_enough_data", `orders over ${days} days; about 120 are needed`);
  }
  const alive = fitAliveAlong(survey, snapshots);
  return { snapshots, alive, end: to, heads: { purchase, purchase7, churn } };
}

type HeadPlan = { horizonDays: number; slices: Slices } | null;

function planHead(
  snapshots: readonly number[],
  end: number,
  horizonDays: number,
  trainMin = 1,
): HeadPlan {
  const slices = sliceSnapshots(snapshots, end, horizonDays * DAY_MS, { together: true, trainMin });
  return slices && { horizonDays, slices };
}

function planChurn(snapshots: readonly number[], end: number): HeadPlan {
  for (const { days, trainMin } of CHURN_HORIZONS) {
    const plan = planHead(snapshots, end, days, trainMin);
    if (plan !== null) return plan;
  }
  return null;
}

function fitAliveAlong(survey: Survey, snapshots: readonly number[]): (AliveModel | null)[] {
  const every = Math.ceil(snapshots.length / ALIVE_FITS);
  let model: AliveModel | null = null;
  return snapshots.map((at, index) => {
    if (index % every === 0) model = fitAliveAsOf(survey, at, ALIVE_CUSTOMERS);
    return model;
  });
}

/** Second pass, alone. @throws CuecardError `not_enough_data` */
export async function buildDataset(
  replay: AsyncIterable<ReplayedMember>,
  survey: Survey,
  deps: DatasetDeps,
  options: DatasetOptions = {},
): Promise<Dataset> {
  const builder = new DatasetBuilder(survey, planSnapshots(survey, options), deps, options);
  for await (const member of replay) builder.add(member);
  return builder.finish();
}

/** Takes members one after another; memory is bounded by `rowsMax`. */
export class DatasetBuilder {
  readonly #rows: Rows;
  readonly #share: number;
  readonly #seed: number;

  constructor(survey: Survey, plan: Plan, deps: DatasetDeps, options: DatasetOptions = {}) {
    const bound = Math.max(1, survey.memberCount * plan.snapshots.length);
    this.#share = Math.min(1, (options.rowsMax ?? ROWS_MAX) / bound);
    this.#seed = options.seed ?? 0;
    this.#rows = new Rows(plan, deps, Math.ceil(bound * this.#share * 1.1) + plan.snapshots.length);
  }

  add(member: ReplayedMember): void {
    if (hash32(member.id, this.#seed) / 2 ** 32 < this.#share) this.#rows.addMember(member);
  }

  finish(): Dataset {
    return this.#rows.finish();
  }
}

class Rows {
  readonly #plan: Plan;
  readonly #deps: DatasetDeps;
  readonly #values: Float32Array;
  readonly #member: Uint32Array;
  readonly #snapshot: Uint8Array;
  readonly #labels: Record<HeadName, { labels: Float32Array; weights: Uint8Array }>;
  readonly #capacity: number;
  #count = 0;

  constructor(plan: Plan, deps: DatasetDeps, capacity: number) {
    this.#plan = plan;
    this.#deps = deps;
    this.#capacity = capacity;
    this.#values = new Float32Array(capacity * deps.schema.length);
    this.#member = new Uint32Array(capacity);
    this.#snapshot = new Uint8Array(capacity);
    const empty = () => ({
      labels: new Float32Array(capacity),
      weights: new Uint8Array(capacity),
    });
    this.#labels = { purchase: empty(), purchase7: empty(), churn: empty() };
  }

  addMember(member: ReplayedMember): void {
    const { snapshots } = this.#plan;
    const memberHash = hash32(member.id);
    const orderTimes = inTime(member)
      .filter(isOrder)
      .map(({ at }) => at);
    for (const { snapshot, state, profile } of statesAt(member, snapshots)) {
      // The sample may come out a little larger than planned.
      if (this.#count === this.#capacity) return;
      const row = this.#count++;
      this.#member[row] = memberHash;
      this.#snapshot[row] = snapshot;
      const { schema, timezone } = this.#deps;
      const now = snapshots[snapshot];
      const context = hydrateContext(profile, now, this.#plan.alive[snapshot], timezone);
      schema.hydrate(state, context, this.#values, row * schema.length);
      this.#label(row, now, state, orderTimes);
    }
  }

  #label(row: number, now: number, state: FeatureState, orderTimes: readonly number[]): void {
    const next = orderTimes.find((at) => at > now) ?? Number.POSITIVE_INFINITY;
    const { heads, end } = this.#plan;
    for (const name of ["purchase", "purchase7"] as const) {
      const horizonMs = heads[name].horizonDays * DAY_MS;
      this.#labels[name].labels[row] = next <= now + horizonMs ? 1 : 0;
      this.#labels[name].weights[row] = now + horizonMs <= end ? 1 : 0;
    }
    const { dormantDays } = silenceThresholds(state, this.#deps.stages);
    const limitDays = heads.churn.horizonDays;
    const active = daysSinceLastOrder(state, now) < dormantDays;
    const horizonMs = Math.min(dormantDays, limitDays) * DAY_MS;
    this.#labels.churn.labels[row] = next <= now + horizonMs ? 0 : 1;
    // Known for all members of a snapshot or for none: whoever bought in time would else be favoured.
    this.#labels.churn.weights[row] = active && now + limitDays * DAY_MS <= end ? 1 : 0;
  }

  finish(): Dataset {
    const { schema } = this.#deps;
    const rowCount = this.#count;
    const head = (name: HeadName): HeadLabels => ({
      labels: this.#labels[name].labels.subarray(0, rowCount),
      weights: this.#labels[name].weights.subarray(0, rowCount),
      ...this.#plan.heads[name],
    });
    return {
      names: schema.names,
      rowCount,
      rows: this.#values.subarray(0, rowCount * schema.length),
      member: this.#member.subarray(0, rowCount),
      snapshot: this.#snapshot.subarray(0, rowCount),
      snapshots: this.#plan.snapshots,
      heads: { purchase: head("purchase"), purchase7: head("purchase7"), churn: head("churn") },
    };
  }
}

export interface StateAt {
  /** Index into the instants asked for. */
  readonly snapshot: number;
  readonly state: FeatureState;
  readonly profile: Profile | null;
}

/** A member's state at each instant (ascending) at which anything was known of them. */
export function* statesAt(member: ReplayedMember, instants: readonly number[]): Generator<StateAt> {
  const events: MemberEvent[] = inTime(member);
  let state = EMPTY_STATE;
  let next = 0;
  for (let snapshot = 0; snapshot < instants.length; snapshot++) {
    while (next < events.length && events[next].at <= instants[snapshot]) {
      state = fold(state, events[next++]);
    }
    if (next === 0) continue;
    yield { snapshot, state, profile: profileAt(member, instants[snapshot]) };
  }
}

/** The member's own latest profile; before a merge, what was merged in later was not yet theirs. */
function profileAt({ id, profiles }: ReplayedMember, instant: number): Profile | null {
  let latest: ReplayedMember["profiles"][number] | undefined;
  for (const entry of profiles) {
    if (entry.subject !== id || entry.at > instant) continue;
    if (latest === undefined || entry.at >= latest.at) latest = entry;
  }
  return latest?.profile ?? null;
}
