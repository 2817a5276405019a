/** The four leak tests; each shows first that it catches a planted fault. */
import { beforeAll, describe, expect, it } from "vitest";
import type { LogRecord } from "../../src/events/log-record.js";
import { type ReplayedMember, replayMembers } from "../../src/events/replay.js";
import type { AliveModel } from "../../src/features/alive.js";
import { decodeState, EMPTY_STATE, encodeState, fold } from "../../src/features/state.js";
import { hash32 } from "../../src/redis/keys.js";
import { hydrateContext } from "../../src/scoring/hydrate-context.js";
import {
  type Dataset,
  DatasetBuilder,
  type Plan,
  planSnapshots,
  statesAt,
} from "../../src/training/dataset.js";
import { scoreSlice } from "../../src/training/head-figures.js";
import { rowsOf } from "../../src/training/head-rows.js";
import { auc } from "../../src/training/metrics.js";
import { seededRandom, shuffle } from "../../src/training/random.js";
import {
  type LogPosition,
  replayVector,
  type VectorQuestion,
  vectorDifference,
} from "../../src/training/replay-vector.js";
import { fitAliveAsOf, type Survey, surveyLog } from "../../src/training/survey.js";
import { trainHeads } from "../../src/training/train-heads.js";
import { loadXgboost } from "../../src/training/xgboost.js";
import {
  anEvent,
  aShop,
  config,
  DAY,
  dataDeps,
  eventRecord,
  logOf,
  START,
  schema,
} from "./a-shop.js";

const xgboost = loadXgboost();
const shop = aShop({ members: 200 });
const members = async (records: readonly LogRecord[]): Promise<ReplayedMember[]> => {
  const replayed: ReplayedMember[] = [];
  for await (const member of replayMembers(logOf(records))) replayed.push(member);
  return replayed;
};
const planOf = async (records: readonly LogRecord[]) => {
  const survey = await surveyLog(logOf(records), { stages: config.stages });
  return { survey, plan: planSnapshots(survey) };
};

/** `distort` plants a fault between the replay and the data set. */
async function build(
  records: readonly LogRecord[],
  distort: (member: ReplayedMember) => ReplayedMember = (member) => member,
  distortPlan: (plan: Plan, survey: Survey) => Plan = (plan) => plan,
): Promise<Dataset> {
  const { survey, plan: honest } = await planOf(records);
  const plan = distortPlan(honest, survey);
  const builder = new DatasetBuilder(survey, plan, dataDeps(records));
  for (const member of await members(records)) builder.add(distort(member));
  return builder.finish();
}

let data: Dataset;
beforeAll(async () => {
  data = await build(shop);
});

describe("features at t0", () => {
  /** Every event after t0 comes five days later; the last order of the log stays where it is. */
  function shifted(t0: number, end: number): LogRecord[] {
    return shop.map((record) =>
      record.kind === "event" && record.event.at > t0
        ? { ...record, event: { ...record.event, at: Math.min(record.event.at + 5 * DAY, end) } }
        : record,
    );
  }
  /** Member, snapshot and values of all rows up to t0. */
  function rowsUpTo(set: Dataset, t0: number): Map<string, string> {
    const rows = new Map<string, string>();
    for (let row = 0; row < set.rowCount; row++) {
      const at = set.snapshots[set.snapshot[row]];
      if (at > t0) continue;
      const values = set.rows.subarray(row * set.names.length, (row + 1) * set.names.length);
      rows.set(`${set.member[row]} ${at}`, values.join());
    }
    return rows;
  }
  const differing = (a: Map<string, string>, b: Map<string, string>): number =>
    [...a].filter(([key, values]) => b.get(key) !== values).length;

  it("do not change when everything after t0 is shifted", async () => {
    const { plan } = await planOf(shop);
    const t0 = plan.snapshots[Math.floor(plan.snapshots.length / 2)];
    const moved = await build(shifted(t0, plan.end));
    const [before, after] = [rowsUpTo(data, t0), rowsUpTo(moved, t0)];
    expect(before.size).toBeGreaterThan(1000);
    expect(after.size).toBe(before.size);
    expect(differing(before, after)).toBe(0);
    expect(moved.heads.purchase.labels).not.toEqual(data.heads.purchase.labels);

    // Planted: a vector that sees three days ahead.
    const peeking = (member: ReplayedMember): ReplayedMember => ({
      ...member,
      events: member.events.map(({ subject, event }) => ({
        subject,
        event: { ...event, at: event.at - 3 * DAY },
      })),
    });
    const peeked = await build(shop, peeking);
    const movedPeek = await build(shifted(t0, plan.end), peeking);
    expect(differing(rowsUpTo(peeked, t0), rowsUpTo(movedPeek, t0))).toBeGreaterThan(0);

    // Planted: a table joined on what was only known at the end, here P(alive) parameters.
    const joined = (own: Plan, survey: Survey): Plan => {
      const late = fitAliveAsOf(survey, survey.to + 1);
      return { ...own, alive: own.alive.map(() => late) };
    };
    const [late, movedLate] = [
      await build(shop, undefined, joined),
      await build(shifted(t0, plan.end), undefined, joined),
    ];
    expect(differing(rowsUpTo(late, t0), rowsUpTo(movedLate, t0))).toBeGreaterThan(0);
  });
});

