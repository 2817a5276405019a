/** A store of members with all kinds of histories, a model over the real features, and the job over both. */
import { loadConfig } from "../../../src/config.js";
import { HEADS } from "../../../src/decision/member-scores.js";
import { createFeatureSchema } from "../../../src/features/feature-schema.js";
import { EMPTY_STATE, encodeState, fold } from "../../../src/features/state.js";
import type { JobContext, JobResult } from "../../../src/jobs/job.js";
import {
  type RankingModel,
  type ScoreEveryoneDeps,
  scoreEveryone,
} from "../../../src/jobs/score-everyone.js";
import type { RedisClient } from "../../../src/redis/clients.js";
import { memberKey } from "../../../src/redis/keys.js";
import { loadOnnxScorer } from "../../../src/scoring/onnx-scorer.js";
import { fuseHeads, type Head } from "../../../src/training/onnx.js";
import { anEvent, aPurchase, daysAgo, NOW } from "../../support/builders.js";
import { silentLogger } from "../../support/redis.js";

export const ALIVE = { r: 0.9, alpha: 40, a: 0.4, b: 2.5 };
export const config = loadConfig({});
export const schema = createFeatureSchema(config.attributes);

/** Trees of one split each, over several features: many distinct scores, the same every time. */
function aHead(name: string, seed: number): Head {
  const features = ["days_since_order", "order_count", "alive", "evening_share", "orders_per_year"];
  const trees = Array.from({ length: 60 }, (_, i) => {
    const feature = schema.names.indexOf(features[i % features.length]!);
    const leaf = 0.02 + ((i * 37 + seed * 11) % 23) / 200;
    const threshold = i % features.length === 0 ? 3 * i : ((i * 13 + seed) % 40) / 20;
    return {
      left: Int32Array.of(1, -1, -1),
      right: Int32Array.of(2, -1, -1),
      feature: Int32Array.of(feature, 0, 0),
      value: Float32Array.of(threshold, seed % 2 === 0 ? leaf : -leaf, -leaf / 3),
      defaultLeft: Uint8Array.of(i % 2, 0, 0),
      cover: Float32Array.of(2, 1, 1),
    };
  });
  const model = {
    objective: "binary:logistic",
    baseMargin: 0,
    featureCount: schema.length,
    trees,
  };
  return { name, model, calibration: { slope: 1, intercept: 0 } };
}

export async function aRankingModel(
  version = "v1",
  outputs: readonly string[] = HEADS,
): Promise<RankingModel> {
  const heads = outputs.map((name, i) => aHead(name, i + 1));
  const scorer = await loadOnnxScorer(fuseHeads(heads, schema.length));
  return { scorer, outputs, version, alive: ALIVE, aliveVersion: "a1" };
}

export const idOf = (i: number): string => `会员 {${i % 7}} ${i}`;

/** Writes member `i`: every fifth has no order, every third no profile, the others a zone of their own. */
export async function writeMember(client: RedisClient, i: number): Promise<void> {
  const orders = i % 5 === 0 ? 0 : 1 + (i % 6);
  const events = Array.from({ length: orders }, (_, k) => aPurchase(1 + (i % 90) + 20 * k));
  events.push(anEvent({ type: "view", at: daysAgo((i % 24) / 24), id: `view ${i}` }));
  const state = encodeState(events.reduce(fold, EMPTY_STATE));
  const timezone = i % 2 === 0 ? "America/New_York" : "Europe/Paris";
  const profile = { id: idOf(i), createdAt: 0, updatedAt: 0, timezone };
  const known = i % 3 === 0 ? [] : ["p", JSON.stringify(profile)];
  await client.hset(memberKey(idOf(i)), "v", 1, "s", state, ...known);
}

export const writeMembers = (client: RedisClient, count: number): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, i) => writeMember(client, i)));

export interface Scoring extends Partial<ScoreEveryoneDeps>, Partial<JobContext> {
  readonly client: RedisClient;
}

/** One run of the job at NOW. */
export function scoreAll(over: Scoring): Promise<JobResult> {
  const job = scoreEveryone({
    schema,
    timezone: config.timezone,
    openModel: () => aRankingModel(),
    now: () => NOW,
    ...over,
  });
  return job({
    jobId: "score-1",
    input: {},
    signal: new AbortController().signal,
    token: 1,
    logger: silentLogger,
    progress: () => undefined,
    fence: async () => undefined,
    ...over,
  });
}
