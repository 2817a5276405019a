/** Experiments over HTTP, the whole server over a real Redis. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestStore, testTarget } from "../support/redis.js";
import { type Serving, startServing } from "../support/serving.js";

let store: TestStore;
let server: Serving;
beforeAll(async () => {
  store = await testTarget();
  server = await startServing(store.target);
});
afterAll(async () => {
  await server.close();
  await store.stop();
});

const arms = [
  { name: "usual", share: 0.5 },
  { name: "no coupons", share: 0.3, treatment: { coupons: false } },
];

describe("experiment records", () => {
  it("are written, read, listed and deleted like every record", async () => {
    const body = { label: "Do coupons pay?", arms, holdout: 0.2, period: "month" };
    const put = await server.ok("PUT", "/v1/experiments/e1", body);
    expect(put).toMatchObject({ id: "e1", active: true, holdout: 0.2, period: "month" });
    expect(await server.ok("GET", "/v1/experiments/e1")).toEqual(put);
    await server.ok("PUT", "/v1/experiments/e2", { arms, active: false });
    const { items } = await server.ok("GET", "/v1/experiments");
    expect(items.map(({ id }: { id: string }) => id)).toEqual(["e1", "e2"]);
    expect((await server.ask("DELETE", "/v1/experiments/e2")).status).toBe(204);
    const gone = await server.ask("GET", "/v1/experiments/e2");
    expect([gone.status, gone.body.code]).toEqual([404, "experiment_unknown"]);
  });

  it("that cannot be run are refused with the place of every fault, and not kept", async () => {
    const body = {
      arms: [...arms, { name: "too many", share: 0.3 }],
      placements: ["moon"],
    };
    const answer = await server.ask("PUT", "/v1/experiments/e3", { body });
    expect([answer.status, answer.body.code]).toEqual([400, "invalid_request"]);
    expect(answer.body.errors).toEqual([
      { path: "arms", message: "shares and hold-out are 1.1 together, more than 1" },
      { path: "placements[0]", message: "placement is not declared" },
    ]);
    expect((await server.ask("GET", "/v1/experiments/e3")).status).toBe(404);
  });
});
