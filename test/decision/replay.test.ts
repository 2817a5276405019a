import { beforeAll, describe, expect, it } from "vitest";
import { type DecideDependencies, decide } from "../../src/decision/decide.js";
import { type DecisionRecord, type Recordable, recordOf } from "../../src/decision/record.js";
import { encodeDecision, unpackRecord } from "../../src/decision/record-codec.js";
import { type Replayed, replay } from "../../src/decision/replay.js";
import { whyNot } from "../../src/decision/why-not.js";
import { CuecardError } from "../../src/errors.js";
import { decodeRecord } from "../../src/events/log-record.js";
import { aPurchase } from "../support/builders.js";
import { aProduct, config, dependenciesOf, trained } from "./a-decider.js";

type Models = Pick<DecideDependencies, "heads" | "ranker">;
let models: Models;
beforeAll(async () => {
  models = await trained();
});

const failing = (name: keyof Models): Models[keyof Models] => ({
  lease: () => {
    const run = async () => {
      throw new Error("the graph broke");
    };
    const lease = models[name].lease()!;
    return { ...lease, scorer: { ...lease.scorer, run } };
  },
});
const none = { lease: () => null };
const away = async () => {
  throw new CuecardError("store_unavailable", "away");
};

/** One decision as the log would give it back, and what replays it beside models that work again. */
async function decideOnce(more: Partial<DecideDependencies>, budgetMs = 10_000) {
  const made: Recordable[] = [];
  const products = [aProduct("p1"), aProduct("p2", { price: 20 }), aProduct("p3", { margin: 3 })];
  const { dependencies } = dependenciesOf(
    { products, members: { m: { events: [aPurchase(10, ["p1"]), aPurchase(40, ["p2"])] } } },
    { ...models, ...more, record: (one) => made.push(one) },
  );
  const request = { member: "m", placement: "home", explain: true, budgetMs } as const;
  const answer = await decide(request, dependencies);
  const logged = decodeRecord(encodeDecision(recordOf(made[0]!, config)));
  if (logged.kind !== "decision") throw new Error("not a decision");
  const past = {
    heads: async () => models.heads.lease()!,
    ranker: async () => models.ranker.lease()!,
    alive: away,
    candidates: async () => dependencies.artifacts()!,
    config: () => "",
    nameOf: async () => null,
  };
  // The artifacts of a test have no version.
  const record: DecisionRecord = unpackRecord(logged);
  const versioned = { ...record, versions: { ...record.versions, candidates: "then" } };
  return { answer, record: versioned, dependencies: { ...dependencies, ...models, past } };
}
const withoutTime = ({ tookMs, ...rest }: Replayed) => JSON.stringify(rest);

describe("a decision on a lower step of the ladder", () => {
  const cases: [string, () => Partial<DecideDependencies>, string[], number?][] = [
    ["on the highest step", () => ({}), []],
    ["untrained", () => ({ heads: none, ranker: none }), ["untrained"]],
    ["with heads alone", () => ({ ranker: none }), ["untrained"]],
    ["with the ranker alone", () => ({ heads: none }), ["untrained"]],
    ["with heads that failed", () => ({ heads: failing("heads") }), ["model_failed"]],
    ["with a ranker that failed", () => ({ ranker: failing("ranker") }), ["model_failed"]],
    [
      "with one failed and one untrained",
      () => ({ heads: none, ranker: failing("ranker") }),
      ["untrained", "model_failed"],
    ],
    ["out of time", () => ({}), ["budget"], 2],
    ["that could promise nothing", () => ({ offers: { hold: away } }), ["offers_not_held"]],
    [
      "with the store away",
      () => ({ reader: { readRef: away, readRefs: away } }),
      ["store_unavailable"],
    ],
  ];

  it.each(cases)("is replayed on that step: %s", async (_, more, degraded, budgetMs) => {
    const { answer, record, dependencies } = await decideOnce(more(), budgetMs);
    expect(answer.degraded).toEqual(expect.arrayContaining(degraded));
    expect(withoutTime(await replay(record, dependencies))).toBe(withoutTime(answer));
  });
});

describe("what cannot be replayed", () => {
  it("names the version that is gone", async () => {
    const { record, dependencies } = await decideOnce({});
    const gone = async (): Promise<never> => {
      throw new CuecardError("model_unknown", "gone");
    };
    for (const name of ["heads", "ranker", "candidates"] as const) {
      const past = { ...dependencies.past, [name]: gone };
      await expect(replay(record, { ...dependencies, past })).rejects.toMatchObject({
        code: "replay_unavailable",
        detail: expect.stringContaining(`${name} ${record.versions[name]}`),
      });
    }
  });
});

describe("a product that a guard keeps back", () => {
  it("is told from one that the request excluded", async () => {
    const { record, dependencies } = await decideOnce({});
    const verdict = { ...record.verdict, barredOffers: ["p2"] };
    expect(await whyNot({ ...record, verdict }, "p2", dependencies)).toMatchObject({
      fate: "not_a_candidate",
      code: "offer_barred",
    });
    const request = { ...record.request, exclude: ["p2"] };
    expect(await whyNot({ ...record, request }, "p2", dependencies)).toMatchObject({
      code: "excluded_by_request",
    });
  });
});
