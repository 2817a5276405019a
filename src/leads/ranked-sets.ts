/**
 * Everyone in the order of a score: what lead lists are drawn from. A run of the scoring job writes one
 * packed list a partition and set, in the slot of the members themselves, and puts the run in force
 * with one command at the end, so that a reader sees all of a run or nothing of it. Runs leave by
 * themselves: one that was replaced after a grace, the last one after a week without another.
 */
import { CuecardError } from "../errors.js";
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { groupedPipeline, type KeyedCommand } from "../redis/grouped.js";
import { PARTITIONS, partitionOf, rankedKey, rankedListKey } from "../redis/keys.js";
import { defineScript, runScript } from "../redis/scripts.js";
import { metrics } from "../telemetry.js";
import { packRanked, placesOf, type RankedMember } from "./ranked-list.js";

/** Sets there can be: one for each of these heads that the model in force has. */
export const RANKED_SETS = ["purchase", "churn", "renewal"] as const;
export type RankedSet = (typeof RANKED_SETS)[number];

/** One run of the scoring job: everyone at one instant under one model. */
export interface RankedRun {
  readonly run: string;
  /** Epoch milliseconds: the instant the features are of. */
  readonly asOf: number;
  /** Versions of the heads model and of the P(alive) parameters (null: none yet). */
  readonly heads: string;
  readonly alive: string | null;
  /** Members in each set. */
  readonly members: Readonly<Partial<Record<RankedSet, number>>>;
}

/** A run under way. */
export interface OpenRun extends RankedRun {
  /** Partitions below this one are written. */
  readonly partition: number;
  /** Members scored so far. */
  readonly scored: number;
}

export interface RankedLists {
  readonly partition: number;
  readonly lists: Readonly<Partial<Record<RankedSet, RankedMember[]>>>;
}

/** A list of a week ago says little about now, and holds ids of members erased since. */
const LIST_TTL_SECONDS = 7 * 86_400;
/** The pointer goes first: where it stands, so do the lists. */
const RUN_TTL_SECONDS = LIST_TTL_SECONDS - 3_600;
/** For readers that began under a run that was replaced. */
const GRACE_SECONDS = 600;

/**
 * KEYS: the hash. ARGV: token, seconds to live, then pairs (field, value), an empty value removing the
 * field. Returns 1, or 0 when a later token was here: then nothing has changed.
 */
const saveScript = defineScript<number>({
  name: "ranked_save",
  numberOfKeys: 1,
  lua: `
local seen = tonumber(redis.call('HGET', KEYS[1], 'token') or '-1')
if tonumber(ARGV[1]) < seen then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
for at = 3, #ARGV, 2 do
  if ARGV[at + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[at])
  else redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1]) end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
`,
});

/**
 * KEYS: a list. ARGV: pairs (offset, id). Writes over each id that still stands there, byte for byte
 * with what no id can hold: readers count places on, and find nobody there. Returns how many.
 */
const maskScript = defineScript<number>({
  name: "ranked_mask",
  numberOfKeys: 1,
  lua: `
local masked = 0
for at = 1, #ARGV, 2 do
  local offset, id = tonumber(ARGV[at]), ARGV[at + 1]
  if redis.call('GETRANGE', KEYS[1], offset, offset + #id - 1) == id then
    redis.call('SETRANGE', KEYS[1], offset, string.rep(string.char(1), #id))
    masked = masked + 1
  end
end
return masked
`,
});

const setsOf = ({ members }: RankedRun): RankedSet[] => Object.keys(members) as RankedSet[];

/** Every method throws `store_unavailable` or `store_full`; writers also `lease_lost`. */
export class RankedSets {
  constructor(private readonly client: RedisClient) {}

  /** The run in force; null before the first, and when none ended for a week. Shown in the metrics. */
  async current(): Promise<RankedRun | null> {
    const run = await this.field<RankedRun>("current");
    metrics.rankedAt.set(run === null ? 0 : run.asOf / 1000);
    for (const set of RANKED_SETS) metrics.rankedMembers.set({ set }, run?.members[set] ?? 0);
    return run;
  }

