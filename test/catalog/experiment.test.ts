import { describe, expect, it } from "vitest";
import {
  type ExperimentInput,
  experimentFaults,
  experimentInputSchema,
} from "../../src/catalog/experiment.js";
import { STAGES } from "../../src/decision/answer.js";

const declared = {
  channels: [{ id: "phone" }, { id: "sms" }],
  placements: [{ id: "outbound" }],
  stages: STAGES,
};

const anInput = (over: Record<string, unknown> = {}): ExperimentInput =>
  experimentInputSchema.parse({ arms: [{ name: "a", share: 0.5 }], ...over });

const faultsOf = (over: Record<string, unknown>, id = "e1") =>
  experimentFaults(id, anInput(over), declared).map(({ path }) => path);

describe("an experiment", () => {
  it("stands for always, holds nobody out and treats nobody otherwise unless it says so", () => {
    expect(anInput()).toEqual({
      arms: [{ name: "a", share: 0.5, treatment: {} }],
      holdout: 0,
      period: "always",
    });
  });

  it("may share out all members, with the hold-out, and not one more", () => {
    const arms = ["a", "b", "c"].map((name) => ({ name, share: 0.3 }));
    expect(faultsOf({ arms, holdout: 0.1 })).toEqual([]);
    expect(faultsOf({ arms, holdout: 0.101 })).toEqual(["arms"]);
  });

  it("names every fault by its path", () => {
    const arms = [
      { name: "a", share: 0.1, treatment: { channels: ["sms", "pigeon"] } },
      { name: "a", share: 0.1 },
      { name: "holdout", share: 0.1 },
    ];
    const over = {
      arms,
      placements: ["outbound", "moon"],
      stages: ["asleep", "new"],
      from: "2026-05-02T00:00:00Z",
      until: "2026-05-01T00:00:00Z",
    };
    expect(faultsOf(over, "holdout")).toEqual([
      "id",
      "arms[0].treatment.channels[1]",
      "arms[1].name",
      "arms[2].name",
      "placements[1]",
      "stages[0]",
      "until",
    ]);
  });

  it.each([
    { holdout: 0.51 },
    { arms: [] },
    { arms: [{ name: "a", share: 1.1 }] },
    { arms: [{ name: "a", share: 0.1, treatment: { coupon: false } }] },
    { period: "week" },
  ])("is refused by its schema: %j", (over) => {
    const input = { arms: [{ name: "a", share: 0.5 }], ...over };
    expect(experimentInputSchema.safeParse(input).success).toBe(false);
  });
});
