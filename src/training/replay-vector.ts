/**
 * The vector a decision was made on, computed again from the log: in the order things were written, up
 * to the id recorded with the decision. What was logged and what replays must agree, or training
 * learns from something serving never saw.
 */
import type { LogReader } from "../events/log-reader.js";
import { byTimeWritten, replayMembers } from "../events/replay.js";
import type { AliveModel } from "../features/alive.js";
import type { FeatureSchema } from "../features/feature-schema.js";
import { EMPTY_STATE, fold } from "../features/state.js";
import { hydrateContext } from "../scoring/hydrate-context.js";

/** Where in the log serving stood: the last record it had seen of the member. */
export interface LogPosition {
  readonly partition: number;
  readonly logId: string;
}

export interface VectorQuestion extends LogPosition {
  readonly member: string;
  /** Epoch milliseconds: the instant of the decision. */
  readonly now: number;
  /** P(alive) parameters that served then. */
  readonly alive: AliveModel | null;
}

export interface VectorDeps {
  readonly reader: LogReader;
  readonly schema: FeatureSchema;
  /** The shop's own zone. */
  readonly timezone: string;
}

/** null: the log up to there knows nothing of the member. */
export async function replayVector(
  { reader, schema, timezone }: VectorDeps,
  { member, now, alive, ...position }: VectorQuestion,
): Promise<Float32Array | null> {
  const until = writtenUpTo(reader, position);
  for await (const { id, events, profiles } of replayMembers(until, { members: [member] })) {
    if (id !== member) continue;
    const state = events.reduce((before, { event }) => fold(before, event), EMPTY_STATE);
    const profile = profiles.findLast(({ subject }) => subject === id)?.profile ?? null;
    const vector = new Float32Array(schema.length);
    schema.hydrate(state, hydrateContext(profile, now, alive, timezone), vector);
    return vector;
  }
  return null;
}

/** The log as it was when the record at `position` was its newest. */
const writtenUpTo = (reader: LogReader, position: LogPosition): LogReader => ({
  ...reader,
  async *read(options) {
    for await (const entry of reader.read(options)) {
      if (byTimeWritten(entry, { ...entry, ...position }) <= 0) yield entry;
    }
  },
});

/** Largest difference, relative from 1 on; infinite where a value is missing in one of them only. */
export function vectorDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) {
    if (Number.isNaN(a[i]) && Number.isNaN(b[i])) continue;
    const difference = Math.abs(a[i] - b[i]) / Math.max(1, Math.abs(b[i]));
    most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }
  return most;
}
