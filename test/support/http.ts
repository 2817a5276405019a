/** The HTTP tier in process, over services that live in memory; and a client that says little. */
import { connect } from "node:net";
import { pino } from "pino";
import type { ExperimentInput } from "../../src/catalog/experiment.js";
import type { CouponInput, Product } from "../../src/catalog/records.js";
import { CuecardError } from "../../src/errors.js";
import {
  couponReportExample,
  recommendationExample,
  scoresExample,
} from "../../src/http/examples.js";
import { rankLeadsExample } from "../../src/http/examples-leads.js";
import { experimentReportExample } from "../../src/http/examples-reports.js";
import { responseExample } from "../../src/http/examples-responses.js";
import { createFront, type Front, type FrontOptions } from "../../src/http/front.js";
import type { KeyLookup } from "../../src/http/keys.js";
import type {
  CouponService,
  JobService,
  MemberRecord,
  MemberService,
  ModelService,
  Page,
  PageRequest,
  ProductService,
  RecordService,
  Services,
  SuppressionAnswer,
  SuppressionService,
} from "../../src/http/services.js";
import { type KnownKey, SCOPES, type Scope } from "../../src/redis/api-keys.js";
import { registry } from "../../src/telemetry.js";

export const silentLogger = pino({ level: "silent" });

/** A key for each scope: `admin-key`, `serve-key`, … */
export const testKeys: KeyLookup = {
  loaded: true,
  find(key: string): KnownKey | undefined {
    const scope = SCOPES.find((one) => key === `${one}-key`);
    if (scope === undefined) return undefined;
    return { name: scope, scopes: new Set<Scope>(scope === "admin" ? SCOPES : [scope]) };
  },
};

/** Pages through the values of a map by id. */
function pageOf<T>(records: Map<string, T>, { limit, cursor }: PageRequest): Page<T> {
  const ids = [...records.keys()].sort().filter((id) => cursor === undefined || id > cursor);
  const shown = ids.slice(0, limit);
  return {
    items: shown.map((id) => records.get(id)!),
    nextCursor: ids.length > shown.length ? shown.at(-1)! : null,
  };
}

function find<T>(
  records: Map<string, T>,
  id: string,
  code:
    | "member_unknown"
    | "product_unknown"
    | "coupon_unknown"
    | "experiment_unknown"
    | "suppression_unknown",
): T {
  const record = records.get(id);
  if (record === undefined) throw new CuecardError(code, "no record has this id");
  return record;
}

const NOW = 1_777_860_900_000;
const KEPT = { active: true, createdAt: NOW, updatedAt: NOW };

function memoryMembers(): MemberService {
  const records = new Map<string, MemberRecord>();
  const write: MemberService["put"] = async (id, input) => {
    const consents = input.consents?.map((consent) => ({ ...consent, at: consent.at ?? NOW }));
    const record = { ...input, id, consents, createdAt: NOW, updatedAt: NOW };
    records.set(id, record);
    return record;
  };
  const get = async (id: string) => find(records, id, "member_unknown");
  return {
    put: write,
    get,
    patch: async (id, input) => write(id, { ...(await get(id)), ...input }),
    erase: async (id) => {
      await get(id);
      records.delete(id);
      return { id, erasedAt: NOW, completeBy: NOW + 1 };
    },
    list: async (page) => pageOf(records, page),
    merge: async (id, from) => {
      await get(from);
      return get(id);
    },
    unmerge: (id) => get(id),
    timeline: async (id) => {
      await get(id);
      return { items: [{ kind: "event", at: NOW, id: "e1", type: "view" }], nextCursor: null };
    },
    export: async (id) => ({ member: await get(id), events: [] }),
  };
}

function memoryProducts(): ProductService {
  const records = new Map<string, Product>();
  const put: ProductService["put"] = async (id, input) => {
    const record: Product = {
      active: true,
      ...input,
      id,
      createdAt: NOW,
      updatedAt: NOW,
      source: "record",
    };
    records.set(id, record);
    return record;
  };
  return {
    put,
    putMany: (products) =>
      Promise.all(
        products.map(async (product) => {
          if (product.id === "collides") return { code: "product_id_collision", detail: "p1" };
          await put(product.id, product);
          return undefined;
        }),
      ),
    get: async (id) => find(records, id, "product_unknown"),
    delete: async (id) => {
      find(records, id, "product_unknown");
      records.delete(id);
    },
    list: async (page) => pageOf(records, page),
  };
}

function memoryRecords<Input extends { active?: boolean }>(
  code: "coupon_unknown" | "experiment_unknown",
): RecordService<Input, Input & typeof KEPT & { id: string }> {
  const records = new Map<string, Input & typeof KEPT & { id: string }>();
  return {
    put: async (id, input) => {
      const record = { ...KEPT, ...input, id };
      records.set(id, record);
      return record;
    },
    get: async (id) => find(records, id, code),
    delete: async (id) => {
      find(records, id, code);
      records.delete(id);
    },
    list: async (page) => pageOf(records, page),
  };
}

