/** The report over a real log: archive and stream, merges and erasures. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { armOf } from "../../src/decision/experiments.js";
import { archiveLog } from "../../src/events/archive.js";
import { World } from "../support/world.js";
import { anEventAt, anExperiment, anOrder, report } from "./a-log.js";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const experiment = anExperiment();
/** The first ids that fall into an arm. */
function idsIn(arm: "treated" | "holdout", count: number): string[] {
  const ids: string[] = [];
  for (let i = 0; ids.length < count; i++) {
    if (armOf(experiment, `m_${i}`, 0) === arm) ids.push(`m_${i}`);
  }
  return ids;
}
const treatedIds = idsIn("treated", 12);
const heldIds = idsIn("holdout", 12);

const figures = async () => {
  const { arms } = await report(world.log);
  return Object.fromEntries(
    arms.map(({ name, members, netSales, contacts }) => [
      name,
      [members, netSales.total, contacts.count],
    ]),
  );
};
const archive = () => archiveLog({ client: world.client, dataDir: world.dataDir });

describe("a report over the log", () => {
  it("is the same from the stream, from the archive, and from both together", async () => {
    for (const id of [...treatedIds, ...heldIds]) await world.send(id, anOrder(1, 10));
    for (const id of treatedIds) await world.send(id, anEventAt("call_outbound", 2));
    const before = await figures();
    expect(before).toEqual({ holdout: [12, 120, 0], treated: [12, 120, 12] });
    await archive();
    expect(await figures()).toEqual(before);
    for (const id of heldIds) await world.send(id, anOrder(3, 5));
    expect(await figures()).toEqual({ holdout: [12, 180, 0], treated: [12, 120, 12] });
  });

  it("counts merged members once, in the arm of the id they are now, and erased ones nowhere", async () => {
    const [target, erased] = treatedIds as [string, string];
    const [source] = heldIds as [string];
    for (const id of [target, erased, source]) {
      await world.send(id, anOrder(1, 10));
    }
    expect(await figures()).toEqual({ holdout: [1, 10, 0], treated: [2, 20, 0] });
    await world.members.merge(target, source);
    await world.send(source, anOrder(2, 7));
    expect(await figures()).toEqual({ holdout: [0, 0, 0], treated: [2, 37, 0] });
    await archive();
    await world.members.erase(erased);
    expect(await figures()).toEqual({ holdout: [0, 0, 0], treated: [1, 27, 0] });
  });
});
