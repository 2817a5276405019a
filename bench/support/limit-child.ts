/**
 * The limit: what no server on these parts can beat. A bare node:http handler that parses the same
 * body, does one Redis read of the same size, one ONNX run of each of the same graphs on the same rows,
 * and returns the same number of bytes. No key, no validation, no features, no decision.
 */
import { readFileSync } from "node:fs";
import { connectRedis, whenReady } from "../../src/redis/clients.js";
import { memberKey } from "../../src/redis/keys.js";
import { fasterOf } from "../../src/scoring/faster-scorer.js";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import type { Scorer } from "../../src/scoring/scorer.js";
import { serveBare } from "./bare-server.js";
import { answerCalls, type Child, forkWorkers } from "./child.js";
import { cpuMicroseconds } from "./cpu.js";
import type { Pool } from "./reference-models.js";

export interface LimitStart {
  readonly target: string;
  readonly pool: Pool;
  /** Bytes of an answer, without headers. */
  readonly scoresBytes: number;
  readonly recommendationsBytes: number;
  /** Score with the product's own trees instead of onnxruntime: what is left is the way around. */
  readonly ownTrees: boolean;
  readonly processes: number;
}

type WorkerCalls = {
  start(input: LimitStart): Promise<number>;
  cpu(_: null): Promise<number>;
};
let workers: Child<WorkerCalls>[] = [];

const floats = (path: string): Float32Array => {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
};

async function scorerOf(path: string, ownTrees: boolean): Promise<Scorer> {
  const bytes = readFileSync(path);
  const scorer = await loadOnnxScorer(bytes);
  return ownTrees ? fasterOf(bytes, scorer) : scorer;
}

async function start(input: LimitStart): Promise<number> {
  const { pool, ownTrees, processes } = input;
  if (processes > 1) {
    workers = forkWorkers(processes);
    const each = { ...input, processes: 1 };
    return (await Promise.all(workers.map((worker) => worker.call("start", each))))[0]!;
  }
  const redis = connectRedis(input.target, "serve");
  await whenReady(redis, 10_000);
  const heads = await scorerOf(pool.headsGraph, ownTrees);
  const ranker = await scorerOf(pool.rankerGraph, ownTrees);
  const headRows = floats(pool.headRows);
  const rankerRows = floats(pool.rankerRows);
  const headSize = heads.featureCount;
  const rankerSize = ranker.featureCount * pool.candidates;
  const scoresAnswer = Buffer.alloc(input.scoresBytes, "x");
  const recommendationsAnswer = Buffer.alloc(input.recommendationsBytes, "x");
  let turn = 0;

  const work = async (url: string | undefined, body: Buffer): Promise<Buffer> => {
    const request = JSON.parse(body.toString());
    const isScores = url === "/v1/scores";
    const member: string = isScores ? request.members[0] : request.member;
    await redis.hmgetBuffer(memberKey(member), "v", "s", "p", "r", "x");
    const at = turn++ % pool.size;
    const headRun = heads.run(headRows.subarray(at * headSize, (at + 1) * headSize), 1);
    if (isScores) {
      await headRun;
      return scoresAnswer;
    }
    const rows = rankerRows.subarray(at * rankerSize, (at + 1) * rankerSize);
    await Promise.all([headRun, ranker.run(rows, pool.candidates)]);
    return recommendationsAnswer;
  };
  return serveBare(work);
}

async function cpu(_: null): Promise<number> {
  const others = await Promise.all(workers.map((worker) => worker.call("cpu", null)));
  return others.reduce((sum, one) => sum + one, cpuMicroseconds());
}

const calls = { start, cpu };
export type LimitCalls = typeof calls;
answerCalls(calls);
