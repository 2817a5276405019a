/**
 * Which past instants a model learns from, and which it is calibrated, judged and reported on. Between
 * two slices lies at least the label's horizon, so that no purchase is a label in both: a member
 * remembered from one slice would otherwise flatter the next.
 */

/** Indices into the snapshots, ascending in time: train, then calibrate, promote, report. */
export interface Slices {
  readonly train: readonly number[];
  readonly calibrate: number;
  readonly promote: number;
  readonly report: number;
  /** The log was too short for a slice of its own: promotion is judged on the report's. */
  readonly shared: boolean;
}

export interface SliceOptions {
  /** Promotion is judged on the report's slice. */
  readonly shared?: boolean;
  /**
   * Calibration and promotion take the same instant, of which each is given members of its own: the
   * model is nearer to the present by a horizon, and so is the level it is calibrated to.
   */
  readonly together?: boolean;
  /** Snapshots to learn from at least. Default 1. */
  readonly trainMin?: number;
}

/**
 * `snapshots`: epoch milliseconds, ascending; `end`: what is known of the log. null when not even
 * `trainMin` snapshots are left to learn from.
 */
export function sliceSnapshots(
  snapshots: readonly number[],
  end: number,
  horizonMs: number,
  { shared = false, together = false, trainMin = 1 }: SliceOptions = {},
): Slices | null {
  const lastBefore = (instant: number): number =>
    snapshots.findLastIndex((at) => at + horizonMs <= instant);
  const before = (slice: number): number => (slice < 0 ? -1 : lastBefore(snapshots[slice]));
  const report = lastBefore(end);
  const promote = shared ? report : before(report);
  const calibrate = together ? promote : before(promote);
  const trained = before(calibrate) + 1;
  if (trained < trainMin) return null;
  const train = Array.from({ length: trained }, (_, index) => index);
  return { train, calibrate, promote, report, shared };
}
