import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockDataDir, prepareDataDir, toDataDirError } from "../../src/redis/data-dir.js";
import { processMark } from "../../src/redis/process-mark.js";
import { temporaryDir } from "../support/redis.js";

let dir: string;

beforeEach(() => {
  dir = temporaryDir();
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const lockPath = () => join(dir, "cuecard.lock");

describe("the lock of the data directory", () => {
  it("is refused while its holder lives, naming the holder's pid", () => {
    const unlock = lockDataDir(dir);
    expect(() => lockDataDir(dir)).toThrow(
      expect.objectContaining({
        code: "data_dir_locked",
        detail: expect.stringContaining(String(process.pid)),
      }),
    );
    unlock();
    expect(existsSync(lockPath())).toBe(false);
    lockDataDir(dir)();
  });

  it("is taken over from a dead holder", async () => {
    const child = spawn("sleep", ["60"]);
    const pid = child.pid as number;
    writeFileSync(lockPath(), JSON.stringify({ pid, mark: processMark(pid) }));
    expect(() => lockDataDir(dir)).toThrow(/data_dir_locked/);
    await new Promise((resolve) => {
      child.once("exit", resolve);
      child.kill("SIGKILL");
    });
    lockDataDir(dir)();
  });

  it("is taken over when the holder's pid was given to another process", () => {
    writeFileSync(lockPath(), JSON.stringify({ pid: process.pid, mark: "an earlier run" }));
    const unlock = lockDataDir(dir);
    expect(JSON.parse(readFileSync(lockPath(), "utf8"))).toMatchObject({
      mark: processMark(process.pid),
    });
    unlock();
  });

  it("is taken over when the file is empty or broken", () => {
    for (const content of ["", "{", "null", '{"pid":"1"}']) {
      writeFileSync(lockPath(), content);
      lockDataDir(dir)();
    }
  });

  it("is not given back by someone who no longer holds it", () => {
    const unlock = lockDataDir(dir);
    writeFileSync(lockPath(), JSON.stringify({ pid: 1, mark: "another" }));
    unlock();
    expect(existsSync(lockPath())).toBe(true);
  });
});

describe("the data directory", () => {
  it("is made with everything above it", async () => {
    await prepareDataDir(join(dir, "a", "b"));
    expect(existsSync(join(dir, "a", "b"))).toBe(true);
  });

  it("cannot be a file", async () => {
    writeFileSync(join(dir, "file"), "");
    await expect(prepareDataDir(join(dir, "file"))).rejects.toMatchObject({
      code: "data_dir_unwritable",
    });
    await expect(prepareDataDir(join(dir, "file", "below"))).rejects.toMatchObject({
      code: "data_dir_unwritable",
    });
  });

  it("that is full is named as such", () => {
    let fault: unknown;
    try {
      writeFileSync("/dev/full", "x");
    } catch (error) {
      fault = toDataDirError(error, dir);
    }
    if (existsSync("/dev/full")) expect(fault).toMatchObject({ code: "disk_full" });
  });
});
