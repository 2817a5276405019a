/**
 * The order in which an import's groups are written: several at a time, each partition's in turn; one
 * at a time and with rests while somebody is served.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { restAfter } from "../redis/served.js";
import type { WriteGroup } from "./member-writer.js";

/** One is folded while another's groups are on their way. */
const LANES = 4;
/**
 * Groups a lane writes at once, some hundred kilobytes: what a socket takes in one go, so that Redis
 * has work while this process folds the next, and what is folded for them dies young.
 */
const GROUPS_AT_ONCE = 16;

/**
 * Partitions are dealt out to lanes, which do not wait for each other: a lane that is through with its
 * part of a chunk goes on with the next. One that failed writes nothing more.
 */
export class ImportLanes {
  /** The latest work of each. */
  private lanes: Promise<void>[] = Array.from({ length: LANES }, () => Promise.resolve());

  /** The latest work beside somebody who is served: of all lanes one at a time. */
  private alone: Promise<void> = Promise.resolve();

  constructor(
    private readonly writeGroups: (groups: WriteGroup[]) => Promise<void>,
    private readonly isServed: () => Promise<boolean>,
  ) {}

  /** Resolves when all the groups, each of a `partition`, are written; rejects with the first failure. */
  async write(groups: readonly WriteGroup[]): Promise<void> {
    this.lanes = this.lanes.map((before, lane) => {
      const own = groups.filter(({ partition }) => partition! % LANES === lane);
      return this.writeOwn(own, before);
    });
    await Promise.all(this.lanes);
  }

  /** Resolves when nothing is being written any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.lanes);
  }

  private async writeOwn(own: readonly WriteGroup[], before: Promise<void>): Promise<void> {
    await before;
    for (let from = 0; from < own.length; ) {
      const count = (await this.isServed()) ? 1 : GROUPS_AT_ONCE;
      const groups = own.slice(from, from + count);
      await (count === 1 ? this.writeAlone(groups) : this.writeGroups(groups));
      from += count;
    }
  }

  private writeAlone(groups: WriteGroup[]): Promise<void> {
    const write = async (): Promise<void> => {
      const began = performance.now();
      await this.writeGroups(groups);
      await sleep(restAfter(performance.now() - began));
    };
    // What fails in one lane ends that lane only.
    const written = this.alone.then(write);
    this.alone = written.catch(() => undefined);
    return written;
  }
}
