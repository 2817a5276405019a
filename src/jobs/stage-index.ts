/**
 * Which members are in which stage, as of the last look: sorted sets per partition and stage, in
 * the slot of the members themselves. A member stands in at most one of them.
 */
import { STAGES, type Stage } from "../features/stage.js";
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { groupedPipeline, type KeyedCommand } from "../redis/grouped.js";
import { PARTITIONS, partitionOf, stageKey, stageMovesKey } from "../redis/keys.js";
import { defineScript, pipelineScripts, type ScriptCall } from "../redis/scripts.js";

export interface Placement {
  readonly id: string;
  /** null: is in no stage any more (erased, merged into another, gone). */
  readonly stage: Stage | null;
}

export type StageCounts = Record<Stage, number>;

/** `from>to` → times. */
export type StageMoves = Record<string, number>;

/**
 * KEYS: the sets of one partition in the order of STAGES, its moves. ARGV: the stages' names in
 * that order, then pairs (member id, number of its stage from 1, 0 for none).
 * Returns how many members changed. Running it again changes nothing, so moves count once.
 */
const placeScript = defineScript<number>({
  name: "stage_place",
  numberOfKeys: STAGES.length + 1,
  lua: `
local stages = #KEYS - 1
local changed = 0
for at = stages + 1, #ARGV, 2 do
  local id, to = ARGV[at], tonumber(ARGV[at + 1])
  if to == 0 or not redis.call('ZSCORE', KEYS[to], id) then
    local from
    for stage = 1, stages do
      if redis.call('ZREM', KEYS[stage], id) == 1 then from = stage end
    end
    if to > 0 then redis.call('ZADD', KEYS[to], 0, id) end
    if from and to > 0 then
      redis.call('HINCRBY', KEYS[#KEYS], ARGV[from] .. '>' .. ARGV[to], 1)
    end
    if from or to > 0 then changed = changed + 1 end
  end
end
return changed
`,
});

const everyPartition = Array.from({ length: PARTITIONS }, (_, partition) => partition);

/** Puts members where they belong now. Returns how many changed. Throws `store_unavailable`. */
export async function placeMembers(
  client: RedisClient,
  placements: readonly Placement[],
): Promise<number> {
  const byPartition = new Map<number, Placement[]>();
  for (const placement of placements) {
    const partition = partitionOf(placement.id);
    const group = byPartition.get(partition);
    if (group === undefined) byPartition.set(partition, [placement]);
    else group.push(placement);
  }
  const calls = [...byPartition].map(([partition, group]) => placeCall(partition, group));
  let changed = 0;
  for (const { error, value } of await pipelineScripts(client, calls)) {
    if (error !== undefined) throw toStoreError(error);
    changed += value;
  }
  return changed;
}

function placeCall(partition: number, placements: readonly Placement[]): ScriptCall<number> {
  return {
    script: placeScript,
    keys: [...STAGES.map((stage) => stageKey(partition, stage)), stageMovesKey(partition)],
    args: [
      ...STAGES,
      ...placements.flatMap(({ id, stage }) => [
        id,
        stage === null ? 0 : STAGES.indexOf(stage) + 1,
      ]),
    ],
  };
}

/** Members of each stage, over all partitions. */
export async function countStages(client: RedisClient): Promise<StageCounts> {
  const counts = Object.fromEntries(STAGES.map((stage) => [stage, 0])) as StageCounts;
  const asked = everyPartition.flatMap((partition) =>
    STAGES.map((stage) => ({ partition, stage })),
  );
  const sizes = await replies<number>(
    client,
    asked.map(({ partition, stage }) => ["zcard", stageKey(partition, stage)]),
  );
  asked.forEach(({ stage }, i) => {
    counts[stage] += sizes[i]!;
  });
  return counts;
}

/** Changes of stage ever seen, over all partitions. */
export async function countStageMoves(client: RedisClient): Promise<StageMoves> {
  const moves: StageMoves = {};
  const hashes = await replies<Record<string, Buffer>>(
    client,
    everyPartition.map((partition) => ["hgetall", stageMovesKey(partition)]),
  );
  for (const hash of hashes) {
    for (const [move, times] of Object.entries(hash)) {
      moves[move] = (moves[move] ?? 0) + Number(times.toString());
    }
  }
  return moves;
}

/** A place in the index: behind `after` in one set. */
export interface StagePosition {
  readonly partition: number;
  readonly stage: Stage;
  readonly after?: string;
}

/** At most `limit` member ids from each position, in the order of ids. */
export async function readIndex(
  client: RedisClient,
  positions: readonly StagePosition[],
  limit: number,
): Promise<string[][]> {
  const found = await replies<Buffer[]>(
    client,
    positions.map(({ partition, stage, after }) => {
      const from = after === undefined ? "-" : `(${after}`;
      return ["zrangebylex", stageKey(partition, stage), from, "+", "LIMIT", 0, limit];
    }),
  );
  return found.map((ids) => ids.map(String));
}

export interface StagePage {
  readonly ids: string[];
  /** Opaque; null on the last page. */
  readonly nextCursor: string | null;
}

/** Partitions looked at in one round trip when most are empty. */
const PARTITIONS_A_ROUND = 64;

/**
 * Members of a stage, page by page: `limit` ids, fewer on the last page. Each id once as long as
 * nobody changes stage meanwhile.
 */
export async function listStage(
  client: RedisClient,
  stage: Stage,
  { limit, cursor }: { limit: number; cursor?: string },
): Promise<StagePage> {
  let [partition, after] = readCursor(cursor);
  const ids: string[] = [];
  for (; partition < PARTITIONS; partition += PARTITIONS_A_ROUND) {
    const round = everyPartition.slice(partition, partition + PARTITIONS_A_ROUND);
    const positions = round.map((each) => ({ partition: each, stage, after }));
    // Only the partition the cursor stands in is entered in the middle.
    for (const position of positions.slice(1)) position.after = undefined;
    for (const id of (await readIndex(client, positions, limit + 1)).flat()) {
      if (ids.length === limit) return { ids, nextCursor: cursorBehind(ids[limit - 1]!) };
      ids.push(id);
    }
    after = undefined;
  }
  return { ids, nextCursor: null };
}

const cursorBehind = (id: string): string => Buffer.from(id).toString("base64url");

/** Of a cursor that nobody gave out: begins somewhere, which harms nobody. */
function readCursor(cursor: string | undefined): [partition: number, after: string | undefined] {
  if (cursor === undefined) return [0, undefined];
  const id = Buffer.from(cursor, "base64url").toString();
  return [partitionOf(id), id];
}

async function replies<T>(client: RedisClient, commands: readonly KeyedCommand[]): Promise<T[]> {
  const outcomes = await groupedPipeline<T>(client, commands);
  return outcomes.map((outcome) => {
    if (outcome.error !== undefined) throw toStoreError(outcome.error);
    return outcome.value;
  });
}
