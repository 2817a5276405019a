/**
 * What the HTTP tier asks of the rest, as types only. The composition root supplies it.
 * Every method may throw a CuecardError (unknown ids, `store_unavailable`, …); other errors become
 * an opaque 500. Ids arrive decoded and validated, inputs arrive validated unless said otherwise.
 */

import type { CouponReport } from "../catalog/coupon-ledger.js";
import type { Experiment, ExperimentInput } from "../catalog/experiment.js";
import type { Coupon, CouponInput, Product, ProductInput } from "../catalog/records.js";
import type {
  RecommendationRequest,
  RecommendationResponse,
  ScoresRequest,
  ScoresResponse,
  STAGES,
} from "../decision/answer.js";
import type { DecisionRecord } from "../decision/record.js";
import type { Replayed } from "../decision/replay.js";
import type { Responded, ResponseInput } from "../decision/respond.js";
import type { ProductFate } from "../decision/why-not.js";
import type { ErrorCode } from "../errors.js";
import type { RankRequest, RankResponse } from "../leads/rank-answer.js";
import type { MemberInput, Profile } from "../members/profile.js";
import type { SuppressionKind } from "../members/suppression-identity.js";
import type { SuppressionReason } from "../members/suppressions.js";
import type { ApiKeyRecord, Scope } from "../redis/api-keys.js";
import type { ExperimentReport } from "../reports/experiment-report.js";
import type { TextAnswer } from "./route.js";

