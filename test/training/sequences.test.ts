import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../src/training/random.js";
import { evaluateSequences, type SequencesReport } from "../../src/training/sequences.js";
import { splitSequences } from "../../src/training/sequences-protocol.js";
import { readSequences } from "../../src/training/sequences-read.js";
import { compareMethods } from "../../src/training/sequences-report.js";
import { aClickLog } from "./a-click-log.js";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "cuecard-sequences-"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function fileOf(name: string, content: string): string {
  const path = join(dir, name);
  writeFileSync(path, name.endsWith(".gz") ? gzipSync(content) : content);
  return path;
}

const figure = (report: SequencesReport, method: string, k: number) =>
  report.figures.find((each) => each.method === method && each.k === k);

/** Members who buy their staple every basket and a pair of things that go together, now and then. */
function habits(members: number): Record<string, number[][]> {
  const random = seededRandom(7);
  const baskets: Record<string, number[][]> = {};
  for (let m = 0; m < members; m++) {
    const staple = 100 + Math.floor(random() * 40);
    const theme = 10 * Math.floor(random() * 6);
    baskets[`u${m}`] = Array.from({ length: 6 }, () => {
      const other = theme + Math.floor(random() * 5);
      return random() < 0.8 ? [staple, other] : [other, 200 + Math.floor(random() * 60)];
    });
  }
  return baskets;
}

describe("reading logs", () => {
  it("takes baskets from JSON, gzipped or not, and skips the marks of begin and end", async () => {
    const file = fileOf("b.json.gz", JSON.stringify({ a: [[-1], [1, 2, 2], [3], [-1]] }));
    const future = fileOf("f.json", JSON.stringify({ a: [[-1], [4], [-1]], stranger: [[9]] }));
    const data = await readSequences({ file, future, format: "baskets-json" });
    expect(data.users).toHaveLength(1);
    const names = data.users[0].baskets.map(({ items }) => items.map((item) => data.items[item]));
    expect(names).toEqual([["1", "2"], ["3"], ["4"]]);
  });

  it("groups rows into baskets, leaves returns and incomplete rows out, and says so", async () => {
    const rows = [
      "who,what,when,order,Quantity",
      "u,tea,2024-01-02 10:00:00,o2,1",
      "u,cup,2024-01-01 09:00,o1,1",
      "u,tea,2024-01-02 10:05:00,o2,2",
      "u,pot,2024-01-02 10:05:00,o2,1",
      "u,cup,2024-01-03,o3,-1",
      ",cup,2024-01-03,o4,1",
    ];
    const file = fileOf("c.csv", rows.join("\n"));
    const columns = { user: "who", item: "what", time: "when", basket: "order" };
    const data = await readSequences({ file, format: "columns", ...columns });
    expect(data.users[0].baskets).toEqual([
      { at: Date.UTC(2024, 0, 1, 9), items: [expect.any(Number)] },
      { at: Date.UTC(2024, 0, 2, 10), items: [expect.any(Number), expect.any(Number)] },
    ]);
    expect(data.notes).toEqual([
      "1 rows without user, item or time left out",
      "1 rows with a quantity that is not positive left out",
    ]);
  });

  it("takes sequences from JSON and from lines", async () => {
    const json = fileOf("s.json", JSON.stringify([["a", "b", "a"], ["c"]]));
    const lines = fileOf("s.txt", "a b a\nc\n");
    for (const file of [json, lines]) {
      const data = await readSequences({ file, format: "sequences" });
      expect(data.users.map(({ baskets }) => baskets.length)).toEqual([3, 1]);
    }
  });

  it("names the fault of a file it cannot read", async () => {
    const read = (name: string, content: string, format: "columns" | "baskets-json") =>
      readSequences({ file: fileOf(name, content), format, user: "u", item: "i", time: "t" });
    await expect(read("x.json", "{", "baskets-json")).rejects.toMatchObject({
      code: "file_invalid",
    });
    await expect(read("y.json", '{"a": [1]}', "baskets-json")).rejects.toThrow("list of baskets");
    await expect(read("z.csv", "u,i\n1,2\n", "columns")).rejects.toThrow("there is no column t");
    await expect(
      readSequences({ file: join(dir, "missing.json"), format: "sequences" }),
    ).rejects.toMatchObject({ code: "file_invalid" });
  });
});

