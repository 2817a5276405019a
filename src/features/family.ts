/**
 * The contract of a feature family: one file holds its layout, lift, merge and hydrate together.
 *
 * `State` values are immutable. `merge` commutes and associates, and `empty` is its identity, so that
 * arrival order does not matter and merging two members is exact (f64 sums: within 1e-9 relative).
 */
import type { MemberEvent } from "../events/event.js";
import type { Profile } from "../members/profile.js";
import type { AliveModel } from "./alive.js";
import type { PackedReader, PackedWriter } from "./packed.js";

export interface HydrateContext {
  /** Epoch milliseconds: the instant features are asked for. */
  readonly now: number;
  readonly profile: Profile | null;
  /** Fitted P(alive) parameters; null before the first fit. */
  readonly alive: AliveModel | null;
  /** Offset of the member's zone from UTC at `now`, in hours. */
  readonly utcOffsetHours: number;
}

export interface Family<State> {
  readonly name: string;
  /** Names of the features written by `hydrate`, in order. */
  readonly features: readonly string[];
  empty(): State;
  isEmpty(state: State): boolean;
  /** The state of a member to whom only this event happened. */
  lift(event: MemberEvent): State;
  merge(a: State, b: State): State;
  encode(writer: PackedWriter, state: State): void;
  decode(reader: PackedReader): State;
  /** Writes `features.length` values into `out` from `offset`; NaN means missing. */
  hydrate(state: State, context: HydrateContext, out: Float32Array, offset: number): void;
}
