/** What a run of a bench can be told on the command line. */
export interface BenchOptions {
  /** Alternating rounds per measurement; medians are reported. */
  readonly rounds: number;
  /** Length of one measurement. */
  readonly seconds: number;
  /** Of the closed loop. */
  readonly connections: number;
  /** Members of the demo world. */
  readonly members: number;
  readonly seed: number;
  /** quality: ids of data sets, separated by commas; empty: all of them. */
  readonly only: string;
}
