/**
 * The stage sweep: a stage changes by time alone, so every member is looked at once a night. Walks
 * all members in small batches with pauses between, and goes on where a run that was stopped ended.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { StagesConfig } from "../config.js";
import { STAGES, stageOf } from "../features/stage.js";
import { decodeState } from "../features/state.js";
import type { MemberRecord, MemberStore } from "../members/member-store.js";
import { mastersOf, type RedisClient } from "../redis/clients.js";
import { groupedPipeline } from "../redis/grouped.js";
import {
  memberIdOf,
  memberKey,
  memberKeyPattern,
  PARTITIONS,
  stageSweepKey,
} from "../redis/keys.js";
import { metrics } from "../telemetry.js";
import type { JobContext, JobFunction, JobResult } from "./job.js";
import {
  countStageMoves,
  countStages,
  type Placement,
  placeMembers,
  readIndex,
  type StageCounts,
  type StageMoves,
  type StagePosition,
} from "./stage-index.js";

export interface StageSweepDeps {
  readonly client: RedisClient;
  readonly members: Pick<MemberStore, "readMany">;
  readonly stages: StagesConfig;
  /** Epoch milliseconds. */
  readonly now?: () => number;
}

/** Keys a node looks at in one step of the walk. */
const SCAN_COUNT = 500;
/** A divisor of PARTITIONS. */
const PRUNE_PARTITIONS = 128;
/** Members asked of each set at once. */
const PRUNE_PAGE = 10;
const MAX_PAUSE_MS = 100;
/** A walk that ended longer ago than this begins again: its first half says little about now. */
const RESUME_WITHIN_MS = 6 * 3_600_000;
/** Share of the progress shown that the walk makes; the rest is pruning. */
const WALK_PERCENT = 90;

/**
 * Places every member in the index of its stage at this time, takes out who is gone, counts.
 * Result: `members`, `byStage`, and `moves` (`from>to` → times) since this sweep began.
 */
export const stageSweep =
  (deps: StageSweepDeps): JobFunction =>
  async (context) => {
    const sweep = new Sweep(deps, context);
    await sweep.begin();
    await sweep.walk();
    await sweep.prune();
    return await sweep.end();
  };

/** Shows the counts of the index in the metrics: after a sweep, and when a process starts. */
export async function showStageCounts(client: RedisClient): Promise<StageCounts> {
  const counts = await countStages(client);
  for (const stage of STAGES) metrics.membersByStage.set({ stage }, counts[stage]);
  return counts;
}

class Sweep {
  /** Fields of the sweep's hash: startedAt, movesBefore, seen, pruned, and a cursor per node. */
  private saved: Record<string, string> = {};
  private seen = 0;

  constructor(
    private readonly deps: StageSweepDeps,
    private readonly context: JobContext,
  ) {}

  private now(): number {
    return this.deps.now?.() ?? Date.now();
  }

  async begin(): Promise<void> {
    const { client } = this.deps;
    this.saved = await client.hgetall(stageSweepKey);
    if (this.now() - Number(this.saved.startedAt ?? 0) > RESUME_WITHIN_MS) {
      await client.del(stageSweepKey);
      this.saved = {};
      const movesBefore = JSON.stringify(await countStageMoves(client));
      await this.save({ startedAt: String(this.now()), movesBefore });
    }
    this.seen = Number(this.saved.seen ?? 0);
  }

  async walk(): Promise<void> {
    const nodes = mastersOf(this.deps.client);
    const sizes = await Promise.all(nodes.map((node) => node.dbsize()));
    const keys = sizes.reduce((sum, size) => sum + size, 0);
    for (const node of nodes) {
      // A cursor means something to one run of one node only.
      const { host, port } = node.options;
      const field = `cursor ${host}:${port} ${runIdOf(await node.info("server"))}`;
      let cursor = this.saved[field] ?? "0";
      while (cursor !== "end") {
        const [next, found] = await node.scan(
          cursor,
          "MATCH",
          memberKeyPattern,
          "COUNT",
          SCAN_COUNT,
        );
        await this.unhurried(() => this.place(found.map(memberIdOf)));
        this.seen += found.length;
        cursor = next === "0" ? "end" : next;
        await this.save({ [field]: cursor, seen: String(this.seen) });
        this.context.progress(
          (WALK_PERCENT * this.seen) / Math.max(1, keys),
          `${this.seen} members seen`,
        );
      }
    }
  }

  /** Takes out of the index who has no record any more. */
  async prune(): Promise<void> {
    const first = Number(this.saved.pruned ?? 0);
    for (let partition = first; partition < PARTITIONS; partition += PRUNE_PARTITIONS) {
      let positions: StagePosition[] = [];
      for (let each = partition; each < partition + PRUNE_PARTITIONS; each++) {
        for (const stage of STAGES) positions.push({ partition: each, stage });
      }
      while (positions.length > 0) {
        const pages = await readIndex(this.deps.client, positions, PRUNE_PAGE);
        await this.unhurried(() => this.removeGone(pages.flat()));
        positions = positions.flatMap(({ partition, stage }, i) =>
          pages[i]!.length < PRUNE_PAGE ? [] : [{ partition, stage, after: pages[i]!.at(-1) }],
        );
      }
      await this.save({ pruned: String(partition + PRUNE_PARTITIONS) });
      const percent = WALK_PERCENT + ((100 - WALK_PERCENT) * partition) / PARTITIONS;
      this.context.progress(percent, "checking the index");
    }
  }

  async end(): Promise<JobResult> {
    const { client } = this.deps;
    const byStage = await showStageCounts(client);
    const members = Object.values(byStage).reduce((sum, count) => sum + count, 0);
    const before = JSON.parse(this.saved.movesBefore ?? "{}") as StageMoves;
    const moves: StageMoves = {};
    for (const [move, times] of Object.entries(await countStageMoves(client))) {
      const more = times - (before[move] ?? 0);
      if (more > 0) moves[move] = more;
    }
    await this.context.fence();
    await client.del(stageSweepKey);
    return { members, byStage, moves };
  }

  private async place(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const records = await this.deps.members.readMany(ids);
    const placements = records.map((record) => this.placementOf(record));
    await this.context.fence();
    await placeMembers(this.deps.client, placements);
  }

  private placementOf(record: MemberRecord): Placement {
    const { id, version, redirect, erased, state } = record;
    const gone = version === 0 || redirect !== null || erased;
    const stage = gone ? null : stageOf(decodeState(state), this.now(), this.deps.stages);
    return { id, stage };
  }

  private async removeGone(ids: readonly string[]): Promise<void> {
    const { client } = this.deps;
    const found = await groupedPipeline<number>(
      client,
      ids.map((id) => ["exists", memberKey(id)]),
    );
    // Where the question failed the member stays; the next sweep asks again.
    const gone = ids.filter((_, i) => found[i]!.value === 0);
    if (gone.length === 0) return;
    await this.context.fence();
    await placeMembers(
      client,
      gone.map((id) => ({ id, stage: null })),
    );
  }

  private async save(fields: Record<string, string>): Promise<void> {
    Object.assign(this.saved, fields);
    await this.deps.client.hset(stageSweepKey, fields);
  }

  /** Pauses as long as the work took: at most half of the store's time is ours. */
  private async unhurried(work: () => Promise<void>): Promise<void> {
    const begun = performance.now();
    await work();
    const tookMs = performance.now() - begun;
    await sleep(Math.min(tookMs, MAX_PAUSE_MS), undefined, { signal: this.context.signal });
  }
}

const runIdOf = (info: string): string => /run_id:(\w+)/.exec(info)?.[1] ?? "unknown";
