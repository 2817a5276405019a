/**
 * A script whose write must outlive the node that ran it: where the node has replicas, one of them has
 * the write before this returns. Where it has none there is nothing to wait for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { CuecardError } from "../errors.js";
import { isCluster, type RedisClient, toStoreError } from "./clients.js";
import type { RedisArgument } from "./grouped.js";
import type { Script } from "./scripts.js";
import { slotOf } from "./slot.js";

/** A replica that answers takes well below a millisecond; others on the connection wait as long. */
const CONFIRM_MS = 300;
const ATTEMPTS = 6;
const PAUSE_MS = 40;
/** Refused before it ran: another node, or this one later, takes it. */
const NOT_RUN = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|READONLY|LOADING|NOSCRIPT)/;

/** Connection → replicas that confirm: 0 or 1, as its node said last. */
const confirming = new WeakMap<Redis, number>();

/**
 * All keys share a slot. The script must be safe to repeat, and write whenever it grants something, so that a repetition has
 * something to wait for. Throws `store_unavailable` (it may have run) and `store_full`.
 */
export async function runReplicated<T>(
  client: RedisClient,
  script: Script<T>,
  keys: readonly string[],
  args: readonly RedisArgument[],
): Promise<T> {
  let whole = false;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const node = nodeOf(client, keys[0]!);
    if (node === undefined) {
      await lookAgain(client, attempt);
      continue;
    }
    const asked = confirming.get(node) ?? 0;
    const call = { script, whole, keys, args, asked };
    const { error, value, confirmed, replicas } = await attemptOn<T>(node, call);
    if (error !== undefined) {
      if (!NOT_RUN.test(error.message)) throw toStoreError(error);
      if (error.message.startsWith("NOSCRIPT")) whole = true;
      else await lookAgain(client, attempt);
      continue;
    }
    confirming.set(node, Math.min(1, replicas));
    if (confirmed >= Math.min(1, replicas)) return value as T;
    // The first time, or since a replica came: asked once more, now with the wait.
    if (asked > 0) break;
  }
  throw new CuecardError("store_unavailable", "no replica confirmed the write in time", {
    retryAfterSeconds: 1,
  });
}

interface Call {
  readonly script: Script;
  /** The node does not know the script: its text goes along. */
  readonly whole: boolean;
  readonly keys: readonly string[];
  readonly args: readonly RedisArgument[];
  /** Replicas waited for. */
  readonly asked: number;
}

interface Attempt<T> {
  readonly error?: Error;
  readonly value?: T;
  /** Replicas that have the write. */
  readonly confirmed: number;
  readonly replicas: number;
}

/** One pipeline, since a wait counts the writes of its own connection only. */
async function attemptOn<T>(
  node: Redis,
  { script, whole, keys, args, asked }: Call,
): Promise<Attempt<T>> {
  const pipeline = node.pipeline();
  pipeline.callBuffer(whole ? "eval" : "evalsha", [
    whole ? script.lua : script.sha,
    keys.length,
    ...keys,
    ...args,
  ]);
  pipeline.call("wait", [asked, CONFIRM_MS]);
  pipeline.call("role", []);
  const replies = await pipeline.exec().catch((error: Error) => error);
  if (replies instanceof Error) return { error: replies, confirmed: 0, replicas: 0 };
  const [ran, waited, role] = replies ?? [];
  // A connection lost behind the script: the write may be gone with its node.
  const error = ran?.[0] ?? waited?.[0] ?? undefined;
  if (error !== undefined) return { error, confirmed: 0, replicas: 0 };
  const connected = (role?.[1] as unknown[] | undefined)?.[2];
  return {
    value: ran?.[1] as T,
    confirmed: Number(waited?.[1] ?? 0),
    replicas: Array.isArray(connected) ? connected.length : 0,
  };
}

function nodeOf(client: RedisClient, key: string): Redis | undefined {
  if (!isCluster(client)) return client;
  const name = client.slots[slotOf(key)]?.[0];
  return client
    .nodes("master")
    .find(
      ({ options, status }) =>
        `${options.host}:${options.port}` === name && (status === "ready" || status === "wait"),
    );
}

/** After a failover the slots lie elsewhere. */
async function lookAgain(client: RedisClient, attempt: number): Promise<void> {
  await sleep(PAUSE_MS * (attempt + 1));
  if (isCluster(client)) await new Promise<void>((done) => client.refreshSlotsCache(() => done()));
}
