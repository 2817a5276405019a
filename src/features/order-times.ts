/**
 * The latest times of orders in packed state. Most are those of purchase lines kept as well, so they
 * are told by them; those that no line tells follow as differences.
 */
import type { HistoryLine } from "./history.js";
import { gapsOf, type PackedReader, type PackedWriter, timesOf, unreadable } from "./packed.js";

/** Epoch seconds, newest first, each once. */
function instantsOf(lines: readonly HistoryLine[]): number[] {
  const instants: number[] = [];
  for (const { at } of lines) if (at !== instants[instants.length - 1]) instants.push(at);
  return instants;
}

/** Of the leading times that lines tell, how many of the lines' instants lie between each and the one before. */
function stepsOf(times: readonly number[], instants: readonly number[]): number[] {
  const steps: number[] = [];
  let next = 0;
  for (const time of times) {
    const found = instants.indexOf(time, next);
    if (found === -1) break;
    steps.push(found - next);
    next = found + 1;
  }
  return steps;
}

/** Both newest first, epoch seconds. */
export function writeOrderTimes(
  writer: PackedWriter,
  times: readonly number[],
  lines: readonly HistoryLine[],
): void {
  const steps = stepsOf(times, instantsOf(lines));
  const others = times.slice(steps.length);
  writer.varint(steps.length);
  if (steps.length > 0) writer.ints(steps);
  writer.varint(others.length);
  if (others.length === 0) return;
  writer.u32(others[0]!);
  writer.ints(gapsOf(others));
}

/** Throws `store_incompatible` where it names a line that is not there. */
export function readOrderTimes(reader: PackedReader, lines: readonly HistoryLine[]): number[] {
  const times: number[] = [];
  const told = reader.varint();
  if (told > 0) {
    const instants = instantsOf(lines);
    let next = 0;
    for (const step of reader.ints(told)) {
      next += step;
      if (next >= instants.length) throw unreadable();
      times.push(instants[next++]!);
    }
  }
  const others = reader.varint();
  if (others === 0) return times;
  return times.concat(timesOf(reader.u32(), reader.ints(others - 1)));
}
