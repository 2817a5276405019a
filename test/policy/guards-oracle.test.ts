import { describe, expect, it } from "vitest";
import { BLOCK_SIZE, runBlocks } from "../../bench/guards-run.js";

const GUARDS = Array.from({ length: 12 }, (_, i) => i + 1);

describe("random decisions in random worlds", () => {
  it("break no guard, and put each of them to the test", async () => {
    const blocks = 48;
    const tally = await runBlocks(20_261_122, { first: 0, end: blocks });
    expect(tally.violations).toEqual([]);
    expect(tally).toMatchObject({ decisions: blocks * BLOCK_SIZE, stopped: 0 });
    expect(GUARDS.filter((guard) => tally.tested[guard] === 0)).toEqual([]);
    expect(tally.outbound).toBeGreaterThan(100);
  }, 60_000);
});
