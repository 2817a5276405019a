/** Erased members everywhere in the store but in the log: keys named after them, fields that name them. */
import { type RedisClient, scanKeys, toStoreError } from "../redis/clients.js";
import { groupedPipeline, type KeyedCommand } from "../redis/grouped.js";
import { erasedKey, identityInKey, memberKey, PARTITIONS, partitionOf } from "../redis/keys.js";
import { defineScript, pipelineScripts } from "../redis/scripts.js";

export interface Gone {
  isGone(id: string): boolean;
  /** A phone, e-mail or account of somebody who was erased. */
  isErased(kind: string, value: string): boolean;
}

/** Hashes with a field a member: links of identities, answers of calls. */
const BY_MEMBER = /^(?:i|call):\{/;
/** Fields `file:member` of events that moved with a merge while a file was imported. */
const LEDGER = /^ledger:\{/;

/** Goes through all keys once. Returns how many keys and fields went. */
export async function eraseKeys(client: RedisClient, gone: Gone): Promise<number> {
  let removed = 0;
  for await (const keys of scanKeys(client, "*")) {
    const whole = keys.filter((key) => {
      const named = identityInKey(key);
      return named !== null && gone.isErased(named.kind, named.value);
    });
    const parts = keys.filter((key) => BY_MEMBER.test(key) || LEDGER.test(key));
    const fields = parts.filter((key) => !whole.includes(key));
    removed += await run(
      client,
      whole.map((key) => ["unlink", key]),
    );
    removed += await run(client, await fieldsOfGone(client, fields, gone));
  }
  return removed;
}

async function fieldsOfGone(
  client: RedisClient,
  keys: readonly string[],
  gone: Gone,
): Promise<KeyedCommand[]> {
  const found = await replies<Buffer[]>(
    client,
    keys.map((key) => ["hkeys", key]),
  );
  return keys.flatMap((key, i) => {
    const named = found[i]!.map(String).filter((field) =>
      gone.isGone(LEDGER.test(key) ? field.slice(field.indexOf(":") + 1) : field),
    );
    return named.length === 0 ? [] : [["hdel", key, ...named] satisfies KeyedCommand];
  });
}

/** Who is being erased, until the last byte is gone: a run that was cut off is gone on with. */
export async function pendingErasures(client: RedisClient): Promise<string[]> {
  const commands = Array.from(
    { length: PARTITIONS },
    (_, partition): KeyedCommand => ["smembers", erasedKey(partition)],
  );
  return (await replies<Buffer[]>(client, commands)).flat().map(String);
}

export async function notePending(client: RedisClient, ids: Iterable<string>): Promise<void> {
  const commands = [...ids].map((id): KeyedCommand => ["sadd", erasedKey(partitionOf(id)), id]);
  await run(client, commands);
}

/** KEYS: a member, those pending in its partition. ARGV: its id. Returns 1 when a tombstone went. */
const dropTombstoneScript = defineScript<number>({
  name: "drop_tombstone",
  numberOfKeys: 2,
  lua: `
local removed = 0
if redis.call('HEXISTS', KEYS[1], 'x') == 1 then removed = redis.call('UNLINK', KEYS[1]) end
redis.call('SREM', KEYS[2], ARGV[1])
return removed
`,
});

/** The last trace of each: behind it the suppression list alone keeps them out. */
export async function dropTombstones(client: RedisClient, ids: Iterable<string>): Promise<void> {
  const calls = [...ids].map((id) => ({
    script: dropTombstoneScript,
    keys: [memberKey(id), erasedKey(partitionOf(id))],
    args: [id],
  }));
  for (const { error } of await pipelineScripts(client, calls)) {
    if (error !== undefined) throw toStoreError(error);
  }
}

const run = async (client: RedisClient, commands: readonly KeyedCommand[]): Promise<number> =>
  (await replies<number>(client, commands)).reduce((sum, count) => sum + count, 0);

async function replies<T>(client: RedisClient, commands: readonly KeyedCommand[]): Promise<T[]> {
  const outcomes = await groupedPipeline<T>(client, commands);
  return outcomes.map((outcome) => {
    if (outcome.error !== undefined) throw toStoreError(outcome.error);
    return outcome.value;
  });
}