/** Who asks. `name` is the key's name, for records of who did what; never the key itself. */
export interface Caller {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

type Stage = (typeof STAGES)[number];

export interface Page<T> {
  items: T[];
  /** Opaque; null on the last page. */
  nextCursor: string | null;
}

export interface PageRequest {
  /** 1 … 200. */
  limit: number;
  cursor?: string;
}

/** Why one entry of a batch was refused. */
export interface Refusal {
  code: ErrorCode;
  detail: string;
}

export interface IngestResult {
  accepted: number;
  duplicates: number;
  rejected: (Refusal & { index: number })[];
}

export interface Erasure {
  id: string;
  /** Epoch milliseconds: from here on no read finds the member. */
  erasedAt: number;
  /** Epoch milliseconds by which the bytes are gone from log and archive. */
  completeBy: number;
}

export interface TimelineEntry {
  kind: string;
  /** Epoch milliseconds. */
  at: number;
  id?: string;
  type?: string;
  [field: string]: unknown;
}

/** The stage of GET is derived at the time of asking. */
export type MemberRecord = Profile & { stage?: Stage | null };

/** Everything kept about one member, for the member: profile, events, decisions, contacts. */
export interface MemberExport {
  member: Profile;
  events: unknown[];
  [part: string]: unknown;
}

export interface MemberService {
  /** Replaces the record (creates it when unknown). */
  put(id: string, input: MemberInput): Promise<MemberRecord>;
  get(id: string): Promise<MemberRecord>;
  /** Changes only the fields given; attributes are merged name by name. */
  patch(id: string, input: MemberInput): Promise<MemberRecord>;
  erase(id: string): Promise<Erasure>;
  list(page: PageRequest & { stage?: Stage }): Promise<Page<MemberRecord>>;
  /** Moves `from` into `id`; `from` leads to `id` from then on. */
  merge(id: string, from: string): Promise<MemberRecord>;
  unmerge(id: string, from: string): Promise<MemberRecord>;
  /** Latest first. */
  timeline(id: string, page: PageRequest): Promise<Page<TimelineEntry>>;
  export(id: string): Promise<MemberExport>;
}

/** Records of one kind; `put` replaces. */
export interface RecordService<Input, Kept> {
  put(id: string, input: Input): Promise<Kept>;
  get(id: string): Promise<Kept>;
  delete(id: string): Promise<void>;
  list(page: PageRequest): Promise<Page<Kept>>;
}

export interface ProductService extends RecordService<ProductInput, Product> {
  /** One result per product, in order: undefined when it was written. At most 500 at once. */
  putMany(products: (ProductInput & { id: string })[]): Promise<(Refusal | undefined)[]>;
}

export interface CouponService extends RecordService<CouponInput, Coupon> {
  /** How much of it is gone, and a page of who received it. */
  report(id: string, page: PageRequest): Promise<CouponReport>;
}
export type ExperimentService = RecordService<ExperimentInput, Experiment>;

export interface SuppressionEntry {
  /** Keyed hash of the identity: whom it names cannot be told from it. */
  hash: string;
  kind: SuppressionKind;
  reason: SuppressionReason;
  source: string;
  /** Epoch milliseconds. */
  at: number;
}

/** `identity` as it was asked for, in its one spelling. */
export type SuppressionAnswer = SuppressionEntry & { identity: string };

export interface SuppressionService {
  put(
    identity: string,
    input: { source: string; reason?: "do_not_contact" | "opt_out" },
  ): Promise<SuppressionAnswer>;
  get(identity: string): Promise<SuppressionAnswer>;
  /** `source`: who lets it in again. */
  delete(identity: string, source: string): Promise<void>;
  list(page: PageRequest): Promise<Page<SuppressionEntry>>;
}

/** A decision's record as GET answers it. */
export type DecisionAnswer = Omit<DecisionRecord, "held"> & {
  held: { product: string; price: number; coupon: string | null }[];
  fate?: ProductFate;
};

export interface DecisionService {
  /** `product`: also why it was not shown. */
  get(id: string, product: string | undefined): Promise<DecisionAnswer>;
  replay(id: string): Promise<Replayed>;
}

export interface ResponseService {
  /** `phone` in any notation. */
  respond(input: Omit<ResponseInput, "key">): Promise<Responded>;
}

export interface LeadService {
  /** Who to contact first; a preview. */
  rank(request: RankRequest): Promise<RankResponse>;
}

export interface ReportService {
  /** Times in epoch milliseconds; absent: those of the experiment. Takes up to minutes. */
  experiments(query: {
    experiment: string;
    from?: number | undefined;
    until?: number | undefined;
  }): Promise<ExperimentReport>;
}

export interface ModelSummary {
  /** `heads`, `ranker`, … */
  name: string;
  /** null: rules serve, nothing is trained yet. */
  version: string | null;
  /** Epoch milliseconds. */
  trainedAt: number | null;
  [field: string]: unknown;
}

export interface ModelService {
  list(): Promise<ModelSummary[]>;
  /** The held-out report of the version that serves. */
  report(name: string): Promise<Record<string, unknown>>;
  /** Enqueues training and answers the job's id. */
  train(name: string): Promise<string>;
  /** Makes a version serve (default: the latest challenger). */
  promote(name: string, version?: string): Promise<ModelSummary>;
  /** Back to the version that served before. */
  rollback(name: string): Promise<ModelSummary>;
}

export interface JobSummary {
  id: string;
  name: string;
  state: "waiting" | "delayed" | "active" | "completed" | "failed";
  /** 0 … 1. */
  progress: number;
  /** What it is doing now, in words. */
  step: string;
  /** Begun so far, also those ended by a crash. */
  attempts: number;
  /** Epoch milliseconds. */
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  /** One line about a failure, without personal data. */
  failure: string | null;
  /** A few figures about what was done; null before the end. */
  result: Record<string, unknown> | null;
}

export interface JobService {
  list(page: PageRequest): Promise<Page<JobSummary>>;
  cancel(id: string): Promise<void>;
  /** Enqueues the job now and answers its id; `job_unknown` for a name that is none. */
  start(name: string): Promise<string>;
}

export interface KeyService {
  /** The only time the key itself is shown. */
  create(input: { name: string; scopes: Scope[] }): Promise<{ key: string; record: ApiKeyRecord }>;
  list(): Promise<ApiKeyRecord[]>;
  revoke(id: string): Promise<void>;
}

export interface Readiness {
  /** false only while starting or stopping; a store out of reach does not make it false. */
  ready: boolean;
  store: "up" | "down";
  [part: string]: unknown;
}

export interface Services {
  recommend(request: RecommendationRequest, caller: Caller): Promise<RecommendationResponse>;
  score(request: ScoresRequest): Promise<ScoresResponse>;
  /** The card of a call, in the format asked; `fields` is whatever came. Never rejects. */
  pop(fields: Readonly<Record<string, unknown>>): Promise<TextAnswer>;
  /** The card of somebody nobody knows, at once. */
  popFallback(fields: Readonly<Record<string, unknown>>): TextAnswer;
  /** What came of a call, in a few words; `fields` is whatever came. Never rejects. */
  disposition(fields: Readonly<Record<string, unknown>>): Promise<TextAnswer>;
  /** Said where a disposition could not even be read. */
  dispositionFallback(): TextAnswer;
  /** `events` are as they came, at most 1,000; each is validated and answered by itself. */
  ingestEvents(events: readonly unknown[], caller: Caller): Promise<IngestResult>;
  readonly leads: LeadService;
  readonly members: MemberService;
  readonly products: ProductService;
  readonly coupons: CouponService;
  readonly experiments: ExperimentService;
  readonly suppressions: SuppressionService;
  readonly decisions: DecisionService;
  readonly responses: ResponseService;
  readonly reports: ReportService;
  readonly models: ModelService;
  readonly jobs: JobService;
  readonly keys: KeyService;
  readonly health: { ready(): Promise<Readiness> };
  /** Prometheus text of all processes together. */
  metricsText(): Promise<string>;
}