describe("protocols", () => {
  const timed = () => {
    const rows = ["user,item,time"];
    for (let day = 1; day <= 28; day++) {
      for (const user of ["a", "b", "c"]) {
        rows.push(`${user},${user}${day},2024-02-${String(day).padStart(2, "0")}`);
      }
    }
    const source = { format: "columns", user: "user", item: "item", time: "time" } as const;
    return readSequences({ file: fileOf("t.csv", rows.join("\n")), ...source });
  };

  it("learn nothing from the instant of a cut on, in every round", async () => {
    const data = await timed();
    const split = splitSequences(data, "time:2024-02-20");
    expect(split.test.asOf).toBe(Date.UTC(2024, 1, 20));
    expect(split.test.cases.map(({ target }) => data.items[target[0]])).toEqual([
      "a20",
      "b20",
      "c20",
    ]);
    for (const round of [...split.training, split.test]) {
      expect(round.purchases.every(({ at }) => at < round.asOf)).toBe(true);
      for (const each of round.cases) {
        expect(each.past.every(({ at }) => at < round.asOf)).toBe(true);
        expect(each.now).toBe(round.asOf);
      }
    }
    for (const round of split.training) {
      for (const { target, past } of round.cases) {
        // The basket after the past, and before what the test asks for.
        expect(data.items[target[0]]).toMatch(new RegExp(`${past.length + 1}$`));
        expect(past.length + 1).toBeLessThan(20);
      }
    }
  });

  it("hold the last basket out of everything, and the one before it out of the ranker's artifacts", async () => {
    const data = await timed();
    const { test, training } = splitSequences(data, "last-basket");
    const bought = (round: typeof test) =>
      round.purchases.flatMap(({ lines }) => lines.map(({ product }) => product));
    expect(bought(test)).not.toContain("a28");
    expect(bought(test)).toContain("a27");
    expect(bought(training[0])).not.toContain("a27");
    expect(training[0].cases.map(({ target }) => data.items[target[0]])).toEqual([
      "a27",
      "b27",
      "c27",
    ]);
  });

  it("ask for the last item alone, with the rest of its basket in the cart", async () => {
    const file = fileOf("one.json", JSON.stringify({ a: [[1], [2, 3], [4, 5, 6]], b: [[7, 8]] }));
    const data = await readSequences({ file, format: "baskets-json" });
    const { test, training } = splitSequences(data, "leave-one-out");
    const shown = (items: readonly number[]) => items.map((item) => data.items[item]);
    const asked = ({ cases }: typeof test) =>
      cases.map(({ user, past, cart, target }) => [
        user,
        past.map(({ items }) => shown(items)),
        shown(cart),
        shown(target),
      ]);
    expect(asked(test)).toEqual([
      ["a", [["1"], ["2", "3"]], ["4", "5"], ["6"]],
      ["b", [], ["7"], ["8"]],
    ]);
    expect(asked(training[0])).toEqual([["a", [["1"]], ["2"], ["3"]]]);
    const known = training[0].purchases.flatMap(({ lines }) => lines.map(({ product }) => product));
    expect(known).toEqual(["1", "2"]);
  });

  it("ask for every step of a late session and learn from sessions that ended before", async () => {
    const lines = Array.from({ length: 20 }, (_, i) => `x${i} y${i} z${i}`).join("\n");
    const file = fileOf("walks.txt", lines);
    const data = await readSequences({ file, format: "sequences" });
    const { test } = splitSequences(data, "next-in-session");
    expect(test.cases).toHaveLength(8);
    expect(test.sessions).toHaveLength(16);
    expect(test.cases[1].session.map((item) => data.items[item])).toEqual(["x16", "y16"]);
  });

  it("end a session where its visitor is silent for half an hour, and leave single items out", async () => {
    const rows = ["who,what,when"];
    for (let day = 1; day <= 10; day++) {
      const date = `2024-03-${String(day).padStart(2, "0")}`;
      rows.push(`v,a${day},${date} 10:00`, `v,b${day},${date} 10:20`, `v,c${day},${date} 11:00`);
    }
    const columns = { user: "who", item: "what", time: "when" };
    const file = fileOf("visits.csv", rows.join("\n"));
    const data = await readSequences({ file, format: "columns", ...columns });
    const { test, notes } = splitSequences(data, "next-in-session");
    expect(test.cases.map(({ target }) => data.items[target[0]])).toEqual(["b9", "b10"]);
    expect(test.sessions).toHaveLength(8);
    expect(notes).toEqual([
      "10 sessions of a single item left out",
      "2 steps lead to an item no earlier session held: misses for all",
    ]);
  });

  it("say what is wrong with a log of sessions that cannot be asked", async () => {
    const columns = { format: "columns", user: "s", item: "i" } as const;
    const single = Array.from({ length: 50 }, (_, i) => `s${i},x,2024-01-01 00:${10 + i}`);
    const file = fileOf("single.csv", ["s,i,t", ...single].join("\n"));
    const data = await readSequences({ file, ...columns, time: "t" });
    expect(() => splitSequences(data, "next-in-session")).toThrow(
      "50 sessions, 0 of them with two items or more",
    );
    await expect(readSequences({ file, ...columns })).rejects.toThrow("--format sequences");
    const untimed = fileOf("untimed.csv", "s,i,t\na,x,soon\na,y,later\n");
    await expect(readSequences({ file: untimed, ...columns, time: "t" })).rejects.toThrow(
      "none of 2 rows has a user, an item and a time",
    );
  });

  it("refuse an unknown protocol and a file that leaves nothing to ask", async () => {
    const data = await timed();
    expect(() => splitSequences(data, "guess")).toThrow("none of last-basket");
    expect(() => splitSequences(data, "time:2030-01-01")).toThrow("not_enough_data");
    expect(() => splitSequences(data, "time:soon")).toThrow("usage");
  });
});

