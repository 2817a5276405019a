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
  /** scoring: members in the store in all, most of them copies of those of the demo world. */
  readonly everyone: number;
  readonly seed: number;
  /** import: events in the file. */
  readonly rows: number;
  /** Of the catalog, for `start`. */
  readonly products: number;
  /** Requests a second, for `swap`. */
  readonly rate: number;
  /** For `growth`, ascending: one of both is held at its middle while the other grows. */
  readonly memberSizes: readonly number[];
  readonly productSizes: readonly number[];
  /** guards: decisions. */
  readonly count: number;
  /** quality: ids of data sets, separated by commas; guards: a block. Empty: all of them. */
  readonly only: string;
  /** serve: paths of the Nodes to serve on, and in how many processes. */
  readonly nodes: readonly string[];
  readonly processes: readonly number[];
}
