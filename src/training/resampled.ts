/**
 * Figures for bootstraps: the scores are ranked once, and a draw of rows (with repeats) costs one pass
 * over the ranking instead of a sort of its own.
 */
import { rankingOf } from "./metrics.js";

type Numbers = ArrayLike<number>;
export type Figure = (rows: readonly number[]) => number;

/** How often each row was drawn; the array is used again by the next draw. */
function counter(rowCount: number): (rows: readonly number[]) => Uint32Array {
  const counts = new Uint32Array(rowCount);
  return (rows) => {
    counts.fill(0);
    for (let i = 0; i < rows.length; i++) counts[rows[i]]++;
    return counts;
  };
}

/** Equal to `auc` over the drawn rows, ties counting half. */
export function aucOver(scores: Numbers, labels: Numbers): Figure {
  const order = rankingOf(scores);
  const countOf = counter(scores.length);
  return (rows) => {
    const counts = countOf(rows);
    let positivesAbove = 0;
    let negatives = 0;
    let won = 0;
    for (let from = 0; from < order.length; ) {
      let tiedPositives = 0;
      let tiedNegatives = 0;
      let to = from;
      for (; to < order.length && scores[order[to]] === scores[order[from]]; to++) {
        const row = order[to];
        if (labels[row] === 1) tiedPositives += counts[row];
        else tiedNegatives += counts[row];
      }
      won += tiedNegatives * (positivesAbove + tiedPositives / 2);
      positivesAbove += tiedPositives;
      negatives += tiedNegatives;
      from = to;
    }
    return won / (positivesAbove * negatives);
  };
}

/** Equal to `prAuc` over the drawn rows. */
export function prAucOver(scores: Numbers, labels: Numbers): Figure {
  const order = rankingOf(scores);
  const countOf = counter(scores.length);
  return (rows) => {
    const counts = countOf(rows);
    let seen = 0;
    let found = 0;
    let area = 0;
    for (let from = 0; from < order.length; ) {
      let tiedPositives = 0;
      let to = from;
      for (; to < order.length && scores[order[to]] === scores[order[from]]; to++) {
        const row = order[to];
        seen += counts[row];
        if (labels[row] === 1) tiedPositives += counts[row];
      }
      found += tiedPositives;
      if (tiedPositives > 0) area += tiedPositives * (found / seen);
      from = to;
    }
    return area / found;
  };
}

/** The mean of one value a row over the drawn rows. */
export function meanOver(values: Numbers): Figure {
  return (rows) => {
    let sum = 0;
    for (let i = 0; i < rows.length; i++) sum += values[rows[i]];
    return sum / rows.length;
  };
}

/** Equal to `expectedCalibrationError` over the drawn rows: ten bins of equally many. */
export function calibrationErrorOver(probabilities: Numbers, labels: Numbers): Figure {
  const order = rankingOf(probabilities).reverse();
  const countOf = counter(probabilities.length);
  return (rows) => {
    const counts = countOf(rows);
    let error = 0;
    let bin = 0;
    let at = 0;
    let difference = 0;
    for (const row of order) {
      for (let left = counts[row]; left > 0; ) {
        const edge = Math.floor((rows.length * (bin + 1)) / 10);
        const taken = Math.min(left, edge - at);
        difference += taken * (probabilities[row] - labels[row]);
        at += taken;
        left -= taken;
        if (at < edge) continue;
        error += Math.abs(difference);
        difference = 0;
        bin++;
      }
    }
    return error / rows.length;
  };
}
