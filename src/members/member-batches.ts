/**
 * Many members at once, for walks over everyone: their ids by partition, then packed records, each
 * partition's by one script a batch. A quarter of the client's work of a command for each.
 */
import { mastersOf, type RedisClient, toStoreError } from "../redis/clients.js";
import { memberKey, memberKeyPattern, PARTITIONS } from "../redis/keys.js";
import { defineScript, pipelineScripts, type ScriptCall } from "../redis/scripts.js";

/** Keys a node looks at in one step: about a millisecond of its time. */
const SCAN_COUNT = 1_000;
/** Ids held at once; a larger store is listed in several passes. About 50 bytes each. */
const IDS_MAX = 2_000_000;
/** Members one script reads: a third of a millisecond of its node's time. */
const SCRIPT_MEMBERS = 64;
const SCRIPTS_AT_ONCE = 16;

/** Ids of the partitions from `first` up to, not including, `end`. */
export interface ListedIds {
  readonly first: number;
  readonly end: number;
  /** By partition, counted from `first`. */
  readonly ids: readonly (readonly string[])[];
  readonly count: number;
}

export interface ListOptions {
  readonly signal?: AbortSignal;
  /** Waited for after each step of the walk. */
  readonly pause?: () => Promise<void>;
  readonly idsMax?: number;
}

/**
 * Member ids of as many partitions from `first` on as fit in memory. Holds those who were there all
 * the time, each once. Throws `store_unavailable`.
 */
export async function listIds(
  client: RedisClient,
  first: number,
  { signal, pause, idsMax = IDS_MAX }: ListOptions = {},
): Promise<ListedIds> {
  // A set, because SCAN gives a key twice while the store grows.
  const sets = Array.from({ length: PARTITIONS - first }, () => new Set<string>());
  let end = PARTITIONS;
  let count = 0;
  const take = (key: string): void => {
    const close = key.indexOf("}");
    const partition = Number(key.slice(4, close));
    if (!(partition >= first && partition < end)) return;
    const ids = sets[partition - first]!;
    const before = ids.size;
    ids.add(key.slice(close + 2));
    count += ids.size - before;
    // The last partition waits for the next pass, however many there are in the first.
    while (count > idsMax && end > first + 1) {
      end--;
      count -= sets[end - first]!.size;
      sets[end - first]!.clear();
    }
  };
  for (const node of mastersOf(client)) {
    let cursor = "0";
    do {
      signal?.throwIfAborted();
      const [next, keys] = await node
        .scan(cursor, "MATCH", memberKeyPattern, "COUNT", SCAN_COUNT)
        .catch((error: unknown) => {
          throw toStoreError(error);
        });
      for (const key of keys) take(key);
      await pause?.();
      cursor = next;
    } while (cursor !== "0");
  }
  return { first, end, ids: sets.slice(0, end - first).map((ids) => [...ids]), count };
}

/** Somebody who is there: neither erased nor merged into another. */
export interface PackedMember {
  readonly id: string;
  readonly state: Buffer | null;
  /** As stored, to be decoded when its turn comes: what lives shortly costs the collector nothing. */
  readonly profile: Buffer | null;
}

type Reply = (Buffer | number | null)[];

/**
 * KEYS: members of one partition. Returns three values a member: packed state, profile, and 1 where
 * the member was erased or merged into another (then nothing else is sent).
 */
const readScript = defineScript<Reply>({
  name: "read_members",
  lua: `
local found = {}
for at = 1, #KEYS do
  local member = redis.call('HMGET', KEYS[at], 's', 'p', 'r', 'x')
  local gone = member[3] or member[4]
  found[3 * at - 2] = not gone and member[1]
  found[3 * at - 1] = not gone and member[2]
  found[3 * at] = gone and 1 or 0
end
return found
`,
});

/**
 * The members of each partition who are there, in the order of `ids`. `scriptsAtOnce`: how many a
 * pipeline holds; with 1 others wait for a third of a millisecond at most. Throws
 * `store_unavailable`.
 */
export async function readPartitions(
  client: RedisClient,
  ids: readonly (readonly string[])[],
  scriptsAtOnce = SCRIPTS_AT_ONCE,
): Promise<PackedMember[][]> {
  const members: PackedMember[][] = ids.map(() => []);
  const parts = ids.flatMap((each, at) => partsOf(each).map((part) => ({ at, ids: part })));
  for (let from = 0; from < parts.length; from += scriptsAtOnce) {
    const asked = parts.slice(from, from + scriptsAtOnce);
    const outcomes = await pipelineScripts(
      client,
      asked.map((part): ScriptCall<Reply> => {
        return { script: readScript, keys: part.ids.map(memberKey), args: [] };
      }),
    );
    outcomes.forEach(({ error, value }, i) => {
      if (error !== undefined) throw toStoreError(error);
      unpack(asked[i]!.ids, value, members[asked[i]!.at]!);
    });
  }
  return members;
}

function partsOf(ids: readonly string[]): (readonly string[])[] {
  const parts: (readonly string[])[] = [];
  for (let from = 0; from < ids.length; from += SCRIPT_MEMBERS) {
    parts.push(ids.slice(from, from + SCRIPT_MEMBERS));
  }
  return parts;
}

/** Values without anything behind them in Lua (false) arrive as null. */
function unpack(ids: readonly string[], reply: Reply, members: PackedMember[]): void {
  ids.forEach((id, k) => {
    const state = reply[3 * k] as Buffer | null;
    const profile = reply[3 * k + 1] as Buffer | null;
    if (reply[3 * k + 2] === 1 || (state === null && profile === null)) return;
    members.push({ id, state, profile });
  });
}
