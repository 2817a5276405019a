/**
 * Scores everyone into the ranked sets: partition after partition, read by scripts, hydrated into one
 * matrix, one ONNX run for some hundred members. A run that was stopped goes on behind the last
 * partition it wrote, at the same instant and under the same model.
 */
import type { AliveModel } from "../features/alive.js";
import type { FeatureSchema } from "../features/feature-schema.js";
import { decodeState } from "../features/state.js";
import type { RankedMember } from "../leads/ranked-list.js";
import {
  type OpenRun,
  RANKED_SETS,
  type RankedLists,
  type RankedSet,
  RankedSets,
} from "../leads/ranked-sets.js";
import {
  type ListedIds,
  listIds,
  type PackedMember,
  readPartitions,
} from "../members/member-batches.js";
import { decodeProfile } from "../members/profile-codec.js";
import type { RedisClient } from "../redis/clients.js";
import { PARTITIONS } from "../redis/keys.js";
import { hydrateContext } from "../scoring/hydrate-context.js";
import type { Scorer } from "../scoring/scorer.js";
import type { JobContext, JobFunction, JobResult } from "./job.js";
import { Pace } from "./pace.js";

/** What a run scores with, from its first member to its last. */
export interface RankingModel {
  readonly scorer: Scorer;
  /** Names of the scorer's columns. */
  readonly outputs: readonly string[];
  readonly version: string;
  readonly alive: AliveModel | null;
  readonly aliveVersion: string | null;
}

export interface ScoreEveryoneDeps {
  readonly client: RedisClient;
  readonly schema: FeatureSchema;
  /** Of members who have none. */
  readonly timezone: string;
  /** The model in force; null before the first. The job releases its scorer. */
  readonly openModel: () => Promise<RankingModel | null>;
  /** Epoch milliseconds. */
  readonly now?: () => number;
  /** Ids held at once; see `listIds`. */
  readonly idsMax?: number;
}

/** Rows of one ONNX run: more gain nothing. */
const RUN_ROWS = 512;
/** Partitions are taken together until they hold about so many members. */
const GROUP_MEMBERS = 1_024;
/** A run that began longer ago than this begins again: its first half says little about now. */
const RESUME_WITHIN_MS = 6 * 3_600_000;

/**
 * Result: `scored`, `members` in each set, `model`, `asOf`, and `resumed` (whether a stopped run went
 * on); `skipped: "untrained"` without a model, and then what was ranked before stays.
 */
export const scoreEveryone =
  (deps: ScoreEveryoneDeps): JobFunction =>
  async (context) => {
    const model = await deps.openModel();
    if (model === null) return { skipped: "untrained" };
    try {
      return await new Scoring(deps, context, model).run();
    } finally {
      await model.scorer.release();
    }
  };

/** Partitions taken together: `ids[0]` are those of `first`. */
interface Group {
  readonly first: number;
  readonly ids: readonly (readonly string[])[];
}

class Scoring {
  private readonly sets: RankedSets;
  private readonly pace: Pace;
  private readonly columns: ReadonlyMap<RankedSet, number>;
  private readonly rows: Float32Array;
  /** Rows of members without an order: they have none to stop and nothing to renew. */
  private readonly prospects = new Uint8Array(RUN_ROWS);

  constructor(
    private readonly deps: ScoreEveryoneDeps,
    private readonly context: JobContext,
    private readonly model: RankingModel,
  ) {
    this.sets = new RankedSets(deps.client);
    this.pace = new Pace(deps.client, context.signal);
    this.columns = new Map(
      RANKED_SETS.flatMap((set) => {
        const column = model.outputs.indexOf(set);
        return column < 0 ? [] : [[set, column] as const];
      }),
    );
    this.rows = new Float32Array(RUN_ROWS * deps.schema.length);
  }

  async run(): Promise<JobResult> {
    const { client, idsMax } = this.deps;
    const { signal } = this.context;
    let open = await this.begin();
    const resumed = open.partition > 0;
    while (open.partition < PARTITIONS) {
      this.context.progress(percentOf(open), "listing members");
      const pause = (): Promise<void> => this.pace.step();
      open = await this.scoreListed(
        await listIds(client, open.partition, { signal, pause, idsMax }),
        open,
      );
    }
    await this.context.fence();
    const { members, heads, asOf } = await this.sets.publish(this.context.token, open);
    return { scored: open.scored, members, model: heads, asOf, resumed };
  }

