/** `cuecard work` as a person starts it, and the process of the heavy job it runs. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { environmentWith } from "../../src/config.js";
import { JOB_NAMES } from "../../src/jobs/job.js";
import { compiledMain } from "./spawned-serve.js";

export interface JobProcess {
  readonly nice: number;
  /** Processor seconds so far. */
  readonly cpuSeconds: number;
}

export interface SpawnedWork {
  /** null while no heavy job runs. */
  jobProcess(): JobProcess | null;
  stop(): Promise<void>;
}

/** Nothing runs on a schedule: only what is asked for. */
export function spawnWork(store: {
  readonly target: string;
  readonly dataDir: string;
}): SpawnedWork {
  const file = `${store.dataDir}/work.yaml`;
  const off = JOB_NAMES.map((name) => `  ${name}: null\n`).join("");
  writeFileSync(file, `jobs:\n${off}`);
  const child = spawn(process.execPath, [compiledMain, "work"], {
    stdio: ["ignore", "ignore", "inherit"],
    env: environmentWith({
      REDIS_URL: store.target,
      DATA_DIR: store.dataDir,
      CUECARD_CONFIG: file,
      LOG_LEVEL: "error",
    }),
  });
  return {
    jobProcess: () => jobProcessOf(child.pid!),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function jobProcessOf(parent: number): JobProcess | null {
  const table = execFileSync("ps", ["-A", "-o", "ppid=,ni=,time=,args="], { encoding: "utf8" });
  for (const line of table.split("\n")) {
    const [, ppid, nice, time, args] = /^\s*(\d+)\s+(-?\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (Number(ppid) === parent && / job \w+$/.test(args)) {
      return { nice: Number(nice), cpuSeconds: secondsOf(time) };
    }
  }
  return null;
}

/** `hh:mm:ss`, with days before it where there are any. */
const secondsOf = (time: string): number =>
  time.split(/[-:]/).reduce((sum, part) => sum * 60 + Number(part), 0);
