/**
 * Connections to Redis. "serve" clients fail fast so that an answer can degrade inside its budget;
 * "work" clients wait until Redis is back, as BullMQ asks. Both reconnect for ever, recover within
 * seconds, and say once per change that the store went away or came back.
 */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import type { Logger } from "../telemetry.js";
import { GatheringRedis } from "./gathering-redis.js";

export { isStoreFull, isStoreUnavailable, toStoreError } from "./store-errors.js";

export type RedisClient = Redis | Cluster;
export type RedisRole = "serve" | "work";

export interface ConnectOptions {
  /**
   * A reply later than this rejects with "Command timed out" (the command may still have run).
   * Default for "serve" 1,000 ms, for "work" none. Reads on the hot path set their own, shorter,
   * deadline with `withDeadline`: this one also bounds the handshake of a reconnection.
   */
  commandTimeoutMs?: number;
  /** Told once when the store goes away and once when it is back. */
  logger?: Pick<Logger, "info" | "warn" | "error">;
  /** Shown by CLIENT LIST. */
  name?: string;
}

const SERVE_COMMAND_TIMEOUT_MS = 1_000;
/** A connection with commands under way and no byte for so long is dropped and made anew. */
const SERVE_SOCKET_TIMEOUT_MS = 2_000;
/** Above the longest block of a BullMQ worker (10 s). */
const WORK_SOCKET_TIMEOUT_MS = 30_000;
const MAX_RETRY_DELAY_MS = 500;

const retryStrategy = (attempt: number): number => Math.min(50 * attempt, MAX_RETRY_DELAY_MS);

/**
 * Opens a client. Returns at once; `whenReady` waits. `target`:
 * - a path (`/…/redis.sock`) or `unix:///…`: a unix socket
 * - one URL (`redis://`, `rediss://`, or bare `host:port`): one Redis
 * - several, separated by commas (one with a comma behind it will do): a Cluster's nodes
 */
export function connectRedis(
  target: string,
  role: RedisRole,
  options: ConnectOptions = {},
): RedisClient {
  const client = isClusterTarget(target)
    ? connectCluster(target, role, options)
    : connectSingle(target, role, options);
  watch(client, options.logger);
  return client;
}

export const isClusterTarget = (target: string): boolean =>
  !isSocketPath(target) && target.includes(",");

const isSocketPath = (target: string): boolean =>
  target.startsWith("/") || target.startsWith("unix:");

export const isCluster = (client: RedisClient): client is Cluster => client instanceof Cluster;

function roleOptions(role: RedisRole, options: ConnectOptions): RedisOptions {
  const common: RedisOptions = {
    // RESP2 answers are the same in content, and the connection is ready one round trip sooner.
    protocol: 2,
    disableClientInfo: true,
    enableAutoPipelining: false,
    connectionName: options.name,
    connectTimeout: 2_000,
    // While Redis reads its data back it foretells the seconds left: ask again sooner than that.
    maxLoadingRetryTime: MAX_RETRY_DELAY_MS,
    keepAlive: 10_000,
  };
  if (role === "serve") {
    return {
      ...common,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      // A write whose reply was lost is the caller's to repeat: only it knows how to do so safely.
      autoResendUnfulfilledCommands: false,
      commandTimeout: options.commandTimeoutMs ?? SERVE_COMMAND_TIMEOUT_MS,
      socketTimeout: SERVE_SOCKET_TIMEOUT_MS,
    };
  }
  return {
    ...common,
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    commandTimeout: options.commandTimeoutMs,
    socketTimeout: WORK_SOCKET_TIMEOUT_MS,
  };
}

function connectSingle(target: string, role: RedisRole, options: ConnectOptions): Redis {
  const redisOptions: RedisOptions = { ...roleOptions(role, options), retryStrategy };
  const Client = role === "serve" ? GatheringRedis : Redis;
  if (isSocketPath(target)) {
    return new Client({ ...redisOptions, path: target.replace(/^unix:(\/\/)?/, "") });
  }
  return new Client(withScheme(target), redisOptions);
}

const withScheme = (target: string): string =>
  target.includes("://") ? target : `redis://${target}`;

