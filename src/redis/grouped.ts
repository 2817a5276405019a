/**
 * Many commands at once, on one Redis or a Cluster. A pipeline across nodes throws, so commands are
 * grouped by the node that owns their key; this is the one place that does so.
 */
import type { Redis } from "ioredis";
import { isCluster, type RedisClient } from "./clients.js";
import { slotOf } from "./slot.js";

export type RedisArgument = string | number | Buffer;

/**
 * A command in lower case and its arguments. The first argument is the key, except for `eval` and
 * `evalsha`, where it is the third. Commands without a key have no place here.
 */
export type KeyedCommand = readonly [name: string, ...args: RedisArgument[]];

/** What became of one command: an error of its own, or its reply (bulk strings as Buffers). */
export type Outcome<T = unknown> =
  | { readonly error: Error; readonly value?: undefined }
  | { readonly error?: undefined; readonly value: T };

/** Redis did not run the command but said where or when to ask again. */
const REDIRECTED = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)/;

/**
 * Runs `commands` in one pipeline a node and returns their outcomes in the order asked. Commands on
 * one key run in the order given. Never rejects: when a node is out of reach, its commands carry
 * the error and the others their replies. A command that met a moving slot is repeated on its own.
 */
export async function groupedPipeline<T = unknown>(
  client: RedisClient,
  commands: readonly KeyedCommand[],
): Promise<Outcome<T>[]> {
  const outcomes: Outcome<T>[] = new Array(commands.length);
  if (!isCluster(client)) {
    await runPipeline(client, commands, everyIndex(commands.length), outcomes);
    return outcomes;
  }
  const { groups, single } = groupByNode(
    client.slots,
    nodesByName(client.nodes("master")),
    commands,
  );
  await Promise.all(
    [...groups].map(([node, indexes]) => runPipeline(node, commands, indexes, outcomes)),
  );
  for (const indexes of groups.values()) {
    for (const index of indexes) {
      const { error } = outcomes[index];
      if (error !== undefined && REDIRECTED.test(error.message)) single.push(index);
    }
  }
  await runSingly(
    client,
    commands,
    single.sort((a, b) => a - b),
    outcomes,
  );
  return outcomes;
}

const everyIndex = (length: number): number[] => Array.from({ length }, (_, index) => index);

function keyOf([name, ...args]: KeyedCommand): string | Buffer {
  const key = name === "evalsha" || name === "eval" ? args[2] : args[0];
  return typeof key === "number" ? String(key) : key;
}

const nodesByName = (nodes: Redis[]): Map<string, Redis> =>
  new Map(nodes.map((node) => [`${node.options.host}:${node.options.port}`, node]));

/** Splits command indexes by the connection of their slot's master; `single` has none in use. */
function groupByNode(
  slots: readonly string[][],
  nodes: Map<string, Redis>,
  commands: readonly KeyedCommand[],
): { groups: Map<Redis, number[]>; single: number[] } {
  const groups = new Map<Redis, number[]>();
  const single: number[] = [];
  for (let index = 0; index < commands.length; index++) {
    const node = nodes.get(slots[slotOf(keyOf(commands[index]))]?.[0]);
    // "wait": not connected yet because nothing was ever asked; the pipeline opens it.
    if (node === undefined || (node.status !== "ready" && node.status !== "wait")) {
      single.push(index);
      continue;
    }
    const group = groups.get(node);
    if (group === undefined) groups.set(node, [index]);
    else group.push(index);
  }
  return { groups, single };
}

async function runPipeline<T>(
  node: Redis,
  commands: readonly KeyedCommand[],
  indexes: readonly number[],
  outcomes: Outcome<T>[],
): Promise<void> {
  const pipeline = node.pipeline();
  for (const index of indexes) {
    const [name, ...args] = commands[index];
    pipeline.callBuffer(name, args);
  }
  const replies = (await pipeline.exec()) ?? [];
  for (let i = 0; i < indexes.length; i++) {
    const [error, value] = replies[i];
    outcomes[indexes[i]] = error === null ? { value: value as T } : { error };
  }
}

/** Through the Cluster client, which follows redirections and waits as its role says. */
async function runSingly<T>(
  client: RedisClient,
  commands: readonly KeyedCommand[],
  indexes: readonly number[],
  outcomes: Outcome<T>[],
): Promise<void> {
  await Promise.all(
    indexes.map(async (index) => {
      const [name, ...args] = commands[index];
      try {
        outcomes[index] = { value: (await client.callBuffer(name, args)) as T };
      } catch (error) {
        outcomes[index] = { error: error as Error };
      }
    }),
  );
}
