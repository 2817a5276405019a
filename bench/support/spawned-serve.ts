/** `cuecard serve` as a person starts it, watched until it is ready. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { environmentWith } from "../../src/config.js";
import type { StepTimes } from "../../src/start-times.js";
import { compiledPath } from "./compile.js";
import { BENCH_KEY } from "./scale-stage.js";

export interface SpawnedServe {
  readonly port: number;
  /** From the spawn to the first 200 of /readyz. */
  readonly readyMs: number;
  /** Of the serve process, by its own log line. */
  readonly steps: Readonly<Record<string, StepTimes>>;
  stop(): Promise<void>;
}

/** As production compiles it, like all else that is measured. */
export const compiledMain = compiledPath("../../src/main");
const POLL_MS = 3;
const START_MAX_MS = 60_000;

/** One serve process and its primary. */
export async function spawnServe(store: {
  readonly target: string;
  readonly dataDir: string;
}): Promise<SpawnedServe> {
  const port = await freePort();
  const begun = performance.now();
  const child = spawn(process.execPath, [compiledMain, "serve"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environmentWith({
      REDIS_URL: store.target,
      DATA_DIR: store.dataDir,
      ADMIN_API_KEY: BENCH_KEY,
      HOST: "127.0.0.1",
      PORT: String(port),
      SERVE_PROCESSES: "1",
      LOG_LEVEL: "info",
    }),
  });
  const steps = stepsIn(child);
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  };
  try {
    while (!(await isReady(port))) {
      if (child.exitCode !== null) throw new Error(`serve ended: ${child.exitCode}`);
      await sleep(POLL_MS);
    }
    const readyMs = performance.now() - begun;
    return { port, readyMs, steps: await steps, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = get({ host: "127.0.0.1", port, path: "/readyz", agent: false }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode === 200));
    });
    asked.on("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The line in which the serve process says how its start went. */
function stepsIn(child: ChildProcess): Promise<SpawnedServe["steps"]> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout!.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      const line = text.split("\n").find((one) => one.includes('"start":{') && one.endsWith("}"));
      if (line !== undefined) resolve(JSON.parse(line).start);
    });
    child.once("exit", (code) => reject(new Error(`serve ended: ${code}`)));
    setTimeout(() => reject(new Error("no line about the start")), START_MAX_MS).unref();
  });
}
