/** What a decision is called: its partition and instant stand in the name, so that it can be found. */
import { randomUUID } from "node:crypto";
import { PARTITIONS } from "../redis/keys.js";

/** `d_<partition base36>_<epoch ms base36>_<12 random hex digits>`. */
export function newDecisionId(partition: number, at: number): string {
  return `d_${partition.toString(36)}_${at.toString(36)}_${randomUUID().slice(24)}`;
}

const FORM = /^d_([0-9a-z]{1,2})_([0-9a-z]{1,9})_[0-9a-f]{12}$/;

export interface DecisionPlace {
  readonly partition: number;
  /** Epoch milliseconds, by the clock of the process that decided. */
  readonly at: number;
}

/** null: no decision was ever called so. */
export function placeOfDecision(id: string): DecisionPlace | null {
  const [, partition, at] = FORM.exec(id) ?? [];
  if (partition === undefined || at === undefined) return null;
  const place = { partition: Number.parseInt(partition, 36), at: Number.parseInt(at, 36) };
  return place.partition < PARTITIONS ? place : null;
}