describe("evaluateSequences", () => {
  it("beats popularity, reports figures with intervals, and writes what it recommended", async () => {
    const file = fileOf("habits.json", JSON.stringify(habits(300)));
    const out = join(dir, "recs.csv");
    const steps = new Set<string>();
    const report = await evaluateSequences(
      {
        file,
        format: "baskets-json",
        protocol: "last-basket",
        k: [5, 10],
        out,
        rounds: 40,
        threads: 1,
      },
      ({ step }) => steps.add(step),
    );
    expect(report).toMatchObject({ users: 300, cases: 300, protocol: "last-basket" });
    const own = figure(report, "cuecard", 5)?.recall ?? 0;
    expect(own).toBeGreaterThan(2 * (figure(report, "popularity", 5)?.recall ?? 1));
    expect(own).toBeLessThanOrEqual(report.candidateRecall.all);
    const gain = report.differences.find(
      ({ against, k, metric }) => against === "popularity" && k === 5 && metric === "recall",
    );
    expect(gain?.interval.low).toBeGreaterThan(0);
    expect(gain?.interval.low).toBeLessThan(gain?.difference ?? 0);
    expect(gain?.interval.high).toBeGreaterThan(gain?.difference ?? 1);
    const rows = readFileSync(out, "utf8").trimEnd().split("\n");
    expect(rows[0]).toBe("case,user,rank,item,score");
    expect(rows).toHaveLength(1 + 300 * 10);
    expect(steps).toEqual(new Set(["read", "learn", "train", "recommend", "measure"].slice(1)));
  });

  it("finds the next item of a session more often than what followed the last item before", async () => {
    const file = fileOf("clicks.csv", aClickLog(2500));
    const report = await evaluateSequences({
      file,
      format: "columns",
      user: "session",
      item: "item",
      time: "time",
      protocol: "next-in-session",
      k: [20],
      maxTrainingCases: 1500,
      rounds: 40,
      threads: 1,
    });
    const hit = (method: string) => figure(report, method, 20)?.phr ?? 0;
    const rank = (method: string) => figure(report, method, 20)?.mrr ?? 0;
    expect(report.figures.map(({ method }) => method)).toEqual([
      "cuecard",
      "popularity",
      "recency",
      "item_knn",
      "session_knn",
    ]);
    expect(hit("session_knn")).toBeGreaterThan(2 * hit("popularity"));
    expect(rank("session_knn")).toBeGreaterThan(rank("item_knn"));
    const ahead = report.differences.find(
      ({ against, metric }) => against === "item_knn" && metric === "phr",
    );
    expect(ahead?.interval.low).toBeGreaterThan(0);
  });

  it("finds nothing where there is nothing: permuted targets", async () => {
    const baskets = Object.entries(habits(300));
    const permuted = Object.fromEntries(
      baskets.map(([user, own], i) => {
        const stranger = baskets[(i + 97) % baskets.length][1];
        return [user, [...own.slice(0, -1), stranger[stranger.length - 1]]];
      }),
    );
    const file = fileOf("permuted.json", JSON.stringify(permuted));
    const options = {
      format: "baskets-json",
      protocol: "last-basket",
      k: [5],
      rounds: 40,
      threads: 1,
    } as const;
    const report = await evaluateSequences({ file, ...options });
    const gain = report.differences.find(({ metric }) => metric === "recall");
    expect(gain?.interval.low).toBeLessThan(0.02);
  });

  it("computes the baselines: personal frequency with ties by first appearance, alone and filled up", async () => {
    const baskets: Record<string, number[][]> = {
      // The target is the second of two equals, then something only popularity brings.
      tie: [[1], [2], [2]],
      fill: [[3], [3], [9]],
      other: [[9], [9], [4]],
    };
    for (let i = 0; i < 40; i++)
      baskets[`more${i}`] = [
        [9, 5],
        [9, 5],
        [5, 9],
        [9, 6],
      ];
    const file = fileOf("ties.json", JSON.stringify(baskets));
    const out = {
      format: "baskets-json",
      protocol: "last-basket",
      k: [1, 2],
      rounds: 5,
      threads: 1,
    } as const;
    const report = await evaluateSequences({ file, ...out, byUser: true });
    // tie: item 1 first (miss at 1, hit at 2); fill: 3 then 9 (hit at 2); other: 9 then 5 (miss);
    // more: 9 of {9, 6} at 1, 9 and 5 at 2.
    expect(figure(report, "gp_topfreq", 1)?.recall).toBeCloseTo((40 * 0.5) / 43);
    expect(figure(report, "gp_topfreq", 2)?.recall).toBeCloseTo((1 + 1 + 40 * 0.5) / 43);
    expect(figure(report, "gp_topfreq", 2)?.phr).toBeCloseTo(42 / 43);
    expect(figure(report, "personal_frequency", 2)?.recall).toBeCloseTo((1 + 40 * 0.5) / 43);
    // The latest basket's first item is 5 for the many, and 2 for the tie.
    expect(figure(report, "recency", 1)?.recall).toBeCloseTo(1 / 43);
    // tie's 2 and the 9 of the many are repeats; fill's 9, other's 4 and the 6 are new.
    expect(figure(report, "gp_topfreq", 2)?.recall_repeat).toBeCloseTo(1);
    expect(figure(report, "gp_topfreq", 2)?.recall_explore).toBeCloseTo(1 / 42);
    expect(figure(report, "gp_topfreq", 2)?.mrr).toBeCloseTo((0.5 + 0.5 + 40) / 43);
    const own = report.byUser?.find(({ method, k }) => method === "gp_topfreq" && k === 2);
    expect(report.userIds?.slice(0, 3)).toEqual(["tie", "fill", "other"]);
    expect([...(own?.values.recall.slice(0, 4) ?? [])]).toEqual([1, 1, 0, 0.5]);
    expect(own?.values.recall_repeat[1]).toBeNaN();
  });
});

