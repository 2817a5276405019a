import { type ChildProcess, spawn } from "node:child_process";
import { createServer, type Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ask } from "../support/http.js";

interface Running {
  child: ChildProcess;
  /** Lines on stdout so far. */
  lines: string[];
  ended: Promise<number | null>;
}

let running: Running | undefined;
let blocker: Server | undefined;
afterEach(async () => {
  running?.child.kill("SIGTERM");
  await running?.ended;
  await new Promise((resolve) => (blocker ? blocker.close(resolve) : resolve(undefined)));
  running = undefined;
  blocker = undefined;
});

function start(port: number): Running {
  const script = new URL("../support/http-cluster.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, ["--import", "tsx", script, String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (text: string) => lines.push(...text.trim().split("\n")));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, lines, ended };
}

function listenOn(port: number): Promise<{ server: Server; port: number }> {
  return new Promise((resolve) => {
    const server = createServer().listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve({ server, port: typeof address === "object" && address ? address.port : 0 });
    });
  });
}

async function freePort(): Promise<number> {
  const { server, port } = await listenOn(0);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const headers = { connection: "close" };
const scores = (url: string, member: string) =>
  ask(url, "POST", "/v1/scores", { body: { members: [member] }, headers });

/** The process that answered, or undefined while none does. */
async function pidOf(url: string): Promise<unknown> {
  try {
    const { json } = await scores(url, "pid");
    return (json as { models: { heads: string } }).models.heads;
  } catch {
    return undefined;
  }
}

const requestsCounted = (metrics: string): number =>
  Number(/cuecard_http_requests_total\{.*\/v1\/scores".*status="200"\} (\d+)/.exec(metrics)?.[1]);

describe("several serve processes", () => {
  it("answer on one port, count together, replace a dead one, and stop when asked", async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    running = start(port);
    await expect.poll(() => running?.lines, { timeout: 20_000 }).toContain("ready");

    const pids = new Set<unknown>();
    for (let i = 0; i < 10; i++) pids.add(await pidOf(url));
    expect(pids.size).toBe(2);

    // Both workers answer the same sum, whichever of them is asked.
    for (let i = 0; i < 2; i++) {
      const metrics = await ask(url, "GET", "/metrics", { headers });
      expect(metrics.headers.get("content-type")).toContain("text/plain");
      expect(requestsCounted(metrics.text)).toBe(10);
    }

    await expect(scores(url, "die")).rejects.toThrow();
    const after = new Set<unknown>();
    await expect
      .poll(
        async () => {
          after.add(await pidOf(url));
          return [...after].some((pid) => pid !== undefined && !pids.has(pid));
        },
        { timeout: 20_000 },
      )
      .toBe(true);

    const slow = scores(url, "slow");
    await new Promise((resolve) => setTimeout(resolve, 100));
    running.child.kill("SIGTERM");
    expect((await slow).status).toBe(200);
    expect(await running.ended).toBe(0);
    expect(running.lines).toContain("closed");
  });

  it("end with one clear line when the port is in use", async () => {
    const blocked = await listenOn(0);
    blocker = blocked.server;
    running = start(blocked.port);
    expect(await running.ended).toBe(1);
    expect(running.lines).toEqual([`port_in_use: port ${blocked.port} is in use`]);
  });
});
