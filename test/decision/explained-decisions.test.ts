import { describe, expect, it } from "vitest";
import {
  type Asked,
  documentOf,
  type Explained,
  type Language,
} from "../../bench/support/explained-document.js";
import { CANDIDATE_FEATURES } from "../../src/candidates/features.js";
import type { RecommendationResponse } from "../../src/decision/answer.js";
import { type FateCode, fateText, isFateCode } from "../../src/decision/fate-texts.js";
import { featureWords } from "../../src/decision/feature-words.js";
import { createFeatureSchema } from "../../src/features/feature-schema.js";

const AT = Date.parse("2026-06-16T02:30:00Z");
const LANGUAGES: readonly Language[] = ["en", "zh"];
const { names } = createFeatureSchema([]);

const selling = (language: Language): RecommendationResponse => {
  const suggestion = (rank: number, id: string, expectedValue: number) => ({
    rank,
    kind: "sell" as const,
    product: { id, name: `tea ${id}`, price: 48, url: null, image: null },
    coupon: rank === 1 ? { id: "c", label: "15 % off" } : null,
    channel: "phone",
    contactAt: new Date(AT).toISOString(),
    script: "May I suggest tea?",
    propensity: 0.004,
    expectedValue,
    reasons: [{ code: "popular_now", text: "Popular" }],
  });
  return {
    decisionId: "d_1_2_3",
    member: { id: "m", known: true, stage: "growth", name: "Grace" },
    scores: {},
    suggestions: [suggestion(1, "p1", 5), suggestion(2, "p2", 3)],
    doNotSell: null,
    degraded: [],
    models: { heads: "h1", ranker: "r1" },
    blocked: ["sms", "email"].map((channel) => ({
      ...{ guard: 5, code: "cap_channel", channel },
      until: new Date(AT).toISOString(),
    })),
    policyVersion: 0,
    experiment: null,
    tookMs: 1,
    explanation: {
      candidates: [
        {
          ...{ product: "p1", sources: [], fate: "kept", stage: "arbitrate", code: null },
          margin: 1,
          features: {},
          contributions: {
            bought_times: 2,
            price_log: -3,
            cart_size: 0.1,
            repeat_rate: 1,
            bias: 9,
          },
        },
      ],
      features: { order_count: 3 },
      contributions: null,
      words: { bought_times: featureWords("bought_times", language)! },
    },
  };
};

const care: RecommendationResponse = {
  ...selling("en"),
  suggestions: [],
  blocked: [{ guard: 8, code: "open_complaint", channel: null, until: null }],
  doNotSell: { code: "open_complaint", text: "Help first." },
  models: { heads: null, ranker: null },
  explanation: undefined,
};

const unknown: RecommendationResponse = {
  ...selling("en"),
  member: { id: null, known: false, stage: null, name: null },
};

const asking = (answer: RecommendationResponse, later = answer): Asked => ({
  said: "A call.",
  answer,
  later: { at: AT, answer: later },
  coupon: {
    chosen: { label: "15 % off", cost: 7 },
    margin: 20,
    less: [{ label: "little", cost: 1 }],
    tooDear: [{ label: "much", cost: 15 }],
  },
});

const explained = (...asked: Asked[]): Explained => ({
  heading: "A heading",
  who: "Somebody.",
  zones: ["America/New_York", "Pacific/Honolulu"],
  at: AT,
  asked,
  whyNot: [{ name: "tea p3", text: "None is left." }],
  replayedBytes: 100,
  versions: { heads: "h1", ranker: null },
});

describe.each(LANGUAGES)("the document of explained decisions in %s", (language) => {
  const text = documentOf(
    [
      explained(asking(selling(language), care)),
      explained(asking(care), asking(care, selling(language))),
      explained(asking(unknown), asking(selling(language))),
    ],
    language,
  );

  it("shows a name with the answers it stands above on the screen, and with no other", () => {
    const [, , mixed] = text.split(/^## /m).slice(1);
    const [head, stranger, member] = mixed!.split(/^### /m);
    expect(head).not.toContain("Grace");
    expect(stranger).not.toContain("Grace");
    expect(member).toContain("Grace");
  });

  it("leaves no section empty and says no word that only a program would", () => {
    const lines = text.split("\n");
    lines.forEach((line, i) => {
      const isTitle = /^#|^\*\*[^*]+\*\*$/.test(line);
      if (!isTitle) return;
      const next = lines.slice(i + 1).find((one) => one !== "");
      expect(next, line).toMatch(/\S{2}/);
      expect(next, line).not.toMatch(line.startsWith("###") ? /^#/ : /^## /);
    });
    expect(text).not.toMatch(/null|undefined|NaN|\[object|Invalid Date/);
  });

  it("tells the strongest contributions and leaves the bias out", () => {
    expect(text).toContain("−3.00");
    expect(text).toContain("+2.00");
    expect(text).toContain("+1.00");
    expect(text).not.toContain("0.10");
    expect(text).not.toContain("9.00");
    expect(text).toContain(featureWords("bought_times", language));
  });

  it("tells channels that one guard closed together in one line", () => {
    const [sms, email] = { en: ["text message", "e-mail"], zh: ["短信", "邮件"] }[language];
    expect(text.split("\n").some((line) => line.includes(sms!) && line.includes(email!))).toBe(
      true,
    );
  });
});

describe("plain words", () => {
  it.each(LANGUAGES)(
    "in %s there are some for every built-in feature, no two alike",
    (language) => {
      const all = [...CANDIDATE_FEATURES, ...names];
      const missing = all.filter((name) => featureWords(name, language) === undefined);
      expect(missing).toEqual([]);
      for (const list of [CANDIDATE_FEATURES, names]) {
        expect(new Set(list.map((name) => featureWords(name, language))).size).toBe(list.length);
      }
    },
  );

  it("are silent about what an operator declared", () => {
    for (const name of ["attribute_vip", "constructor", "toString_count", "door_orders"]) {
      expect(featureWords(name, "en")).toBeUndefined();
    }
  });

  it("of a fate come in the language asked for, and count right", () => {
    const code: FateCode = "ranked_below_limit";
    expect(fateText(code, "en", { place: 4, shown: 1 })).toBe("It came in place 4; 1 was shown.");
    expect(fateText(code, "en", { place: 4, shown: 3 })).toBe("It came in place 4; 3 were shown.");
    expect(fateText(code, "zh", { place: 4, shown: 3 })).toBe("排在第4位，本次只展示前3个。");
    expect(isFateCode("constructor")).toBe(false);
  });
});
