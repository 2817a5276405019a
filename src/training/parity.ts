/** The ONNX graph against XGBoost itself, before anything is published. */
import { CuecardError } from "../errors.js";
import { loadOnnxScorer } from "../scoring/onnx-scorer.js";
import { sigmoid } from "./calibrate.js";
import type { Calibration } from "./onnx.js";
import { seededRandom } from "./random.js";
import type { TreeModel, Xgboost } from "./xgboost.js";

export const PARITY_ROWS = 10_000;
const MISSING_SHARE = 0.2;
const PROBABILITY_TOLERANCE = 1e-6;
const MARGIN_TOLERANCE = 1e-5;

export interface ParityHead {
  readonly name: string;
  readonly model: TreeModel;
  /** Absent for a graph without probabilities. */
  readonly calibration?: Calibration;
}

/** Rows drawn from real ones, each value missing with a chance of 20 %. */
export function parityRows(rows: Float32Array, columns: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  const rowCount = rows.length / columns;
  const drawn = new Float32Array(PARITY_ROWS * columns);
  for (let row = 0; row < PARITY_ROWS; row++) {
    const from = Math.floor(random() * rowCount) * columns;
    for (let column = 0; column < columns; column++) {
      drawn[row * columns + column] = random() < MISSING_SHARE ? Number.NaN : rows[from + column];
    }
  }
  return drawn;
}

/**
 * Probabilities within 1e-6, margins within 1e-5·max(1, |margin|).
 * @throws CuecardError `model_invalid`
 */
export async function checkParity(
  graph: Uint8Array,
  heads: readonly ParityHead[],
  xgboost: Xgboost,
  rows: Float32Array,
): Promise<void> {
  const scorer = await loadOnnxScorer(graph);
  try {
    const rowCount = rows.length / scorer.featureCount;
    const scores = await scorer.run(rows, rowCount);
    heads.forEach((head, column) => {
      const reference = xgboost.predictMargins(head.model, rows, rowCount);
      for (let row = 0; row < rowCount; row++) {
        const at = row * scorer.width + column;
        const margin = reference[row];
        const tolerance = MARGIN_TOLERANCE * Math.max(1, Math.abs(margin));
        refuseBeyond(head.name, "margin", scores.margins[at], margin, tolerance);
        if (head.calibration === undefined) continue;
        const probability = sigmoid(head.calibration.slope * margin + head.calibration.intercept);
        const answered = scores.probabilities?.[at] ?? Number.NaN;
        refuseBeyond(head.name, "probability", answered, probability, PROBABILITY_TOLERANCE);
      }
    });
  } finally {
    await scorer.release();
  }
}

function refuseBeyond(
  head: string,
  what: string,
  answered: number,
  expected: number,
  tolerance: number,
): void {
  if (Math.abs(answered - expected) <= tolerance) return;
  throw new CuecardError(
    "model_invalid",
    `the graph's ${what} of ${head} is ${answered}, XGBoost's ${expected}`,
  );
}
