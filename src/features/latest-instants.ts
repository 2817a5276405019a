/** The latest instants of one kind of event, newest first. */
import { gapsOf, type PackedReader, type PackedWriter, timesOf } from "./packed.js";

/**
 * Instants kept of a kind. Whoever complains more often is judged by the latest, and by how many
 * were opened and closed in all.
 */
export const INSTANTS_KEPT = 16;

/** Both newest first, as are the `keep` newest of both; equal instants are two events. */
export function mergeLatest(a: readonly number[], b: readonly number[], keep: number): number[] {
  const merged: number[] = [];
  let i = 0;
  let j = 0;
  while (merged.length < keep && (i < a.length || j < b.length)) {
    if (j >= b.length || (i < a.length && a[i]! >= b[j]!)) merged.push(a[i++]!);
    else merged.push(b[j++]!);
  }
  return merged;
}

/** At least one, in whole milliseconds. */
export function writeInstants(writer: PackedWriter, instants: readonly number[]): void {
  writer.u8(instants.length);
  writer.varint(instants[0]!);
  writer.ints(gapsOf(instants));
}

export function readInstants(reader: PackedReader): number[] {
  const count = reader.u8();
  return timesOf(reader.varint(), reader.ints(count - 1));
}
