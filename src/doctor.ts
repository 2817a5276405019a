/** What this machine has and lacks for Cuecard: everything looked at, so that all is said at once. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { totalmem } from "node:os";
import { dirname } from "node:path";
import type { Config } from "./config.js";
import { ERRORS, isCuecardError } from "./errors.js";
import { checkRedis } from "./redis/check-redis.js";
import { closeRedis, connectRedis, whenReady } from "./redis/clients.js";
import { freeBytes, lockHolder, MIN_FREE_BYTES } from "./redis/data-dir.js";
import { atLeast, findRedisBinary } from "./redis/redis-binary.js";
import { findXgboostLibrary } from "./xgboost-library.js";

export interface DoctorLine {
  readonly name: string;
  readonly ok: boolean;
  /** One sentence: what was found, or what to do. */
  readonly detail: string;
  /** false: serving works without it. */
  readonly required: boolean;
}

export interface DoctorReport {
  /** Nothing required is missing. */
  readonly ok: boolean;
  readonly lines: readonly DoctorLine[];
}

type Finding = Pick<DoctorLine, "ok" | "detail">;

const MIN_NODE = [20, 19] as const;
const MIN_MEMORY_MIB = 512;
const REDIS_WAIT_MS = 3_000;
const HEALTH_WAIT_MS = 2_000;
const MIB = 1024 * 1024;

/** Looks at everything; never throws and changes nothing on the machine. */
export async function runDoctor(config: Config): Promise<DoctorReport> {
  const { redisUrl, queueRedisUrl } = config;
  const lines = await Promise.all([
    line("Node.js", async () => nodeVersion()),
    line("Redis", () => (redisUrl === undefined ? redisBinary() : redisAt(redisUrl))),
    ...(queueRedisUrl === undefined ? [] : [line("queue Redis", () => redisAt(queueRedisUrl))]),
    line("ONNX Runtime", onnxRuntime),
    line("XGBoost", () => xgboost(config.xgboostLibrary), false),
    line("data directory", () => dataDirectory(config.dataDir)),
    line("port", () => port(config)),
    line("memory", async () => memory(config)),
  ]);
  return { ok: lines.every(({ ok, required }) => ok || !required), lines };
}

async function line(
  name: string,
  look: () => Promise<Finding>,
  required = true,
): Promise<DoctorLine> {
  try {
    return { name, required, ...(await look()) };
  } catch (error) {
    return { name, required, ok: false, detail: explain(error) };
  }
}

function explain(error: unknown): string {
  if (isCuecardError(error)) return `${error.detail}. ${error.remedy}`;
  return error instanceof Error ? error.message : String(error);
}

function nodeVersion(): Finding {
  const ok = atLeast(process.versions.node, MIN_NODE);
  const platform = `${process.platform} ${process.arch}`;
  const detail = `${process.version} on ${platform}`;
  return { ok, detail: ok ? detail : `${detail}: install Node.js ≥ ${MIN_NODE.join(".")}` };
}

async function redisBinary(): Promise<Finding> {
  const { path, version } = await findRedisBinary();
  return { ok: true, detail: `${path} ${version}, started by Cuecard` };
}

async function redisAt(url: string): Promise<Finding> {
  const client = connectRedis(url, "serve");
  try {
    await whenReady(client, REDIS_WAIT_MS);
    const { flavour, version, warnings } = await checkRedis(client);
    return { ok: true, detail: [`${flavour} ${version} answers`, ...warnings].join("; ") };
  } catch (error) {
    // The address may hold a password: only the reason is said.
    return { ok: false, detail: `no answer: ${explain(error)}` };
  } finally {
    closeRedis(client);
  }
}

async function onnxRuntime(): Promise<Finding> {
  const runtime = await import("onnxruntime-node");
  return { ok: true, detail: `${runtime.env.versions.node ?? ""} loads`.trim() };
}

async function xgboost(override: string | undefined): Promise<Finding> {
  const path = await findXgboostLibrary(override);
  if (path !== undefined) return { ok: true, detail: path };
  const where = override === undefined ? "not found" : `${override} does not exist`;
  return { ok: false, detail: `${where}. ${ERRORS.xgboost_missing.remedy}` };
}

async function dataDirectory(dataDir: string): Promise<Finding> {
  let existing = dataDir;
  while (!existsSync(existing)) existing = dirname(existing);
  if (!statSync(existing).isDirectory() || !mayWrite(existing)) {
    return { ok: false, detail: `${existing}: ${ERRORS.data_dir_unwritable.remedy}` };
  }
  const free = await freeBytes(existing);
  const holder = lockHolder(dataDir);
  const detail = [
    `${dataDir}, ${Math.floor(free / MIB)} MiB free`,
    ...(free < MIN_FREE_BYTES ? [ERRORS.disk_full.remedy] : []),
    ...(holder === undefined ? [] : [`process ${holder} runs here now`]),
  ];
  return { ok: free >= MIN_FREE_BYTES, detail: detail.join("; ") };
}

function mayWrite(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Taken by the Cuecard that runs on this data directory it is as it should be. */
async function port({ host, port, dataDir }: Config): Promise<Finding> {
  const fault = await openingFault(host, port);
  if (fault === null) return { ok: true, detail: port === 0 ? "any" : `${port} is free` };
  const holder = lockHolder(dataDir);
  if (fault === "EADDRINUSE" && holder !== undefined && (await isCuecardAt(host, port))) {
    return { ok: true, detail: `${port} answers: process ${holder} serves here` };
  }
  const reason = fault === "EADDRINUSE" ? "is in use" : `cannot be opened (${fault})`;
  return { ok: false, detail: `${port} ${reason}. ${ERRORS.port_in_use.remedy}` };
}

/** Why nobody can listen there; null: one could. */
function openingFault(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code ?? "unknown"));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}

/** Whether what listens there says of its health what a Cuecard says. */
async function isCuecardAt(host: string, port: number): Promise<boolean> {
  const name = ["0.0.0.0", "::"].includes(host) ? "localhost" : host;
  const url = `http://${name.includes(":") ? `[${name}]` : name}:${port}/healthz`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(HEALTH_WAIT_MS) });
    return answer.ok && ((await answer.json()) as { status?: unknown }).status === "up";
  } catch {
    return false;
  }
}

function memory(config: Config): Finding {
  // A container's limit counts when it is below what the machine has.
  const limit = process.constrainedMemory();
  const totalMib = Math.floor((limit > 0 ? Math.min(limit, totalmem()) : totalmem()) / MIB);
  const availableMib = Math.floor(process.availableMemory() / MIB);
  const detail = `${availableMib} of ${totalMib} MiB available`;
  if (availableMib < MIN_MEMORY_MIB) {
    return { ok: false, detail: `${detail}: at least ${MIN_MEMORY_MIB} MiB are needed` };
  }
  const tight = config.redisUrl === undefined && config.redisMaxmemoryMb > totalMib;
  const advice = `; REDIS_MAXMEMORY_MB ${config.redisMaxmemoryMb} is more than there is`;
  return { ok: true, detail: tight ? detail + advice : detail };
}
