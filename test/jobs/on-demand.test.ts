import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { OnDemand } from "../../src/jobs/on-demand.js";

const modulePath = fileURLToPath(new URL("./support/on-demand-child.mjs", import.meta.url));
const open: OnDemand[] = [];
function onDemand(): OnDemand {
  const one = new OnDemand({ modulePath, args: [], execArgv: [] });
  open.push(one);
  return one;
}
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

describe("work on demand", () => {
  it("is done in another process, one piece after the other", async () => {
    const work = onDemand();
    const [first, second] = await Promise.all([
      work.run("a", { waitMs: 50 }),
      work.run("b", { waitMs: 0 }),
    ]);
    expect(first).toMatchObject({ name: "a", input: { waitMs: 50 } });
    expect(first.pid).not.toBe(process.pid);
    expect(second.begun).toBeGreaterThanOrEqual(first.ended as number);
  });

  it("asked for twice at once is done once, and again when it is asked for later", async () => {
    const work = onDemand();
    const [first, same, alike] = await Promise.all([
      work.run("a", {}, "?"),
      work.run("a", { at: 1 }, "?"),
      work.run("b", {}, "?"),
    ]);
    expect(same).toEqual(first);
    expect(alike.pid).not.toBe(first.pid);
    expect((await work.run("a", {})).pid).not.toBe(first.pid);
  });

  it("is refused when too much waits, and goes on after a failure", async () => {
    const work = onDemand();
    const failing = work.run("a", { waitMs: "no number" });
    const waiting = Array.from({ length: 7 }, (_, i) => work.run("b", { i }));
    await expect(work.run("c", {})).rejects.toMatchObject({ code: "overloaded" });
    await expect(failing).rejects.toThrow();
    work.close();
    const rest = await Promise.allSettled(waiting);
    expect(rest.every(({ status }) => status === "rejected")).toBe(true);
  });

  it("ends when this process stops", async () => {
    const work = onDemand();
    const running = work.run("a", { waitMs: 60_000 });
    setTimeout(() => work.close(), 300);
    await expect(running).rejects.toMatchObject({ code: "not_ready" });
  });
});
