/**
 * The reference graphs every run measures with, on both sides: three fused heads and a ranker, 200 trees
 * of depth 6 each, full, with splits that are chance among the values of the bench's own members, so that
 * real rows reach all of every tree. And the pool of rows that the limit draws from.
 */
import { writeFileSync } from "node:fs";
import { CANDIDATE_FEATURES, candidateFeatures } from "../../src/candidates/features.js";
import { generateCandidates } from "../../src/candidates/generate.js";
import type { CandidateRequest } from "../../src/candidates/source.js";
import type { Core } from "../../src/core.js";
import { HEADS } from "../../src/decision/member-scores.js";
import { Random } from "../../src/demo/random.js";
import { schemaHashOf } from "../../src/features/feature-schema.js";
import { historyOf } from "../../src/features/member-history.js";
import { stageOf } from "../../src/features/stage.js";
import { decodeState, type FeatureState } from "../../src/features/state.js";
import type { MemberRecord } from "../../src/members/member-store.js";
import { careCodeOf } from "../../src/policy/guards.js";
import type { Progress } from "../../src/progress.js";
import { hydrateContext } from "../../src/scoring/hydrate-context.js";
import { type Manifest, manifestFor } from "../../src/scoring/manifest.js";
import { fuseHeads, rankerGraph } from "../../src/training/onnx.js";
import type { ParsedModel } from "../../src/training/xgboost-json.js";
import { referenceModel } from "./reference-trees.js";
import type { FilledWorld } from "./reference-world.js";

export const REFERENCE = { trees: 200, depth: 6, candidates: 100 } as const;

/** Members asked for, all with the full number of candidates, and what a model sees of them. */
export interface Pool {
  readonly size: number;
  readonly candidates: number;
  readonly ids: readonly string[];
  /** Paths. Rows: little-endian floats, one member after the other. */
  readonly headsGraph: string;
  readonly rankerGraph: string;
  readonly headRows: string;
  readonly rankerRows: string;
}

export interface Reference {
  readonly pool: Pool;
  /** Tree nodes, for the record. */
  readonly headsNodes: number;
  readonly rankerNodes: number;
}

const POOL_SIZE = 512;

interface Rows {
  readonly ids: string[];
  /** One vector a member of the pool. */
  readonly heads: Float32Array;
  /** One vector of every member with orders: what the splits of the heads come from. */
  readonly grownHeads: Float32Array;
  /** `REFERENCE.candidates` vectors a member. */
  readonly ranker: Float32Array;
  readonly headColumns: number;
}

/** Members with orders and all candidates, in the order of the world, at most POOL_SIZE. */
async function collectRows(core: Core, world: FilledWorld, progress: Progress): Promise<Rows> {
  const { schema, config, store, catalog } = core;
  const columns = CANDIDATE_FEATURES.length;
  const heads = new Float32Array(POOL_SIZE * schema.length);
  const ranker = new Float32Array(POOL_SIZE * REFERENCE.candidates * columns);
  const grownHeads = new Float32Array(world.memberIds.length * schema.length);
  const ids: string[] = [];
  let grown = 0;
  const snapshot = catalog.current();
  for (const id of world.memberIds) {
    const record = await store.read(id);
    const state = decodeState(record.state);
    if (state.orders.count === 0) continue;
    const context = hydrateContext(record.profile, world.now, world.alive, config.timezone);
    schema.hydrate(state, context, grownHeads, grown++ * schema.length);
    if (ids.length === POOL_SIZE || !isOffered(record, state)) continue;
    const request: CandidateRequest = {
      history: historyOf(state, world.now),
      cart: [],
      exclude: new Set(),
      segment: stageOf(state, world.now, config.stages),
    };
    const set = generateCandidates(request, world.artifacts, snapshot, REFERENCE.candidates);
    if (set.count < REFERENCE.candidates) continue;
    const at = ids.length;
    schema.hydrate(state, context, heads, at * schema.length);
    const out = ranker.subarray(at * REFERENCE.candidates * columns);
    candidateFeatures(set, request, world.artifacts, snapshot, out);
    ids.push(id);
    progress.update(grown / world.memberIds.length, "rows of members");
  }
  return {
    ids,
    heads: heads.subarray(0, ids.length * schema.length),
    grownHeads: grownHeads.subarray(0, grown * schema.length),
    ranker: ranker.subarray(0, ids.length * REFERENCE.candidates * columns),
    headColumns: schema.length,
  };
}

