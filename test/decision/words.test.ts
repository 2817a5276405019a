import { describe, expect, it } from "vitest";
import { careScript, languageOf, scriptOf } from "../../src/decision/script.js";
import { bestContactAt } from "../../src/decision/timing.js";
import type { MemberEvent } from "../../src/events/event.js";
import { anEvent, NOW } from "../support/builders.js";
import { foldAll } from "../support/core.js";

const HOUR_MS = 3_600_000;
const SHANGHAI = "Asia/Shanghai";
const hoursOf = (...events: MemberEvent[]) => foldAll(events).hours;
const at = (time: string) => Date.parse(time);
/** Something the member did, at a UTC time. */
const did = (time: string, id = time) => anEvent({ id, type: "visit", at: at(time) });

describe("the hour of a contact", () => {
  it("is nobody's guess where the zone is unknown", () => {
    expect(bestContactAt(hoursOf(), null, NOW)).toBeNull();
  });

  it("is the next morning's opening for somebody of whom no habit is known", () => {
    // NOW is 20:00 in Shanghai.
    expect(bestContactAt(hoursOf(), SHANGHAI, NOW)).toBe(at("2026-06-16T09:00:00+08:00"));
    const early = at("2026-06-15T07:00:00+08:00");
    expect(bestContactAt(hoursOf(), SHANGHAI, early)).toBe(at("2026-06-15T09:00:00+08:00"));
  });

  it("is the member's own two hours, in their own zone, always ahead", () => {
    const hours = hoursOf(did("2026-06-01T06:30:00Z"), did("2026-06-02T06:10:00Z"));
    // 14:00 in Shanghai: the slots 13–15 and 14–16 hold it, the earlier one is taken.
    expect(bestContactAt(hours, SHANGHAI, NOW)).toBe(at("2026-06-16T13:00:00+08:00"));
    // 07:00 in London is no hour for a call.
    const london = bestContactAt(hours, "Europe/London", NOW)!;
    expect(new Date(london).toISOString()).toBe("2026-06-16T08:00:00.000Z");
  });

  it("is decent wherever the member lives and whenever they are awake", () => {
    for (let hour = 0; hour < 24; hour++) {
      const hours = hoursOf(did(`2026-06-01T${String(hour).padStart(2, "0")}:30:00Z`));
      for (const zone of [
        SHANGHAI,
        "America/New_York",
        "Asia/Kolkata",
        "Pacific/Auckland",
        "UTC",
      ]) {
        for (let later = 0; later < 24; later += 5) {
          const now = NOW + later * HOUR_MS;
          const start = bestContactAt(hours, zone, now)!;
          const format = { timeZone: zone, hour: "2-digit", hourCycle: "h23" } as const;
          const local = Number(new Intl.DateTimeFormat("en", format).format(start));
          expect(local).toBeGreaterThanOrEqual(9);
          expect(local).toBeLessThan(20);
          expect(start).toBeGreaterThan(now);
          expect(start - now).toBeLessThanOrEqual(24 * HOUR_MS);
        }
      }
    }
  });
});

describe("words", () => {
  const pitch = {
    name: "Green tea",
    price: "¥129",
    coupon: "¥10 off",
    reason: { code: "replenishment_due", text: "Bought 31 days ago" },
  };

  it("name reason, product, price and coupon, in the member's language", () => {
    expect(scriptOf(pitch, "en")).toBe(
      "Bought 31 days ago. May I suggest Green tea for ¥129, with “¥10 off”?",
    );
    const chinese = scriptOf(pitch, "zh");
    for (const part of ["Bought 31 days ago", "Green tea", "¥129", "¥10 off"]) {
      expect(chinese).toContain(part);
    }
  });

  it("leave out what is not known", () => {
    const bare = { name: "Green tea", price: null, coupon: null, reason: undefined };
    expect(scriptOf(bare, "en")).toBe("May I suggest Green tea?");
    expect(scriptOf(bare, "zh")).not.toMatch(/null|undefined/);
  });

  it("follow the member's locale, else the shop's", () => {
    expect(languageOf("zh-Hant-TW", "en")).toBe("zh");
    expect(languageOf("ZH_cn", "en")).toBe("zh");
    expect(languageOf("fr", "zh")).toBe("en");
    expect(languageOf(undefined, "zh")).toBe("zh");
  });

  it("of care are there for every cause, and never sell", () => {
    for (const code of ["open_complaint", "vulnerable", "a cause of tomorrow"]) {
      for (const language of ["en", "zh"] as const) {
        expect(careScript(code, language)).toMatch(/\S{4}/);
        expect(careScript(code, language)).not.toMatch(/suggest|推荐/);
      }
    }
  });
});