describe("compareMethods", () => {
  it("resamples users, and gives the interval of the paired difference", () => {
    const random = seededRandom(3);
    const cases = Array.from({ length: 400 }, (_, i) => ({
      user: `u${Math.floor(i / 4)}`,
      now: 0,
      past: [],
      cart: [],
      session: [],
      target: [random() < 0.4 ? 1 : 2],
    }));
    const lists = (items: number[]) => cases.map(() => items);
    const { figures, differences } = compareMethods(
      [
        ["cuecard", lists([1])],
        ["popularity", lists([1])],
        ["recency", lists([3])],
      ],
      cases,
      { k: [1] },
    );
    const share = cases.filter(({ target }) => target[0] === 1).length / 400;
    expect(figures[0].recall).toBeCloseTo(share);
    // Four independent cases a user: the interval is that of 400 draws, within a third.
    const { low, high } = figures[0].intervals.recall;
    const width = 2 * 1.96 * Math.sqrt((share * (1 - share)) / 400);
    expect(high - low).toBeGreaterThan(width / 1.33);
    expect(high - low).toBeLessThan(width * 1.33);
    const against = (method: string) =>
      differences.find((each) => each.against === method && each.metric === "recall");
    expect(against("popularity")).toMatchObject({ difference: 0, interval: { low: 0, high: 0 } });
    expect(against("recency")?.interval).toEqual(figures[0].intervals.recall);
    expect(figures[0].recall_repeat).toBeNaN();
  });

  it("draws all cases of a user together", () => {
    const cases = Array.from({ length: 400 }, (_, i) => ({
      user: `u${Math.floor(i / 100)}`,
      now: 0,
      past: [],
      cart: [],
      session: [],
      target: [i < 200 ? 1 : 2],
    }));
    const { figures } = compareMethods([["cuecard", cases.map(() => [1])]], cases, { k: [1] });
    expect(figures[0].intervals.recall).toEqual({ low: 0, high: 1 });
  });
});
