import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { CuecardError } from "../../src/errors.js";
import { ask, memoryServices, startFront, type TestServer } from "../support/http.js";

let server: TestServer;
let log = "";
beforeAll(async () => {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      log += chunk.toString();
      done();
    },
  });
  const members = memoryServices().members;
  const services = memoryServices({
    members: {
      ...members,
      get: async () => {
        throw Object.assign(new Error("no such key m:somebody"), { command: ["HGET", "somebody"] });
      },
      erase: async () => JSON.parse("somebody"),
      export: async () => {
        throw new CuecardError("internal", "the layout is unknown", {
          cause: new TypeError("state.slice is not a function"),
        });
      },
    },
  });
  server = await startFront({ services, logger: pino({ level: "debug" }, stream) });
});
afterAll(() => server.close());
beforeEach(() => {
  log = "";
});

const lines = (): Record<string, unknown>[] =>
  log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

it("the log of a request names its route, status and time, and nothing of what was asked", async () => {
  const path = "/v1/members/somebody?cursor=somebody";
  const put = await ask(server.url, "PUT", path, { body: { name: "somebody" } });
  expect(put.status).toBe(200);
  expect(lines()).toHaveLength(1);
  expect(lines()[0]).toMatchObject({
    route: "PUT /v1/members/{id}",
    status: 200,
    requestId: put.headers.get("x-request-id"),
  });
  await ask(server.url, "GET", "/somebody");
  await ask(server.url, "GET", "/v1/members?stage=somebody");
  await ask(server.url, "PUT", path, { raw: "{somebody" });
  expect(lines()).toHaveLength(4);
  expect(log).not.toContain("somebody");
});

it("an unexpected error is logged as an error with its place in the code, not with its data", async () => {
  for (const [method, path] of [
    ["GET", "/v1/members/somebody"],
    ["DELETE", "/v1/members/somebody"],
    ["GET", "/v1/members/somebody/export"],
  ]) {
    log = "";
    const answer = await ask(server.url, method, path);
    expect(answer.status).toBe(500);
    const [failure] = lines();
    expect(failure).toMatchObject({ level: 50, requestId: answer.json?.requestId });
    expect((failure.error as { at: string[] }).at.length).toBeGreaterThan(0);
    expect(log).not.toContain("somebody");
  }
  expect(log).toContain("state.slice is not a function");
});
