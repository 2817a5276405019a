/**
 * Lua scripts: declared once, sent by their hash, loaded where a node does not know them.
 * Every script opens with its inputs, outputs and error codes; all keys of a call share a slot.
 */
import { createHash } from "node:crypto";
import type { RedisClient } from "./clients.js";
import { mastersOf } from "./clients.js";
import { groupedPipeline, type KeyedCommand, type Outcome, type RedisArgument } from "./grouped.js";

/** A script whose reply is a `T`: numbers, Buffers for strings, arrays, null. */
export interface Script<T = unknown> {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
  /** Number of keys every call passes; undefined: it varies. */
  readonly numberOfKeys?: number;
  /** Type only: never set. */
  readonly reply?: T;
}

export interface ScriptCall<T = unknown> {
  readonly script: Script<T>;
  /** At least one, all in one slot: the first decides the node. */
  readonly keys: readonly (string | Buffer)[];
  readonly args: readonly RedisArgument[];
}

const registry = new Map<string, Script>();

/** Declares a script. A name stands once in the product: errors and slow logs are traced by it. */
export function defineScript<T = unknown>(definition: {
  name: string;
  lua: string;
  numberOfKeys?: number;
}): Script<T> {
  const known = registry.get(definition.name);
  if (known !== undefined && known.lua !== definition.lua) {
    throw new Error(`script ${definition.name} is defined twice`);
  }
  const sha = createHash("sha1").update(definition.lua).digest("hex");
  const script: Script<T> = { ...definition, sha };
  registry.set(definition.name, script);
  return script;
}

const isNoScript = (error: Error | undefined): boolean =>
  error !== undefined && /NOSCRIPT/.test(error.message);

function commandOf(verb: "evalsha" | "eval", call: ScriptCall): KeyedCommand {
  const { script, keys, args } = call;
  if (keys.length === 0 || (script.numberOfKeys ?? keys.length) !== keys.length) {
    throw new Error(`script ${script.name} takes ${script.numberOfKeys ?? "1+"} keys`);
  }
  return [verb, verb === "evalsha" ? script.sha : script.lua, keys.length, ...keys, ...args];
}

/** Runs one script. Rejects with the error of Redis or of the connection (see `toStoreError`). */
export async function runScript<T>(
  client: RedisClient,
  script: Script<T>,
  keys: readonly (string | Buffer)[],
  args: readonly RedisArgument[] = [],
): Promise<T> {
  const call = { script, keys, args };
  const [name, ...rest] = commandOf("evalsha", call);
  try {
    return (await client.callBuffer(name, rest)) as T;
  } catch (error) {
    if (!isNoScript(error as Error)) throw error;
    const [fallback, ...fallbackArgs] = commandOf("eval", call);
    return (await client.callBuffer(fallback, fallbackArgs)) as T;
  }
}

/**
 * Runs many scripts, one pipeline a node, outcomes in the order asked, an error per call. Calls of
 * the same script on the same key run in the order given.
 */
export async function pipelineScripts<T>(
  client: RedisClient,
  calls: readonly ScriptCall<T>[],
): Promise<Outcome<T>[]> {
  const commands = calls.map((call) => commandOf("evalsha", call));
  const outcomes = await groupedPipeline<T>(client, commands);
  const unknown = outcomes.flatMap((outcome, index) => (isNoScript(outcome.error) ? [index] : []));
  if (unknown.length === 0) return outcomes;
  await loadScripts(client, new Set(unknown.map((index) => calls[index].script)));
  const repeated = await groupedPipeline<T>(
    client,
    unknown.map((index) => commands[index]),
  );
  for (let i = 0; i < unknown.length; i++) outcomes[unknown[i]] = repeated[i];
  // A node that became master just now may still not know the script: ask it with the whole text.
  for (const index of unknown) {
    if (isNoScript(outcomes[index].error)) outcomes[index] = await runWhole(client, calls[index]);
  }
  return outcomes;
}

async function runWhole<T>(client: RedisClient, call: ScriptCall<T>): Promise<Outcome<T>> {
  try {
    return { value: await runScript(client, call.script, call.keys, call.args) };
  } catch (error) {
    return { error: error as Error };
  }
}

/** Loads scripts on every master that can be reached; one that cannot keeps its own error. */
async function loadScripts(client: RedisClient, scripts: Iterable<Script>): Promise<void> {
  const loads: Promise<unknown>[] = [];
  for (const script of scripts) {
    for (const node of mastersOf(client)) loads.push(node.script("LOAD", script.lua));
  }
  await Promise.allSettled(loads);
}