describe("a label copied into a feature", () => {
  const withColumn = (column: string, valueAt: (row: number) => number): Dataset => {
    const rows = data.rows.slice();
    const at = data.names.indexOf(column);
    for (let row = 0; row < data.rowCount; row++) rows[row * data.names.length + at] = valueAt(row);
    return { ...data, rows };
  };
  const train = (set: Dataset) =>
    trainHeads(set, schema.hash, { baselines: false, xgboost, rounds: 5 });
  const refusal = (detail: RegExp) =>
    expect.objectContaining({ code: "model_invalid", detail: expect.stringMatching(detail) });

  it("is refused by name, also upside down, noisy, or told by being missing", async () => {
    const { labels } = data.heads.purchase;
    const random = seededRandom(3);
    const copies = [
      (row: number) => labels[row],
      (row: number) => -labels[row],
      (row: number) => labels[row] + random() * 1.2,
      (row: number) => (labels[row] === 1 ? 7 : Number.NaN),
    ];
    for (const copy of copies) {
      const attempt = train(withColumn("attribute_income", copy));
      await expect(attempt).rejects.toThrow(refusal(/^purchase leaks into attribute_income/));
    }
  });

  it("is not suspected of honest features", async () => {
    await expect(train(data)).resolves.toBeDefined();
  });
});

describe("permuted labels", () => {
  /** AUC on the report slice in standard errors from 0.5 (Mann–Whitney under no effect). */
  async function deviations(set: Dataset): Promise<number> {
    const { bytes } = await trainHeads(set, schema.hash, { baselines: false, xgboost, rounds: 40 });
    const { margins, labels } = await scoreSlice(bytes, set, "purchase", "report");
    const positives = labels.reduce((sum, label) => sum + label, 0);
    const negatives = labels.length - positives;
    const error = Math.sqrt((positives + negatives + 1) / (12 * positives * negatives));
    return (auc(margins, labels) - 0.5) / error;
  }

  it("teach nothing that holds later, while the real ones do", async () => {
    const random = seededRandom(11);
    const permuted = { ...data.heads.purchase, labels: data.heads.purchase.labels.slice() };
    for (const at of new Set(data.snapshot)) {
      const rows = Array.from(data.snapshot.keys()).filter((row) => data.snapshot[row] === at);
      const drawn = shuffle([...rows], random);
      rows.forEach((row, index) => {
        permuted.labels[row] = data.heads.purchase.labels[drawn[index]];
      });
    }
    const nothing = { ...data, heads: { ...data.heads, purchase: permuted } };
    expect(Math.abs(await deviations(nothing))).toBeLessThan(3);
    expect(await deviations(data)).toBeGreaterThan(3);

    // Planted: a column that knows the permuted labels, too faintly to be refused for it.
    const column = nothing.names.indexOf("attribute_income");
    const rows = nothing.rows.slice();
    for (let row = 0; row < nothing.rowCount; row++) {
      rows[row * nothing.names.length + column] = permuted.labels[row] + random() * 1.8;
    }
    expect(await deviations({ ...nothing, rows })).toBeGreaterThan(3);
    expect(rowsOf(nothing, "purchase", "report")).toEqual(rowsOf(data, "purchase", "report"));
  }, 90_000);
});