/** Others are helped, or offered the same as everyone: another path than the one measured. */
const isOffered = ({ profile }: MemberRecord, state: FeatureState): boolean =>
  careCodeOf(profile, state) === null &&
  profile?.personalization !== "off" &&
  profile?.doNotContact !== true &&
  (profile?.consents ?? []).every(({ status }) => status === "granted");

const nodesOf = (models: readonly ParsedModel[]): number =>
  models.reduce((sum, { trees }) => sum + trees.reduce((n, tree) => n + tree.left.length, 0), 0);

export async function publishReference(
  core: Core,
  world: FilledWorld,
  dir: string,
  seed: number,
  progress: Progress,
): Promise<Reference> {
  const rows = await collectRows(core, world, progress);
  if (rows.ids.length < POOL_SIZE / 2) {
    throw new Error(`only ${rows.ids.length} members have ${REFERENCE.candidates} candidates`);
  }
  const { trees, depth } = REFERENCE;
  const grow = (name: string, grown: Float32Array, columnCount: number): ParsedModel => {
    progress.update(1, `reference trees: ${name}`);
    const random = new Random(`reference ${name} ${seed}`);
    return referenceModel({ rows: grown, columnCount, trees, depth, random });
  };
  const heads = HEADS.map((name) => grow(name, rows.grownHeads, rows.headColumns));
  const ranker = grow("ranker", rows.ranker, CANDIDATE_FEATURES.length);
  const calibration = { slope: 1, intercept: 0 };
  const headsBytes = fuseHeads(
    HEADS.map((name, i) => ({ name, model: heads[i], calibration })),
    rows.headColumns,
  );
  const rankerBytes = rankerGraph(ranker);
  const facts = factsOf(rows, seed);
  await publish(core, "heads", headsBytes, {
    ...facts,
    features: [...core.schema.names],
    schemaHash: core.schema.hash,
    outputs: [...HEADS],
    calibration: Object.fromEntries(HEADS.map((name) => [name, calibration])),
  });
  await publish(core, "ranker", rankerBytes, {
    ...facts,
    features: [...CANDIDATE_FEATURES],
    schemaHash: schemaHashOf(CANDIDATE_FEATURES),
    outputs: ["ranker"],
    calibration: { ranker: { slope: 1, intercept: -2 } },
  });
  const write = (name: string, bytes: Uint8Array): string => {
    writeFileSync(`${dir}/${name}`, bytes);
    return `${dir}/${name}`;
  };
  const bytesOf = (floats: Float32Array) =>
    new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  return {
    pool: {
      size: rows.ids.length,
      candidates: REFERENCE.candidates,
      ids: rows.ids,
      headsGraph: write("heads.onnx", headsBytes),
      rankerGraph: write("ranker.onnx", rankerBytes),
      headRows: write("heads.bin", bytesOf(rows.heads)),
      rankerRows: write("ranker.bin", bytesOf(rows.ranker)),
    },
    headsNodes: nodesOf(heads),
    rankerNodes: nodesOf([ranker]),
  };
}

type Facts = Omit<Manifest, "version" | "sha256" | "bytes">;

const factsOf = ({ ids }: Rows, seed: number) => ({
  createdAt: Date.now(),
  trainedWindow: { from: 0, to: Date.now() },
  rows: ids.length,
  metrics: {},
  libraryVersion: "none",
  threads: 1,
  seed,
});

async function publish(
  { models }: Core,
  name: string,
  bytes: Uint8Array,
  facts: Omit<Facts, "name">,
): Promise<void> {
  const manifest = manifestFor(bytes, { ...facts, name });
  await models.publish(name, bytes, manifest, { alias: "champion" });
}
