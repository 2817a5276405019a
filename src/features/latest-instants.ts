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

/** Lists of at least one, epoch milliseconds; the second of each one's newest is known to the reader. */
export function writeInstants(writer: PackedWriter, lists: readonly (readonly number[])[]): void {
  if (lists.length === 0) return;
  writer.ints(lists.map(({ length }) => length - 1));
  writer.ints(lists.map(([newest]) => newest! % 1000));
  writer.ints(lists.flatMap(gapsOf));
}

/** `newest`: of each list, epoch seconds. */
export function readInstants(reader: PackedReader, newest: readonly number[]): number[][] {
  if (newest.length === 0) return [];
  const lengths = reader.ints(newest.length);
  const rests = reader.ints(newest.length);
  const gaps = reader.ints(lengths.reduce((sum, length) => sum + length, 0));
  let end = 0;
  return newest.map((first, i) => {
    const from = end;
    end += lengths[i]!;
    return timesOf(first * 1000 + rests[i]!, gaps.slice(from, end));
  });
}
