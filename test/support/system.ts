/** The whole product as people run it: `node dist/main.js start` in a directory of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { redisFiles } from "../../src/redis/private-redis-files.js";
import { temporaryDir } from "./redis.js";

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const READY_MS = 40_000;
export const ADMIN_KEY = "system-test-admin-key";

export interface System {
  readonly url: string;
  readonly dataDir: string;
  /** Of the primary process. */
  readonly pid: number;
  readonly socketPath: string;
  /** Everything printed so far. */
  output(): string;
  /** Processes started by the primary with `word` among their arguments. */
  children(word: string): number[];
  redisPid(): number;
  stop(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** pid → parent pid and command line, of all processes we may see. */
function processes(): { pid: number; parent: number; command: string }[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
      return [{ pid: Number(name), parent, command }];
    } catch {
      return [];
    }
  });
}

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

/** Starts the product and resolves when it is ready to answer. `dataDir`: one used before. */
export async function startSystem(
  options: { environment?: Record<string, string>; args?: string[]; dataDir?: string } = {},
): Promise<System> {
  const dataDir = options.dataDir ?? temporaryDir();
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN, "start", ...(options.args ?? [])], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      DATA_DIR: dataDir,
      PORT: String(port),
      HOST: "127.0.0.1",
      ADMIN_API_KEY: ADMIN_KEY,
      SERVE_PROCESSES: "1",
      LOG_LEVEL: "warn",
      ...options.environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output += chunk;
  });
  const url = `http://127.0.0.1:${port}`;
  await untilReady(child, url, () => output);
  const { socket } = redisFiles(dataDir);
  return {
    url,
    dataDir,
    pid: child.pid!,
    socketPath: socket,
    output: () => output,
    children: (word) =>
      processes()
        .filter((one) => one.parent === child.pid && one.command.split(" ").includes(word))
        .map((one) => one.pid),
    redisPid: () => Number(JSON.parse(readFileSync(redisFiles(dataDir).pid, "utf8")).pid),
    stop: () => stop(child, dataDir, options.dataDir === undefined),
  };
}

async function untilReady(child: ChildProcess, url: string, output: () => string): Promise<void> {
  const deadline = Date.now() + READY_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output()}`);
    const answer = await fetch(`${url}/readyz`).catch(() => null);
    if (answer?.ok === true) return;
    await sleep(50);
  }
  child.kill("SIGKILL");
  throw new Error(`not ready after ${READY_MS} ms: ${output()}`);
}

async function stop(child: ChildProcess, dataDir: string, remove: boolean): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const kill = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(kill);
  }
  if (remove) rmSync(dataDir, { recursive: true, force: true });
}

/** One request with the admin key. */
export async function call<Body = unknown>(
  system: Pick<System, "url">,
  method: string,
  path: string,
  body?: unknown,
  timeoutMs?: number,
): Promise<{ status: number; headers: Headers; body: Body }> {
  const response = await fetch(system.url + path, {
    method,
    headers: {
      authorization: `Bearer ${ADMIN_KEY}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text === "" ? undefined : JSON.parse(text)) as Body,
  };
}
