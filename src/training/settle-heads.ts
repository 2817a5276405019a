/**
 * From freshly trained heads to the model that is published: each head beside the champion's on the
 * promotion slice, heads that are worse replaced, and the whole not slower than what it replaces.
 */
import { CuecardError } from "../errors.js";
import { type Manifest, manifestFor } from "../scoring/manifest.js";
import type { StoredModel } from "../scoring/model-registry.js";
import { type Dataset, HEAD_NAMES } from "./dataset.js";
import { levelHead } from "./fit-head.js";
import { type HeadScores, measureHeads, scoreSlice } from "./head-figures.js";
import { sliceOf } from "./head-rows.js";
import { type Latency, measureLatency, servedScorer } from "./latency.js";
import { fuseHeads, type Head } from "./onnx.js";
import { readHeads } from "./onnx-read.js";
import {
  type HeadVerdict,
  type JudgedHead,
  judgeHeads,
  latencyFault,
  type Verdict,
} from "./promote.js";
import type { TrainedHeads, TrainedModel } from "./train-heads.js";

export interface Settled {
  readonly model: TrainedModel;
  readonly verdict: Verdict;
}

/** Rows of the promotion slice whose answers are timed. */
const TIMED_ROWS = 200;
const PARITY = 1e-6;

export async function settleHeads(
  trained: TrainedHeads,
  data: Dataset,
  champion: StoredModel | null,
  refresh: boolean,
): Promise<Settled> {
  const judged: JudgedHead[] = [];
  for (const name of HEAD_NAMES) {
    const challenger = await scoreSlice(trained.bytes, data, name, "promote");
    const rival =
      champion === null ? undefined : await scoreSlice(champion.bytes, data, name, "promote");
    const { labels, members } = challenger;
    judged.push({ name, labels, members, challenger, champion: rival });
  }
  const { heads, promoted, reason } = judgeHeads(judged, refresh);
  const replaced = promoted && heads.some(({ serves }) => serves !== "new");
  const model = replaced ? await replaceHeads(trained, heads, judged, data, champion) : trained;
  if (!promoted || champion === null) return { model, verdict: { promoted, reason } };
  const slow = latencyFault(await latencyOf(model.bytes, champion.bytes, data));
  if (slow !== null) return { model: trained, verdict: { promoted: false, reason: slow } };
  return { model, verdict: { promoted, reason } };
}

async function replaceHeads(
  trained: TrainedHeads,
  verdicts: readonly HeadVerdict[],
  judged: readonly JudgedHead[],
  data: Dataset,
  champion: StoredModel | null,
): Promise<TrainedModel> {
  const width = data.names.length;
  const before = champion && readHeads(champion.bytes, champion.manifest.outputs, width);
  const heads = verdicts.map(({ serves }, index): Head => {
    if (serves === "withheld") return levelHead(data, HEAD_NAMES[index]);
    return serves === "champion" ? before![index] : trained.heads[index];
  });
  const bytes = fuseHeads(heads, width);
  const metrics: Manifest["metrics"] = await measureHeads(bytes, data);
  for (const [index, name] of HEAD_NAMES.entries()) {
    const { serves } = verdicts[index];
    if (serves === "new") metrics[name] = { ...trained.manifest.metrics[name], ...metrics[name] };
    if (serves === "withheld") continue;
    const source = serves === "new" ? judged[index].challenger : judged[index].champion!;
    requireSame(name, await scoreSlice(bytes, data, name, "promote"), source.probabilities);
  }
  const { version: _version, sha256: _sha, bytes: _bytes, ...facts } = trained.manifest;
  const notes = verdicts.flatMap(({ name, serves, reason }) =>
    serves === "new"
      ? []
      : [`${name}: ${serves === "champion" ? "the champion's" : "withheld"}, ${reason}`],
  );
  const manifest = manifestFor(bytes, {
    ...facts,
    metrics,
    calibration: Object.fromEntries(heads.map((head) => [head.name, head.calibration])),
    notes: [...(facts.notes ?? []), ...notes],
  });
  return { bytes, manifest };
}

function requireSame(
  name: string,
  { probabilities }: HeadScores,
  expected: ArrayLike<number>,
): void {
  const strange = probabilities.findIndex(
    (value, row) => !(Math.abs(value - expected[row]) <= PARITY),
  );
  if (strange === -1) return;
  throw new CuecardError(
    "model_invalid",
    `${name} answers ${probabilities[strange]} beside other heads, ${expected[strange]} before`,
  );
}

/** As serving asks: one member at a time. */
async function latencyOf(
  challenger: Uint8Array,
  champion: Uint8Array,
  data: Dataset,
): Promise<Latency> {
  const { rows, rowCount } = sliceOf(data, "purchase", "promote");
  const width = data.names.length;
  const requests = Array.from({ length: Math.min(TIMED_ROWS, rowCount) }, (_, row) => ({
    rows: rows.subarray(row * width, (row + 1) * width),
    rowCount: 1,
  }));
  const scorers = [await servedScorer(challenger), await servedScorer(champion)];
  try {
    return await measureLatency(scorers[0], scorers[1], requests);
  } finally {
    for (const scorer of scorers) await scorer.release();
  }
}