  /** The run that was stopped, when it still is the one to be made; else a new one. */
  private async begin(): Promise<OpenRun> {
    const now = this.deps.now?.() ?? Date.now();
    const { version, aliveVersion } = this.model;
    await this.sets.retire();
    const left = await this.sets.open();
    if (left !== null) {
      const sameModel = left.heads === version && left.alive === aliveVersion;
      if (sameModel && now - left.asOf < RESUME_WITHIN_MS) return left;
      await this.context.fence();
      await this.sets.discard(left);
    }
    const time = new Date(now).toISOString().slice(0, 19).replace(/[-:T]/g, "");
    const open: OpenRun = {
      run: `${time}-${this.context.token}`,
      asOf: now,
      heads: version,
      alive: aliveVersion,
      members: Object.fromEntries([...this.columns.keys()].map((set) => [set, 0])),
      partition: 0,
      scored: 0,
    };
    await this.sets.save(this.context.token, open);
    return open;
  }

  /** While one group is scored the next is read: the store works beside us. */
  private async scoreListed(listed: ListedIds, open: OpenRun): Promise<OpenRun> {
    const groups = groupsOf(listed);
    const before = open.scored;
    let reached = open;
    let reading = this.read(groups[0]!);
    for (const [i, group] of groups.entries()) {
      const members = await reading;
      await this.pace.step();
      this.context.signal.throwIfAborted();
      const next = groups[i + 1];
      if (next !== undefined) reading = this.read(next);
      const lists = await this.rank(group.first, members, open);
      reached = await this.write(lists, reached, group);
      const of =
        before +
        Math.round((listed.count * (PARTITIONS - listed.first)) / (listed.end - listed.first));
      this.context.progress(percentOf(reached), `${reached.scored} of ${of} members scored`);
    }
    return reached;
  }

  private read(group: Group): Promise<PackedMember[][]> {
    const reading = readPartitions(this.deps.client, group.ids, this.pace.busy ? 1 : undefined);
    // Waited for one round later: until then a failure is nobody's.
    reading.catch(() => undefined);
    return reading;
  }

  private async write(lists: readonly Ranked[], reached: OpenRun, group: Group): Promise<OpenRun> {
    const { token } = this.context;
    const members: Partial<Record<RankedSet, number>> = { ...reached.members };
    let { scored } = reached;
    for (const one of lists) {
      scored += one.scored;
      for (const set of this.columns.keys()) members[set] = members[set]! + one.lists[set]!.length;
    }
    const partition = group.first + group.ids.length;
    await this.context.fence();
    await this.sets.writeLists(reached.run, lists);
    const open: OpenRun = { ...reached, members, scored, partition };
    await this.sets.save(token, open);
    return open;
  }

  private async rank(
    first: number,
    partitions: readonly (readonly PackedMember[])[],
    { asOf }: OpenRun,
  ): Promise<Ranked[]> {
    const ranked = partitions.map((members, i): Ranked => {
      const lists = Object.fromEntries([...this.columns.keys()].map((set) => [set, []]));
      return { partition: first + i, scored: members.length, lists };
    });
    const all = partitions.flatMap((members, i) =>
      members.map((member) => ({ member, lists: ranked[i]!.lists })),
    );
    const { scorer, outputs } = this.model;
    for (let from = 0; from < all.length; from += RUN_ROWS) {
      const batch = all.slice(from, from + RUN_ROWS);
      batch.forEach(({ member }, row) => {
        this.hydrate(member, asOf, row);
      });
      const { probabilities } = await scorer.run(this.rows, batch.length);
      batch.forEach(({ member: { id }, lists }, row) => {
        for (const [set, column] of this.columns) {
          if (set !== "purchase" && this.prospects[row] === 1) continue;
          lists[set]!.push({ id, score: probabilities![row * outputs.length + column]! });
        }
      });
    }
    return ranked;
  }

  /** As serving does it, at the instant of the run. */
  private hydrate(member: PackedMember, asOf: number, row: number): void {
    const { schema, timezone } = this.deps;
    const state = decodeState(member.state);
    const profile = member.profile === null ? null : decodeProfile(member.id, member.profile);
    const context = hydrateContext(profile, asOf, this.model.alive, timezone);
    schema.hydrate(state, context, this.rows, row * schema.length);
    this.prospects[row] = state.orders.count === 0 ? 1 : 0;
  }
}

interface Ranked extends RankedLists {
  readonly scored: number;
  readonly lists: Partial<Record<RankedSet, RankedMember[]>>;
}

const percentOf = ({ partition }: OpenRun): number => (100 * partition) / PARTITIONS;

/** Whole partitions, in order, together until they are worth a run of the model. */
function groupsOf({ first, ids }: ListedIds): Group[] {
  const groups: { first: number; ids: (readonly string[])[] }[] = [];
  let room = 0;
  ids.forEach((each, i) => {
    if (groups.length === 0 || each.length > room) {
      groups.push({ first: first + i, ids: [] });
      room = GROUP_MEMBERS;
    }
    groups.at(-1)!.ids.push(each);
    room -= each.length;
  });
  return groups;
}