  /** What a run that was stopped left. */
  open(): Promise<OpenRun | null> {
    return this.field<OpenRun>("open");
  }

  /** Remembers how far a run has come. @throws `lease_lost` when a later token was here. */
  async save(token: number, open: OpenRun): Promise<void> {
    await this.write(token, ["open", JSON.stringify(open)]);
  }

  /** Writes whole partitions of a run; again is the same. */
  async writeLists(run: string, partitions: readonly RankedLists[]): Promise<void> {
    const commands = partitions.flatMap(({ partition, lists }) =>
      Object.entries(lists).map(([set, members]): KeyedCommand => {
        const key = rankedListKey(partition, run, set);
        // A run that goes on may find here what somebody erased since had: nothing is left of it.
        if (members.length === 0) return ["del", key];
        return ["set", key, packRanked(members), "EX", LIST_TTL_SECONDS];
      }),
    );
    await this.runAll(commands);
  }

  /** Puts a finished run in force and lets the one before go. @throws `lease_lost` as `save`. */
  async publish(token: number, { run, asOf, heads, alive, members }: OpenRun): Promise<RankedRun> {
    const finished: RankedRun = { run, asOf, heads, alive, members };
    const before = await this.current();
    const retired = before === null || before.run === run ? "" : JSON.stringify(before);
    await this.write(token, ["current", JSON.stringify(finished), "open", "", "before", retired]);
    await this.retire();
    return finished;
  }

  /** Lists of the run that was replaced go after a grace. Again is the same, or nothing. */
  async retire(): Promise<void> {
    const before = await this.field<RankedRun>("before");
    if (before === null) return;
    await this.runAll(commandsOn(before, (key) => ["expire", key, GRACE_SECONDS]));
  }

  /** Lists of a run nobody goes on with and nobody reads. */
  async discard(run: RankedRun): Promise<void> {
    await this.runAll(commandsOn(run, (key) => ["unlink", key]));
  }

  /** Takes erased members out of every list there is. Again is the same. */
  async forget(ids: readonly string[]): Promise<void> {
    const gone = new Set(ids);
    const partitions = [...new Set(ids.map(partitionOf))];
    for (const name of ["current", "open", "before"]) {
      const run = await this.field<RankedRun>(name);
      if (run === null) continue;
      for (const partition of partitions) {
        for (const set of setsOf(run))
          await this.mask(rankedListKey(partition, run.run, set), gone);
      }
    }
  }

  private async mask(key: string, gone: ReadonlySet<string>): Promise<void> {
    try {
      const list = await this.client.getBuffer(key);
      const places = list === null ? [] : placesOf(list, (id) => gone.has(id));
      if (places.length === 0) return;
      const args = places.flatMap(({ offset, id }) => [offset, id]);
      await runScript(this.client, maskScript, [key], args);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  private async field<T>(name: string): Promise<T | null> {
    try {
      const text = await this.client.hget(rankedKey, name);
      return text === null ? null : (JSON.parse(text) as T);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  private async write(token: number, fields: readonly string[]): Promise<void> {
    const args = [token, RUN_TTL_SECONDS, ...fields];
    const kept = await runScript(this.client, saveScript, [rankedKey], args).catch((error) => {
      throw toStoreError(error);
    });
    if (kept === 0) throw new CuecardError("lease_lost", "a later run writes the ranked sets");
  }

  private async runAll(commands: readonly KeyedCommand[]): Promise<void> {
    for (const { error } of await groupedPipeline(this.client, commands)) {
      if (error !== undefined) throw toStoreError(error);
    }
  }
}

const commandsOn = (run: RankedRun, command: (key: string) => KeyedCommand): KeyedCommand[] =>
  setsOf(run).flatMap((set) =>
    Array.from({ length: PARTITIONS }, (_, partition) =>
      command(rankedListKey(partition, run.run, set)),
    ),
  );