function memoryCoupons(): CouponService {
  const records = memoryRecords<CouponInput>("coupon_unknown");
  return {
    ...records,
    async report(id) {
      await records.get(id);
      return { ...couponReportExample, coupon: id };
    },
  };
}

function memorySuppressions(): SuppressionService {
  const records = new Map<string, SuppressionAnswer>();
  return {
    put: async (identity, { source, reason = "do_not_contact" }) => {
      const record = { identity, hash: "h", kind: "phone", reason, source, at: NOW } as const;
      records.set(identity, record);
      return record;
    },
    get: async (identity) => find(records, identity, "suppression_unknown"),
    delete: async (identity) => {
      find(records, identity, "suppression_unknown");
      records.delete(identity);
    },
    list: async (page) => {
      const { items, nextCursor } = pageOf(records, page);
      return { items: items.map(({ identity: _, ...entry }) => entry), nextCursor };
    },
  };
}

const memoryModels: ModelService = {
  list: async () => [{ name: "heads", version: null, trainedAt: null }],
  report: async (name) => {
    if (name !== "heads") throw new CuecardError("model_unknown", "no model has this name");
    return { auc: 0.8 };
  },
  train: async (name) => {
    if (name !== "heads") throw new CuecardError("model_unknown", "no model has this name");
    return "train-1";
  },
  promote: async (name, version) => ({ name, version: version ?? "v1", trainedAt: NOW }),
  rollback: async (name) => ({ name, version: "v1", trainedAt: NOW }),
};

const memoryJobs: JobService = {
  list: async () => ({ items: [], nextCursor: null }),
  cancel: async () => {
    throw new CuecardError("job_unknown", "no job has this id");
  },
  start: async (name) => `${name}-1`,
};

/** Services in memory. `recommend` and `score` answer the examples of the documentation. */
export function memoryServices(overrides: Partial<Services> = {}): Services {
  return {
    recommend: async () => recommendationExample.response,
    score: async () => scoresExample.response,
    pop: async () => ({ contentType: "application/json", text: "{}" }),
    popFallback: () => ({ contentType: "application/json", text: "{}" }),
    ingestEvents: async (events) => ({ accepted: events.length, duplicates: 0, rejected: [] }),
    leads: { rank: async () => rankLeadsExample.response },
    members: memoryMembers(),
    products: memoryProducts(),
    coupons: memoryCoupons(),
    experiments: memoryRecords<ExperimentInput>("experiment_unknown"),
    suppressions: memorySuppressions(),
    disposition: async () => ({ contentType: "text/plain; charset=utf-8", text: "OK" }),
    dispositionFallback: () => ({ contentType: "text/plain; charset=utf-8", text: "NOT KEPT" }),
    responses: { respond: async () => responseExample.response },
    decisions: {
      get: async () => {
        throw new CuecardError("decision_unknown", "no decision has this id");
      },
      replay: async () => {
        throw new CuecardError("decision_unknown", "no decision has this id");
      },
    },
    reports: { experiments: async () => experimentReportExample },
    models: memoryModels,
    jobs: memoryJobs,
    keys: {
      create: async ({ name, scopes }) => ({
        key: "ck_test",
        record: { id: "k_1", name, scopes, createdAt: NOW },
      }),
      list: async () => [{ id: "k_1", name: "one", scopes: ["serve"], createdAt: NOW }],
      revoke: async () => {},
    },
    health: { ready: async () => ({ ready: true, store: "up" }) },
    metricsText: () => registry.metrics(),
    ...overrides,
  };
}

export interface TestServer {
  front: Front;
  port: number;
  url: string;
  close(): Promise<void>;
}

/** A front on a free port over memory services. */
export async function startFront(options: Partial<FrontOptions> = {}): Promise<TestServer> {
  const front = createFront({
    services: memoryServices(),
    keys: testKeys,
    logger: silentLogger,
    metricsOpen: true,
    ...options,
  });
  const port = await front.listen(0, "127.0.0.1");
  return { front, port, url: `http://127.0.0.1:${port}`, close: () => front.close(1_000) };
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  /** undefined when the body is no JSON. */
  json: Record<string, unknown> | undefined;
}

/** Sends one request with the key of `scope` (default admin; null: no key). */
export async function ask(
  url: string,
  method: string,
  path: string,
  options: {
    body?: unknown;
    raw?: string | Buffer;
    scope?: Scope | null;
    headers?: Record<string, string>;
  } = {},
): Promise<Answer> {
  const headers = new Headers(options.headers);
  const scope = options.scope === undefined ? "admin" : options.scope;
  if (scope !== null) headers.set("authorization", `Bearer ${scope}-key`);
  let body: string | Uint8Array<ArrayBuffer> | undefined;
  if (options.raw !== undefined) {
    // As bytes: fetch would name a content type for text.
    body = new Uint8Array(Buffer.from(options.raw));
  } else if (options.body !== undefined) {
    body = JSON.stringify(options.body);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
  }
  const response = await fetch(url + path, { method, headers, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Writes bytes to a fresh connection and reads until the server closes it. */
export function talk(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      received += text;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
    socket.write(bytes);
  });
}
