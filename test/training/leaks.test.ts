/** The four leak tests; each shows first that it catches a planted fault. */
import { beforeAll, describe, expect, it } from "vitest";
import type { LogRecord } from "../../src/events/log-record.js";
import { type ReplayedMember, replayMembers } from "../../src/events/replay.js";
import { decodeState, EMPTY_STATE, encodeState, fold } from "../../src/features/state.js";
import { hash32 } from "../../src/redis/keys.js";
import { hydrateContext } from "../../src/scoring/hydrate-context.js";
import { type Dataset, DatasetBuilder, planSnapshots } from "../../src/training/dataset.js";
import { scoreSlice } from "../../src/training/head-figures.js";
import { rowsOf } from "../../src/training/head-rows.js";
import { auc } from "../../src/training/metrics.js";
import { seededRandom, shuffle } from "../../src/training/random.js";
import { surveyLog } from "../../src/training/survey.js";
import { trainHeads } from "../../src/training/train-heads.js";
import { loadXgboost } from "../../src/training/xgboost.js";
import { aShop, config, DAY, dataDeps, logOf, schema } from "./a-shop.js";

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
): Promise<Dataset> {
  const { survey, plan } = await planOf(records);
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
    expect(rowsOf(nothing, "purchase", "report")).toEqual(rowsOf(data, "purchase", "report"));
  });
});

describe("a replayed vector", () => {
  it("is the vector serving hydrates from its packed state", async () => {
    const { plan } = await planOf(shop);
    const index = plan.snapshots.length - 3;
    const now = plan.snapshots[index];
    const context = hydrateContext(null, now, plan.alive[index], "UTC");
    const random = seededRandom(5);
    let compared = 0;
    for (const { id, events } of await members(shop)) {
      const row = data.snapshot.findIndex(
        (snapshot, at) => snapshot === index && data.member[at] === hash32(id),
      );
      if (row === -1) continue;
      const replayed = data.rows.subarray(row * schema.length, (row + 1) * schema.length);
      // As they happened to arrive, packed and unpacked with every write.
      const known = events.filter(({ event }) => event.at <= now).map(({ event }) => event);
      const order = shuffle(Array.from(known.keys()), random);
      const arrived = order.map((position) => known[position]);
      const served = (list: typeof arrived): Float32Array => {
        let packed = encodeState(EMPTY_STATE);
        for (const event of list) packed = encodeState(fold(decodeState(packed), event));
        const out = new Float32Array(schema.length);
        schema.hydrate(decodeState(packed), context, out);
        return out;
      };
      expect(furthest(served(arrived), replayed)).toBeLessThan(1e-6);
      // Planted: a write that was lost.
      expect(furthest(served(arrived.slice(1)), replayed)).toBeGreaterThan(1e-6);
      if (++compared === 40) break;
    }
    expect(compared).toBe(40);
  });

  /** Largest relative difference; infinite when one is missing and the other is not. */
  function furthest(a: Float32Array, b: Float32Array): number {
    let most = 0;
    for (let i = 0; i < a.length; i++) {
      if (Number.isNaN(a[i]) && Number.isNaN(b[i])) continue;
      const difference = Math.abs(a[i] - b[i]) / Math.max(1, Math.abs(b[i]));
      most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
    }
    return most;
  }
});
