import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ERRORS } from "../../src/errors.js";
import { eventInputSchema } from "../../src/events/event.js";
import { createApp } from "../../src/http/app.js";
import { Exchange, mount } from "../../src/http/exchange.js";
import {
  type JsonSchema,
  type Media,
  type OpenApiDocument,
  type Operation,
  openApiDocument,
} from "../../src/http/openapi.js";
import { createRoutes } from "../../src/http/routes.js";
import {
  type Answer,
  ask,
  memoryServices,
  silentLogger,
  startFront,
  type TestServer,
  testKeys,
} from "../support/http.js";
import { type Json, SchemaValues } from "../support/json-schema-values.js";

const routes = createRoutes({ metricsOpen: true });
/** Answers may hold nothing that is not described. */
const closed = openApiDocument(routes, { closedAnswers: true });
const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "api", components: closed.components });
const compiled = new Map<string, ValidateFunction>();

/** A checker for a schema of the document, whose references lead into its components. */
function checkerOf(schema: JsonSchema): ValidateFunction {
  const key = JSON.stringify(schema);
  const found = compiled.get(key) ?? ajv.compile(JSON.parse(key.replaceAll('"#/', '"api#/')));
  compiled.set(key, found);
  return found;
}

interface Documented {
  label: string;
  method: string;
  path: string;
  operation: Operation;
}

