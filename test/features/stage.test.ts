import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { stageOf } from "../../src/features/stage.js";
import { EMPTY_STATE, fold } from "../../src/features/state.js";
import { aPurchase, NOW } from "../support/builders.js";

const { stages } = loadConfig({});
const stageAfter = (...daysBack: number[]): string =>
  stageOf(daysBack.map((days) => aPurchase(days)).reduce(fold, EMPTY_STATE), NOW, stages);

describe("the lifecycle stage", () => {
  it("is prospect without an order and new after the first", () => {
    expect(stageAfter()).toBe("prospect");
    expect(stageAfter(10)).toBe("new");
  });

  it("is growth when the second order came within three months", () => {
    expect(stageAfter(50, 10)).toBe("growth");
  });

  it("is mature for a member who orders regularly", () => {
    expect(stageAfter(120, 90, 60, 30, 5)).toBe("mature");
  });

  it("turns dormant, then churned, with silence measured by the member's own cadence", () => {
    const weekly = [28, 21, 14, 7].map((days) => days + 60);
    expect(stageAfter(...weekly)).toBe("churned");
    const quarterly = [400, 310, 220, 130];
    expect(stageAfter(...quarterly)).toBe("mature");
    expect(stageAfter(...quarterly.map((days) => days + 90))).toBe("dormant");
  });
});
