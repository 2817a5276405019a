import { rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../src/config.js";
import { type DoctorReport, runDoctor } from "../src/doctor.js";
import { lockDataDir } from "../src/redis/data-dir.js";
import { startTestRedis, temporaryDir } from "./support/redis.js";

let dir: string;

beforeEach(() => {
  dir = temporaryDir();
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const lineOf = (report: DoctorReport, name: string) =>
  report.lines.find((line) => line.name === name);

const examine = (env: NodeJS.ProcessEnv) =>
  runDoctor(loadConfig({ DATA_DIR: join(dir, "new"), PORT: "0", HOST: "127.0.0.1", ...env }));

describe("doctor", () => {
  it("finds a machine that passes these tests in order", async () => {
    const report = await examine({});
    expect(report.lines.filter(({ ok }) => !ok)).toEqual([]);
    expect(report.ok).toBe(true);
    expect(lineOf(report, "Redis")?.detail).toMatch(/\d+\.\d+\.\d+/);
  });

  it("names all that is missing together", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    writeFileSync(join(dir, "file"), "");
    const report = await examine({
      PORT: String(port),
      DATA_DIR: join(dir, "file", "below"),
      REDIS_URL: `unix://${dir}/none.sock`,
      XGBOOST_LIBRARY: join(dir, "libxgboost.so"),
    });
    server.close();
    const missing = report.lines.filter(({ ok }) => !ok).map(({ name }) => name);
    expect(missing).toEqual(["Redis", "XGBoost", "data directory", "port"]);
    expect(report.ok).toBe(false);
  });

  it("finds nothing wrong with a port that this directory's own Cuecard serves on, and only that", async () => {
    const said = { status: "up" };
    const server = createHttpServer((_, response) => response.end(JSON.stringify(said)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const portLine = async () =>
      lineOf(await examine({ PORT: String(port), DATA_DIR: dir }), "port");
    expect(await portLine()).toMatchObject({ ok: false });
    const unlock = lockDataDir(dir);
    expect(await portLine()).toMatchObject({
      ok: true,
      detail: `${port} answers: process ${process.pid} serves here`,
    });
    said.status = "something else";
    expect(await portLine()).toMatchObject({ ok: false });
    unlock();
    server.close();
  });

  it("does without XGBoost: serving needs none", async () => {
    const report = await examine({ XGBOOST_LIBRARY: join(dir, "libxgboost.so") });
    expect(lineOf(report, "XGBoost")).toMatchObject({ ok: false, required: false });
    expect(report.ok).toBe(true);
  });

  it("asks a given Redis and repeats what its settings mean", async () => {
    const redis = await startTestRedis();
    const report = await examine({ REDIS_URL: redis.target, DATA_DIR: redis.dataDir });
    expect(lineOf(report, "Redis")).toMatchObject({ ok: true });
    expect(lineOf(report, "data directory")?.detail).toContain(`process ${process.pid} runs here`);
    await redis.stop();
  });
});
