/**
 * A lock whose holder can prove it is still the latest. Each holder gets a fencing token, larger
 * than every one before; a process that was paused past its time finds that a later token was given
 * and cannot publish any more. What is published in another slot may carry the token along.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CuecardError } from "../errors.js";
import { type RedisClient, withDeadline } from "./clients.js";
import { fenceKey, lockKey } from "./keys.js";
import { defineScript, runScript } from "./scripts.js";

export interface Lease {
  readonly name: string;
  /** Grows with every holder of this name, for ever. */
  readonly token: number;
  /** Fires when the lease was lost, and when the signal given to `withLease` does. */
  readonly signal: AbortSignal;
  /**
   * To be awaited right before publishing: renews, so that a whole `ttlMs` lies ahead. Throws
   * `lease_lost` when another holder came, or the reason of `signal` when that fired.
   */
  assertHeld(): Promise<void>;
}

export interface LeaseOptions {
  /** Ends the wait for the lease, and fires the lease's own signal. */
  readonly signal?: AbortSignal;
  /** How long to wait for the holder before; default 0: `lease_held` at once. */
  readonly waitMs?: number;
}

const MAX_POLL_MS = 250;
const RELEASE_DEADLINE_MS = 1_000;

/**
 * KEYS: lock, fence. ARGV: ttl in ms.
 * Returns {token, 0}, or {0, ms until the lock expires} while someone holds it.
 */
const acquireScript = defineScript<[number, number]>({
  name: "lease_acquire",
  numberOfKeys: 2,
  lua: `
local left = redis.call('PTTL', KEYS[1])
if left > 0 then return {0, left} end
local token = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return {token, 0}
`,
});

/**
 * KEYS: lock, fence. ARGV: token, ttl in ms. Returns 1 when held for the ttl from now, else 0.
 * A lock that expired while nobody else came is taken again: exclusion was never broken. One that
 * was given back is not: its fence moved on.
 */
const renewScript = defineScript<number>({
  name: "lease_renew",
  numberOfKeys: 2,
  lua: `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
});

/** KEYS: lock, fence. ARGV: token. Returns 1 when it was this token's to give back. */
const releaseScript = defineScript<number>({
  name: "lease_release",
  numberOfKeys: 2,
  lua: `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('INCR', KEYS[2])
redis.call('DEL', KEYS[1])
return 1
`,
});

const keysOf = (name: string): [string, string] => [lockKey(name), fenceKey(name)];

const lost = (name: string): CuecardError =>
  new CuecardError("lease_lost", `another process took over ${name}`);

/**
 * Runs `work` as the only holder of `name`, renewing in the background, and gives the lease back
 * after. Throws `lease_held` when another holds it beyond `waitMs`. Errors of `work` pass through.
 *
 * Losing Redis does not end the work: `assertHeld` decides once Redis answers again.
 */
export async function withLease<T>(
  client: RedisClient,
  name: string,
  ttlMs: number,
  work: (lease: Lease) => Promise<T>,
  options: LeaseOptions = {},
): Promise<T> {
  const token = await acquire(client, name, ttlMs, options);
  const loss = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, loss.signal]) : loss.signal;
  const stopRenewing = keepRenewed(client, name, token, ttlMs, () => loss.abort(lost(name)));
  try {
    return await work(leaseWithToken(client, name, token, ttlMs, signal));
  } finally {
    stopRenewing();
    // Best effort: when Redis is away the lock expires by itself.
    const release = runScript(client, releaseScript, keysOf(name), [token]);
    await withDeadline(release, RELEASE_DEADLINE_MS).catch(() => undefined);
  }
}

/**
 * The lease another process of ours acquired and renews, seen by its token: a child process checks
 * with it before publishing, while its parent keeps it alive.
 */
export function leaseWithToken(
  client: RedisClient,
  name: string,
  token: number,
  ttlMs: number,
  signal: AbortSignal,
): Lease {
  return {
    name,
    token,
    signal,
    async assertHeld() {
      signal.throwIfAborted();
      if (!(await renew(client, name, token, ttlMs))) throw lost(name);
      signal.throwIfAborted();
    },
  };
}

async function acquire(
  client: RedisClient,
  name: string,
  ttlMs: number,
  { signal, waitMs = 0 }: LeaseOptions,
): Promise<number> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    signal?.throwIfAborted();
    const [token, leftMs] = await runScript(client, acquireScript, keysOf(name), [ttlMs]);
    if (token > 0) return token;
    if (Date.now() >= deadline) {
      throw new CuecardError("lease_held", `another process works on ${name}`);
    }
    // The loop says why when the signal fired.
    await sleep(Math.min(leftMs + 1, MAX_POLL_MS), undefined, { signal }).catch(() => undefined);
  }
}

const renew = async (
  client: RedisClient,
  name: string,
  token: number,
  ttlMs: number,
): Promise<boolean> => (await runScript(client, renewScript, keysOf(name), [token, ttlMs])) === 1;

/** Renews every third of `ttlMs`; returns how to stop. */
function keepRenewed(
  client: RedisClient,
  name: string,
  token: number,
  ttlMs: number,
  onLost: () => void,
): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const beat = async (): Promise<void> => {
    // A failed call says nothing about the lease: the next one does.
    const held = await renew(client, name, token, ttlMs).catch(() => true);
    if (stopped) return;
    if (held) schedule();
    else onLost();
  };
  const schedule = (): void => {
    timer = setTimeout(beat, Math.ceil(ttlMs / 3));
    timer.unref();
  };
  schedule();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
