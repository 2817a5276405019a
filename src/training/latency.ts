/** How much slower one model answers than another, measured side by side. */
import { performance } from "node:perf_hooks";
import { fasterOf } from "../scoring/faster-scorer.js";
import { loadOnnxScorer } from "../scoring/onnx-scorer.js";
import type { Scorer, Scores } from "../scoring/scorer.js";

export interface Latency {
  /** Microseconds of a run. */
  readonly challengerUs: number;
  readonly championUs: number;
}

/** What a model is asked in one go: a member's row, or those of all candidates. */
export interface ScoreRequest {
  readonly rows: Float32Array;
  readonly rowCount: number;
}

export interface LatencyOptions {
  /** Turns of each. Default 40. */
  readonly turns?: number;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

const RUNS_A_TURN = 10;

/** A graph as a server would run it. @throws CuecardError `model_invalid` */
export const servedScorer = async (bytes: Uint8Array): Promise<Scorer> =>
  fasterOf(bytes, await loadOnnxScorer(bytes));

/**
 * Both answer the same requests, turn about. What counts of each is its quickest turn: whatever else
 * the machine does only ever adds time. Requests should differ: the same row over and over flatters
 * trees.
 */
export async function measureLatency(
  challenger: Scorer,
  champion: Scorer,
  requests: readonly ScoreRequest[],
  { turns = 40, now = () => performance.now() }: LatencyOptions = {},
): Promise<Latency> {
  const turn = async (scorer: Scorer, at: number): Promise<number> => {
    const begin = now();
    for (let run = 0; run < RUNS_A_TURN; run++) {
      const { rows, rowCount } = requests[(at * RUNS_A_TURN + run) % requests.length];
      await scorer.run(rows, rowCount);
    }
    return ((now() - begin) * 1000) / RUNS_A_TURN;
  };
  let [challengerUs, championUs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let at = 0; at < turns; at++) {
    challengerUs = Math.min(challengerUs, await turn(challenger, at));
    championUs = Math.min(championUs, await turn(champion, at));
  }
  return { challengerUs, championUs };
}

/** The same scorer, which keeps copies of the first requests it is asked. */
export function recording(scorer: Scorer, requests: ScoreRequest[], most = 200): Scorer {
  return {
    ...scorer,
    run(rows: Float32Array, rowCount: number): Promise<Scores> {
      if (requests.length < most) {
        requests.push({ rows: rows.slice(0, rowCount * scorer.featureCount), rowCount });
      }
      return scorer.run(rows, rowCount);
    },
  };
}