function connectCluster(target: string, role: RedisRole, options: ConnectOptions): Cluster {
  const urls = target
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .map((part) => new URL(withScheme(part)));
  const seeds = urls.map((url) => ({
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 6379),
  }));
  const { enableOfflineQueue, ...redisOptions } = roleOptions(role, options);
  const clusterOptions: ClusterOptions = {
    enableOfflineQueue,
    // A lost node leaves the pool and comes back with the next MOVED or refresh of the slots: only
    // so does a Cluster that moved to other addresses drain, and is found again by its seeds.
    clusterRetryStrategy: retryStrategy,
    slotsRefreshInterval: 2_000,
    slotsRefreshTimeout: 2_000,
    // Serving gives up soon (the caller's deadline is sooner still); work waits out a failover.
    maxRedirections: role === "serve" ? 5 : 1_000,
    retryDelayOnFailover: role === "serve" ? 50 : 200,
    retryDelayOnClusterDown: role === "serve" ? 50 : 200,
    retryDelayOnTryAgain: 20,
    redisOptions: {
      ...redisOptions,
      username: decodeURIComponent(urls[0].username) || undefined,
      password: decodeURIComponent(urls[0].password) || undefined,
      tls: urls[0].protocol === "rediss:" ? {} : undefined,
    },
  };
  return new Cluster(seeds, clusterOptions);
}

/** Closed on purpose: nothing to report. */
const closedByUs = new WeakSet<RedisClient>();

/** One log line per change of state; an "error" event nobody hears would end the process. */
function watch(client: RedisClient, logger: ConnectOptions["logger"]): void {
  let down = false;
  let lastError = "";
  client.on("error", (error: Error) => {
    lastError = error.message;
  });
  client.on("close", () => {
    if (closedByUs.has(client)) return;
    if (!down) logger?.error({ reason: lastError || undefined }, "store: connection lost");
    down = true;
  });
  client.on("ready", () => {
    if (down) logger?.info("store: connection is back");
    down = false;
    lastError = "";
  });
  if (isCluster(client)) watchNodes(client, logger);
}

function watchNodes(cluster: Cluster, logger: ConnectOptions["logger"]): void {
  const nodesDown = new Set<string>();
  cluster.on("node error", (error: Error, node: string) => {
    if (nodesDown.has(node)) return;
    nodesDown.add(node);
    logger?.warn({ node, reason: error.message }, "store: a node is out of reach");
  });
  cluster.on("+node", (node: Redis) => {
    const name = `${node.options.host}:${node.options.port}`;
    node.on("ready", () => {
      if (nodesDown.delete(name)) logger?.info({ node: name }, "store: a node is back");
    });
  });
}

/** Resolves when the client can serve; rejects with the last connection error after `timeoutMs`. */
export function whenReady(client: RedisClient, timeoutMs: number): Promise<void> {
  if (client.status === "ready") return Promise.resolve();
  return new Promise((resolve, reject) => {
    let lastError: Error | undefined;
    const onError = (error: Error): void => {
      lastError = error;
    };
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      client.off("ready", onReady);
      client.off("error", onError);
      settle();
    };
    const onReady = (): void => finish(resolve);
    const timer = setTimeout(
      () => finish(() => reject(lastError ?? new Error("Connection is not ready: timed out"))),
      timeoutMs,
    );
    client.on("ready", onReady);
    client.on("error", onError);
  });
}

/** Closes without waiting for Redis: pending commands are rejected. Safe to call twice. */
export function closeRedis(client: RedisClient): void {
  closedByUs.add(client);
  client.disconnect();
}

/**
 * Rejects when `promise` has not settled after `timeoutMs`. A reply that already lies in the socket
 * when this process was late (a long run of its own) still counts: the timer looks once more after
 * the next round of input. The command itself is not taken back.
 */
export function withDeadline<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new Error("Command timed out"));
    const timer = setTimeout(() => setImmediate(() => setImmediate(giveUp)), timeoutMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Every master of a Cluster, or the one Redis. For SCAN, INFO and the like, which ask a node. */
export function mastersOf(client: RedisClient): Redis[] {
  return isCluster(client) ? client.nodes("master") : [client];
}

/** All keys matching `pattern`, over every master, in batches. A key may come twice (SCAN). */
export async function* scanKeys(
  client: RedisClient,
  pattern: string,
  batchSize = 1_000,
): AsyncGenerator<string[]> {
  for (const node of mastersOf(client)) {
    let cursor = "0";
    do {
      const [next, keys] = await node.scan(cursor, "MATCH", pattern, "COUNT", batchSize);
      cursor = next;
      if (keys.length > 0) yield keys;
    } while (cursor !== "0");
  }
}