describe("a replayed vector", () => {
  const [late, member] = [START + 30 * DAY, "arrives late"];
  const known = [0, 10, 60].map((day) => eventRecord(member, anEvent({ at: START + day * DAY })));
  const arrival = eventRecord(member, anEvent({ at: late, id: "late" }));
  const records = [...shop, ...known, arrival];
  const reader = logOf(records);
  const deps = { reader, schema, timezone: "UTC" };

  /** What serving would have logged after each write of some members: vector, instant, position. */
  async function loggedVectors(alive: AliveModel | null) {
    const packed = new Map<string, Buffer>();
    const logged: { question: VectorQuestion; values: Float32Array; next?: LogPosition }[] = [];
    const latest = new Map<string, (typeof logged)[number]>();
    for await (const { record, partition, logId } of reader.read()) {
      if (record.kind !== "event") continue;
      const before = latest.get(record.member);
      if (before !== undefined) before.next = { partition, logId };
      const state = fold(decodeState(packed.get(record.member) ?? null), record.event);
      packed.set(record.member, encodeState(state));
      const now = record.event.at + DAY / 2;
      const values = new Float32Array(schema.length);
      const context = hydrateContext(null, now, alive, "UTC");
      schema.hydrate(decodeState(packed.get(record.member)!), context, values);
      const question = { member: record.member, now, alive, partition, logId };
      latest.set(record.member, { question, values });
      logged.push(latest.get(record.member)!);
    }
    return logged;
  }

  it("is the vector logged with the decision, in log order and up to the recorded id", async () => {
    const { plan } = await planOf(shop);
    const logged = await loggedVectors(plan.alive.at(-1) ?? null);
    const asked = logged.filter((_, index) => index % Math.floor(logged.length / 12) === 0);
    let peeks = 0;
    for (const { question, values, next } of asked) {
      const replayed = await replayVector(deps, question);
      expect(vectorDifference(replayed!, values)).toBeLessThan(1e-6);
      // Planted: a replay that reads one record further.
      if (next === undefined) continue;
      const peeked = await replayVector(deps, { ...question, ...next });
      expect(vectorDifference(peeked!, values)).toBeGreaterThan(1e-6);
      peeks++;
    }
    expect(asked.length).toBeGreaterThan(10);
    expect(peeks).toBeGreaterThan(5);
  });

  it("leaves out what happened before and was written after", async () => {
    const logged = await loggedVectors(null);
    const { question, values } = logged.findLast(
      ({ question: { member: id, now } }) => id === member && now > START + 60 * DAY,
    )!;
    expect(vectorDifference((await replayVector(deps, question))!, values)).toBeLessThan(1e-6);
    // Planted: a replay by the time of events, as an import of old orders is learnt from.
    const [replayed] = (await members(records)).filter(({ id }) => id === member);
    const [{ state }] = [...statesAt(replayed, [question.now])];
    const byTime = new Float32Array(schema.length);
    schema.hydrate(state, hydrateContext(null, question.now, null, "UTC"), byTime);
    expect(vectorDifference(byTime, values)).toBeGreaterThan(1e-6);
  });

  it("is null where the log knew nothing of the member", async () => {
    const [{ question }] = await loggedVectors(null);
    expect(await replayVector(deps, { ...question, member: "nobody" })).toBeNull();
  });

  it("is the training row of the same instant where everything was written in its own time", async () => {
    const { plan } = await planOf(shop);
    const index = plan.snapshots.length - 3;
    const [now, alive] = [plan.snapshots[index], plan.alive[index]];
    const random = seededRandom(5);
    let compared = 0;
    for (const { id, events } of await members(shop)) {
      const row = data.snapshot.findIndex(
        (snapshot, at) => snapshot === index && data.member[at] === hash32(id),
      );
      if (row === -1) continue;
      const replayed = data.rows.subarray(row * schema.length, (row + 1) * schema.length);
      // As they happened to arrive, packed and unpacked with every write.
      const before = events.filter(({ event }) => event.at <= now).map(({ event }) => event);
      const order = shuffle(Array.from(before.keys()), random);
      const arrived = order.map((position) => before[position]);
      const served = (list: typeof arrived): Float32Array => {
        let packed = encodeState(EMPTY_STATE);
        for (const event of list) packed = encodeState(fold(decodeState(packed), event));
        const out = new Float32Array(schema.length);
        schema.hydrate(decodeState(packed), hydrateContext(null, now, alive, "UTC"), out);
        return out;
      };
      expect(vectorDifference(served(arrived), replayed)).toBeLessThan(1e-6);
      // Planted: a write that was lost.
      expect(vectorDifference(served(arrived.slice(1)), replayed)).toBeGreaterThan(1e-6);
      if (++compared === 40) break;
    }
    expect(compared).toBe(40);
  });
});
