/** The whole server in process, through the real composition root; every answer held to its document. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { expect } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "../../src/config.js";
import { type JsonSchema, type Operation, openApiDocument } from "../../src/http/openapi.js";
import { createRoutes } from "../../src/http/routes.js";
import { startServer } from "../../src/server.js";
import type { Logger } from "../../src/telemetry.js";
import { silentLogger, temporaryDir } from "./redis.js";

export const ADMIN_KEY = "an-admin-key-of-tests";

/** An answer as JSON.parse gives it, already held to the OpenAPI document. */
export type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

export interface Ask {
  body?: unknown;
  /** Sent as it is. */
  raw?: string | Buffer;
  contentType?: string;
  /** null: none is sent. Default: the admin's. */
  key?: string | null;
}

export interface Serving {
  readonly url: string;
  readonly port: number;
  /** One request; fails the test when the answer is not as the OpenAPI document says. */
  ask(method: string, path: string, options?: Ask): Promise<Answer>;
  /** As `ask`, for 2xx answers: their body. */
  ok(method: string, path: string, body?: unknown): Promise<Json>;
  close(): Promise<void>;
}

/** Fields that are not described fail here; what callers get says that fields may be added. */
const contract = openApiDocument(createRoutes({ metricsOpen: true }), { closedAnswers: true });
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "api", components: contract.components });
const compiled = new Map<string, ValidateFunction>();

function checkerOf(schema: JsonSchema): ValidateFunction {
  const key = JSON.stringify(schema).replaceAll('"#/', '"api#/');
  const found = compiled.get(key) ?? ajv.compile(JSON.parse(key));
  compiled.set(key, found);
  return found;
}

const patterns = Object.entries(contract.paths)
  .map(([path, operations]) => ({
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`),
    operations,
  }))
  // `/v1/products/bulk` before `/v1/products/{id}`.
  .sort((a, b) => a.pattern.source.split("[^/]+").length - b.pattern.source.split("[^/]+").length);

function operationOf(method: string, path: string): Operation | undefined {
  const [address] = path.split("?");
  for (const { pattern, operations } of patterns) {
    const operation = operations[method.toLowerCase()];
    if (operation !== undefined && pattern.test(address!)) return operation;
  }
  return undefined;
}

function expectAsDocumented(label: string, operation: Operation, answer: Answer): void {
  const documented = operation.responses[String(answer.status)];
  expect(documented, `${label}: ${JSON.stringify(answer.body)}`).toBeDefined();
  if (documented!.content === undefined) {
    expect(answer.body, label).toBeUndefined();
    return;
  }
  const [type, media] = Object.entries(documented!.content)[0]!;
  expect(answer.headers.get("content-type"), label).toContain(type);
  if (!type.endsWith("json")) return;
  const check = checkerOf(media.schema);
  expect(check(answer.body) ? [] : check.errors, label).toEqual([]);
  if (answer.status >= 400) expect(operation["x-errors"], label).toContain(answer.body.code);
}

async function send(url: string, method: string, path: string, options: Ask): Promise<Answer> {
  const headers = new Headers();
  if (options.key !== null) headers.set("authorization", `Bearer ${options.key ?? ADMIN_KEY}`);
  const text =
    options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  if (text !== undefined) headers.set("content-type", options.contentType ?? "application/json");
  const body = text === undefined ? undefined : new Uint8Array(Buffer.from(text));
  const response = await fetch(url + path, { method, headers, body });
  const received = await response.text();
  const isJson = /json/.test(response.headers.get("content-type") ?? "");
  const parsed = received === "" ? undefined : isJson ? JSON.parse(received) : received;
  return { status: response.status, headers: response.headers, body: parsed };
}

/** A serve process of its own over the store at `target`. */
const RETRIES = 5;
const RETRY_AFTER_MS = 500;

export async function startServing(
  target: string,
  options: {
    logger?: Logger;
    environment?: Record<string, string>;
    /** Of the configuration file. */
    settings?: Record<string, unknown>;
    /** What decisions take for the real time. */
    clock?: () => number;
  } = {},
): Promise<Serving> {
  const dataDir = temporaryDir();
  const file = join(dataDir, "cuecard.yaml");
  // What the ladder does when time runs out is tested by itself: a busy machine must not take it here.
  // Nor are places drawn, unless a test asks for it.
  writeFileSync(
    file,
    stringify({ budgetMs: 10_000, exploration: { share: 0 }, ...options.settings }),
  );
  const config = loadConfig({
    CUECARD_CONFIG: file,
    PORT: "0",
    HOST: "127.0.0.1",
    DATA_DIR: dataDir,
    ADMIN_API_KEY: ADMIN_KEY,
    ...options.environment,
  });
  const server = await startServer(config, target, options.logger ?? silentLogger, {
    clock: options.clock,
  });
  const url = `http://127.0.0.1:${server.port}`;
  const ask: Serving["ask"] = async (method, path, request = {}) => {
    const answer = await send(url, method, path, request);
    const operation = operationOf(method, path);
    if (operation !== undefined) expectAsDocumented(`${method} ${path}`, operation, answer);
    return answer;
  };
  return {
    url,
    port: server.port,
    ask,
    async ok(method, path, body) {
      let answer = await ask(method, path, { body });
      // As every caller does: a disk that is busy for a second must not decide about a test.
      for (let again = 0; answer.status === 503 && again < RETRIES; again++) {
        await sleep(RETRY_AFTER_MS);
        answer = await ask(method, path, { body });
      }
      expect(answer.status, `${method} ${path}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
      return answer.body;
    },
    async close() {
      await server.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

let orders = 0;

/** A purchase as senders send it; its id and order are new with each call. */
export function aPurchaseOf(member: unknown, product: string, more: Record<string, unknown> = {}) {
  orders++;
  return {
    id: `event-${orders}`,
    type: "purchase",
    member,
    // Longer ago than what was bought rests before it is offered again.
    at: Date.now() - 48 * 3_600_000,
    order: `order-${orders}`,
    items: [{ product, quantity: 1, amount: 100 }],
    ...more,
  };
}
