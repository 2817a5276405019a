import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { archiveLog } from "../../src/events/archive.js";
import { timelineOf } from "../../src/events/timeline.js";
import { aPurchase, World } from "../support/world.js";

let world: World;
beforeAll(async () => {
  world = await World.open();
});
afterAll(() => world.close());
beforeEach(() => world.clear());

const timeline = (id: string, limit: number, cursor?: string) =>
  timelineOf(world.log, { id }, { limit, cursor });

describe("timelineOf", () => {
  it("pages from the newest event to the oldest, each once, those of merged members included", async () => {
    await world.send("m1", aPurchase({ id: "a", at: 10_000 }), aPurchase({ id: "b", at: 900 }));
    await archiveLog({ client: world.client, dataDir: world.dataDir });
    await world.send("m2", aPurchase({ id: "c", at: 5_000 }), aPurchase({ id: "d", at: 5_000 }));
    await world.send("m3", aPurchase());
    await world.members.merge("m1", "m2");
    const ids: unknown[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await timeline("m1", 2, cursor);
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor ?? undefined;
      pages++;
    } while (cursor !== undefined);
    expect(ids).toEqual(["a", "d", "c", "b"]);
    expect(pages).toBe(2);
    const [, merged] = (await timeline("m1", 2)).items;
    expect(merged).toMatchObject({ kind: "event", subject: "m2", type: "purchase", at: 5_000 });
  });

  it("is empty for somebody without history and refuses a made-up cursor", async () => {
    expect(await timeline("nobody", 10)).toEqual({ items: [], nextCursor: null });
    await expect(timeline("nobody", 10, "xyz")).rejects.toMatchObject({ code: "invalid_request" });
  });
});