const documentedIn = (document: OpenApiDocument): Documented[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      label: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
const operations = documentedIn(closed);

/** Ids under which the memory services hold something, or a name they know. */
const filled = (path: string): string =>
  path.replace("/models/{name}", "/models/heads").replace(/\{\w+\}/g, "a%2F%F0%9F%99%82%20b");

const bodyOf = (operation: Operation): [string, Media] | undefined =>
  Object.entries(operation.requestBody?.content ?? {})[0];

/** The answer is one of those documented, and looks as documented. */
function expectDocumented(answer: Answer, { label, operation }: Documented): void {
  const documented = operation.responses[String(answer.status)];
  expect(documented, `${label} answered ${answer.status}: ${answer.text}`).toBeDefined();
  if (documented.content === undefined) {
    expect(answer.text, label).toBe("");
    return;
  }
  const [type, media] = Object.entries(documented.content)[0];
  expect(answer.headers.get("content-type"), label).toContain(type);
  if (type.endsWith("json")) {
    const check = checkerOf(media.schema);
    expect(check(answer.json) ? [] : check.errors, `${label}: ${answer.text}`).toEqual([]);
  }
  if (answer.status >= 400) expect(operation["x-errors"], label).toContain(answer.json?.code);
}

describe("the OpenAPI document", () => {
  it("is valid OpenAPI 3.1", async () => {
    const open = openApiDocument(routes);
    const result = await new Validator().validate(JSON.parse(JSON.stringify(open)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  it("describes exactly the routes that are mounted", () => {
    const exchange = new Exchange({
      services: memoryServices(),
      keys: testKeys,
      logger: silentLogger,
    });
    const app = createApp(routes.map(mount), exchange);
    const mounted = app.router.stack.flatMap(({ route }) =>
      route === undefined
        ? []
        : route.stack.map(
            ({ method }) =>
              `${method.toUpperCase()} ${String(route.path).replace(/:(\w+)/g, "{$1}")}`,
          ),
    );
    expect(mounted.sort()).toEqual(operations.map(({ label }) => label).sort());
  });

  it("gives each operation its own name, and every error code a place in the registry", () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { operation } of operations) {
      for (const code of operation["x-errors"]) expect(ERRORS).toHaveProperty(code);
    }
  });

  it("lets answers gain fields", () => {
    const { Product, ProductInput } = openApiDocument(routes).components.schemas;
    expect(Product.additionalProperties).toBeUndefined();
    expect(ProductInput.additionalProperties).toBe(false);
  });

  it("shows examples that fit their schemas", () => {
    let shown = 0;
    for (const { label, operation } of operations) {
      const answers = Object.values(operation.responses).map(({ content }) => content);
      for (const content of [operation.requestBody?.content, ...answers]) {
        for (const media of Object.values(content ?? {})) {
          if (media.example === undefined) continue;
          shown++;
          const check = checkerOf(media.schema);
          expect(check(media.example) ? [] : check.errors, label).toEqual([]);
        }
      }
    }
    expect(shown).toBeGreaterThan(20);
  });
});

/** As the event service does: each event judged by its own schema. */
const services = memoryServices({
  ingestEvents: async (events) => {
    const rejected = events.flatMap((event, index) =>
      eventInputSchema.safeParse(event).success
        ? []
        : [{ index, code: "invalid_request" as const, detail: "no event" }],
    );
    return { accepted: events.length - rejected.length, duplicates: 0, rejected };
  },
});

/** Whether the server took all of a body: nothing refused, as a whole or within. */
function isTaken(answer: Answer): boolean {
  if (answer.status < 300) {
    return ((answer.json?.rejected ?? []) as unknown[]).length === 0;
  }
  // A well-formed request for a record that is not there was taken as a request.
  if (answer.status === 404) return true;
  const codes = ["invalid_request", "malformed_json", "batch_too_large"];
  expect(codes, answer.text).toContain(answer.json?.code);
  return false;
}

describe("the server", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startFront({ services });
    const address = filled("/v1/members/{id}");
    expect((await ask(server.url, "PUT", address, { body: {} })).status).toBe(200);
  });
  afterAll(() => server.close());

  it("serves the document it was checked by", async () => {
    const answer = await ask(server.url, "GET", "/openapi.json", { scope: null });
    expect(answer.json).toEqual(JSON.parse(JSON.stringify(openApiDocument(routes))));
  });

  it.each(operations.map((one) => [one.label, one] as const))(
    "%s asks for a key as documented, and answers as documented",
    async (_label, documented) => {
      const { method, path, operation } = documented;
      const media = bodyOf(operation);
      const request =
        media === undefined
          ? {}
          : {
              raw: JSON.stringify(media[1].example ?? {}),
              headers: { "content-type": media[0] },
            };
      const anonymous = await ask(server.url, method, filled(path), { ...request, scope: null });
      expect(anonymous.status === 401).toBe(operation.security.length > 0);
      expectDocumented(anonymous, documented);
      expectDocumented(await ask(server.url, method, filled(path), request), documented);
      for (const scope of ["serve", "ingest", "pop", "web", "dialer"] as const) {
        if (operation.security.length === 0) break;
        const answer = await ask(server.url, method, filled(path), { ...request, scope });
        const allowed = operation["x-scopes"].includes(scope);
        expect(answer.json?.code !== "scope_missing", `${scope} ${answer.status}`).toBe(allowed);
      }
    },
  );

  const withBody = operations.filter(({ operation }) => bodyOf(operation) !== undefined);
  it.each(withBody.map((one) => [one.label, one] as const))(
    "%s takes what its schema takes and refuses what it refuses",
    async (_label, documented) => {
      const { method, path, operation } = documented;
      const [type, media] = bodyOf(operation)!;
      const check = checkerOf(media.schema);
      const values = new SchemaValues(closed.components.schemas);
      const seen = { taken: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(values.nearby(media.schema), async (body) => {
          const sent = method === "POST" ? body : withoutId(body);
          const raw = JSON.stringify(sent);
          const headers = { "content-type": type };
          const answer = await ask(server.url, method, filled(path), { raw, headers });
          const taken = isTaken(answer);
          expect(taken, `${raw}: ${answer.text}`).toBe(check(sent));
          expectDocumented(answer, documented);
          seen[taken ? "taken" : "refused"]++;
        }),
        { numRuns: 60 },
      );
      expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(0);
    },
  );
});

/** A record's id in its body has to be the one of its address: said in words, not in the schema. */
function withoutId(body: Json): Json {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  if (typeof body.id !== "string") return body;
  const { id: _id, ...rest } = body;
  return rest;
}
