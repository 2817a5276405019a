/** One process of `bench guards`: decides blocks of scenes and says what the oracle found. */
import { runBlocks } from "../guards-run.js";
import { answerCalls } from "./child.js";

const calls = {
  async run({ seed, first, end }: { seed: number; first: number; end: number }) {
    const before = process.cpuUsage();
    const tally = await runBlocks(seed, { first, end });
    const { user, system } = process.cpuUsage(before);
    return { tally, cpuMicroseconds: user + system };
  },
};
export type GuardCalls = typeof calls;

answerCalls(calls);
