import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { ImportLanes } from "../../src/events/import-lanes.js";
import type { WriteGroup } from "../../src/events/member-writer.js";

const chunkOf = (chunk: number): WriteGroup[] =>
  Array.from({ length: 200 }, (_, partition) => ({
    events: [],
    partition,
    ledger: { field: "file", chunk },
  }));

const nobodyIsServed = async (): Promise<boolean> => false;

it("writes each partition's chunks in order and does not wait for the end of a chunk", async () => {
  const begun: string[] = [];
  const reached = new Map<number, number>();
  const lanes = new ImportLanes(async (groups) => {
    for (const { ledger } of groups) begun.push(`${ledger!.chunk}`);
    // The lane of partition 0 is slower than the others.
    await sleep(groups[0]!.partition! % 4 === 0 ? 10 : 1);
    for (const { partition, ledger } of groups) {
      expect(reached.get(partition!) ?? -1).toBe(ledger!.chunk - 1);
      reached.set(partition!, ledger!.chunk);
    }
  }, nobodyIsServed);
  await Promise.all([lanes.write(chunkOf(0)), lanes.write(chunkOf(1))]);
  expect([...reached.values()]).toEqual(new Array(200).fill(1));
  expect(begun.indexOf("1")).toBeLessThan(begun.lastIndexOf("0"));
});

it("writes nothing after a failure in the same lane, and is settled when nothing is written any more", async () => {
  const written: number[] = [];
  const lanes = new ImportLanes(async (groups) => {
    await sleep(1);
    if (groups.some(({ partition }) => partition === 100)) throw new Error("no room");
    written.push(...groups.map(({ partition }) => partition!));
  }, nobodyIsServed);
  const first = lanes.write(chunkOf(0));
  const second = lanes.write(chunkOf(1));
  await expect(first).rejects.toThrow("no room");
  await expect(second).rejects.toThrow("no room");
  await lanes.settled();
  const before = written.length;
  await sleep(20);
  expect(written).toHaveLength(before);
  // Of lane 0 what was written at once before; of the others all of both chunks.
  expect(written.filter((partition) => partition % 4 === 0)).toHaveLength(16);
  expect(written.filter((partition) => partition % 4 === 1)).toHaveLength(100);
});

it("writes one group at a time while somebody is served, and many again when nobody is", async () => {
  let isServed = true;
  let writing = 0;
  const sizes: number[] = [];
  const lanes = new ImportLanes(
    async (groups) => {
      if (isServed) expect(++writing).toBe(1);
      sizes.push(groups.length);
      await sleep(1);
      writing = 0;
      if (sizes.length === 20) isServed = false;
    },
    async () => isServed,
  );
  await lanes.write(chunkOf(0));
  expect(sizes.slice(0, 20)).toEqual(new Array(20).fill(1));
  expect(Math.max(...sizes)).toBe(16);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(200);
});
