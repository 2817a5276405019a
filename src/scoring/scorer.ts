/** What serving knows of a model: rows in, margins and probabilities out. */

export interface Scores {
  /** Raw margins, `rowCount × width`, row-major: the order to rank by. */
  readonly margins: Float32Array;
  /** Calibrated, `rowCount × width`; absent for a ranker. */
  readonly probabilities?: Float32Array;
}

export interface Scorer {
  /** Columns of a row. */
  readonly featureCount: number;
  /** Columns of each output: one a head. */
  readonly width: number;
  /** Names of the graph's outputs: `margins`, and `probabilities` where there are any. */
  readonly outputs: readonly string[];
  /**
   * Scores `rowCount` rows of `featureCount` float32 each, NaN where a value is missing. `rows` may
   * be longer than that (a reused buffer); it must not change until the promise settles.
   */
  run(rows: Float32Array, rowCount: number): Promise<Scores>;
  /** Frees the native memory. Nobody may be inside `run`. A second call does nothing. */
  release(): Promise<void>;
}
