import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogRecord } from "../../src/events/log-record.js";
import { replayMembers } from "../../src/events/replay.js";
import { hash32 } from "../../src/redis/keys.js";
import { buildDataset, type Dataset, planSnapshots } from "../../src/training/dataset.js";
import { sliceSnapshots } from "../../src/training/slices.js";
import { surveyLog } from "../../src/training/survey.js";
import { anEvent, aShop, config, DAY, dataDeps, eventRecord, logOf, START } from "./a-shop.js";

const stages = config.stages;
const survey = (records: readonly LogRecord[]) => surveyLog(logOf(records), { stages });

async function dataset(records: readonly LogRecord[], options = {}): Promise<Dataset> {
  const deps = dataDeps(records);
  return buildDataset(replayMembers(deps.reader), await survey(records), deps, options);
}

/** Row of a member at the snapshot nearest before `at`. */
function rowAt(data: Dataset, member: string, at: number): number {
  const snapshot = data.snapshots.findLastIndex((instant) => instant <= at);
  return data.snapshot.findIndex((s, row) => s === snapshot && data.member[row] === hash32(member));
}
const featureOf = (data: Dataset, row: number, name: string): number =>
  data.rows[row * data.names.length + data.names.indexOf(name)];

describe("slices in time", () => {
  it("never share a day of any label's horizon", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 60 }),
        fc.boolean(),
        (gaps, horizon, shared) => {
          let at = 0;
          const snapshots = gaps.map((gap) => (at += gap));
          const end = at + 10;
          const slices = sliceSnapshots(snapshots, end, horizon, { shared });
          if (slices === null) return;
          const { train, calibrate, promote, report } = slices;
          const later = shared ? [calibrate, report] : [calibrate, promote, report];
          let before = Math.max(...train.map((index) => snapshots[index])) + horizon;
          for (const index of later) {
            expect(snapshots[index]).toBeGreaterThanOrEqual(before);
            before = snapshots[index] + horizon;
          }
          expect(before).toBeLessThanOrEqual(end);
          expect(promote === report).toBe(shared);
        },
      ),
    );
  });
});

describe("the survey", () => {
  it("does not let a few stray orders years away move the log's ends", async () => {
    const shop = aShop();
    const plain = await survey(shop);
    const strays = [START - 4000 * DAY, START + 4000 * DAY, START + 4001 * DAY].map((at) =>
      eventRecord("m1", anEvent({ at })),
    );
    const strayed = await survey([...shop, ...strays]);
    expect(strayed.from).toBe(plain.from);
    expect(strayed.to).toBe(plain.to);
    expect(strayed.orderCount).toBe(plain.orderCount + 3);
  });

  it("counts orders of nobody and returned lines in what was bought, and only before the instant", async () => {
    const lines = [{ product: "p1", quantity: 2, amount: 10 }];
    const { purchases } = await survey([
      { kind: "anonymous", at: START, lines },
      eventRecord("a", anEvent({ at: START + DAY })),
      eventRecord("a", anEvent({ at: START + 2 * DAY, type: "return" })),
      eventRecord("a", anEvent({ at: START + 9 * DAY })),
    ]);
    const before = [...purchases.before(START + 9 * DAY)];
    const quantities = before.map(({ member, lines: [line] }) => [member, line.quantity]);
    expect(quantities.sort()).toEqual([
      ["", 2],
      ["a", -1],
      ["a", 1],
    ]);
  });
});

describe("the training data set", () => {
  it("labels what was ordered within each horizon after the snapshot", async () => {
    const shop = aShop();
    const { snapshots } = planSnapshots(await survey(shop));
    const at = snapshots.at(-8)!;
    const member = (id: string, days: readonly number[]) =>
      days.map((day) => eventRecord(id, anEvent({ at: at + day * DAY })));
    const data = await dataset([
      ...shop,
      ...member("soon", [-5, 6.9]),
      ...member("later", [-5, 7.1, 8]),
      ...member("never", [-5]),
      ...member("not yet", [1]),
    ]);
    const { purchase, purchase7 } = data.heads;
    const labels = (id: string) => {
      const row = rowAt(data, id, at);
      return [purchase7.labels[row], purchase.labels[row]];
    };
    expect(labels("soon")).toEqual([1, 1]);
    expect(labels("later")).toEqual([0, 1]);
    expect(labels("never")).toEqual([0, 0]);
    expect(rowAt(data, "not yet", at)).toBe(-1);
  });

  it("asks about churn only of members active then, within their own cadence", async () => {
    const shop = aShop({ days: 500 });
    const { snapshots, heads } = planSnapshots(await survey(shop));
    const at = snapshots[heads.churn.slices.train.at(-1)!];
    // A gap of 20 days: dormant after 40.
    const weekly = (id: string, last: number, next: number) =>
      [last - 40, last - 20, last, next].map((day) =>
        eventRecord(id, anEvent({ at: at + day * DAY })),
      );
    const records = [...shop, ...weekly("kept", -5, 39), ...weekly("lost", -5, 41)];
    const data = await dataset([...records, ...weekly("gone", -41, 10)]);
    const { labels, weights } = data.heads.churn;
    const row = (id: string) => rowAt(data, id, at);
    expect([weights[row("kept")], labels[row("kept")]]).toEqual([1, 0]);
    expect([weights[row("lost")], labels[row("lost")]]).toEqual([1, 1]);
    expect(weights[row("gone")]).toBe(0);
  });

  it("takes an event that arrived late as known from its own time on", async () => {
    const shop = aShop();
    const { snapshots } = planSnapshots(await survey(shop));
    const at = snapshots.at(-5)!;
    const early = eventRecord("late", anEvent({ at: at - 50 * DAY }));
    const late = eventRecord("late", anEvent({ at: at - 2 * DAY }));
    const data = await dataset([...shop, late, early]);
    expect(featureOf(data, rowAt(data, "late", at), "order_count")).toBe(2);
    expect(featureOf(data, rowAt(data, "late", at - 10 * DAY), "order_count")).toBe(1);
  });

  it("uses the profile as it was at the snapshot", async () => {
    const shop = aShop();
    const { snapshots } = planSnapshots(await survey(shop));
    const profile = (at: number, income: number): LogRecord => ({
      kind: "profile",
      member: "p",
      subject: "p",
      at,
      profile: { id: "p", createdAt: snapshots[0] - DAY, updatedAt: at, attributes: { income } },
    });
    const data = await dataset([
      ...shop,
      eventRecord("p", anEvent({ at: snapshots[0] - 2 * DAY })),
      profile(snapshots[0] - DAY, 10),
      profile(snapshots[2] - DAY, 20),
    ]);
    const known = snapshots
      .slice(0, 4)
      .map((at) => featureOf(data, rowAt(data, "p", at), "attribute_income"));
    expect(known).toEqual([10, 10, 20, 20]);
  });

  it("keeps to its limit of rows by taking fewer members, each with all their snapshots", async () => {
    const shop = aShop();
    const all = await dataset(shop);
    const some = await dataset(shop, { rowsMax: 1000 });
    expect(some.rowCount).toBeLessThanOrEqual(1150);
    expect(some.rowCount).toBeGreaterThan(300);
    const rowsOf = (data: Dataset, member: number) =>
      data.member.filter((m) => m === member).length;
    for (const member of new Set(some.member)) {
      expect(rowsOf(some, member)).toBe(rowsOf(all, member));
    }
  });

  it("refuses logs that are too small or too short, saying what is short", async () => {
    const plan = async (records: LogRecord[]) => planSnapshots(await survey(records));
    const short = (detail: RegExp) =>
      expect.objectContaining({ code: "not_enough_data", detail: expect.stringMatching(detail) });
    await expect(plan(aShop({ members: 10 }))).rejects.toThrow(short(/orders; at least 300/));
    await expect(plan(aShop({ members: 900, days: 70 }))).rejects.toThrow(short(/over \d+ days/));
    await expect(plan([])).rejects.toThrow(short(/^0 orders/));
  });
});
