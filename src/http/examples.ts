/** The examples of OpenAPI and /docs. A test holds each against the schema it illustrates. */

import type { CouponReport } from "../catalog/coupon-ledger.js";
import type { Experiment } from "../catalog/experiment.js";
import type { Coupon, Product } from "../catalog/records.js";
import type { RecommendationResponse, ScoresResponse } from "../decision/answer.js";
import type { ApiKeyRecord } from "../redis/api-keys.js";
import type {
  IngestResult,
  JobSummary,
  MemberRecord,
  ModelSummary,
  SuppressionAnswer,
  SuppressionEntry,
} from "./services.js";

const recommendationResponse: RecommendationResponse = {
  decisionId: "d_3fQx81kT0a",
  member: { id: "m_1029", known: true, stage: "growth", name: "Lin Yue" },
  scores: { purchase: 0.31, purchase7: 0.12, churn: 0.12, alive: 0.93 },
  suggestions: [
    {
      rank: 1,
      kind: "sell",
      product: {
        id: "p17",
        name: "Green tea, 500 g",
        price: 129,
        url: "https://shop.example/p/17",
        image: "https://shop.example/p/17.jpg",
      },
      coupon: { id: "c5", label: "¥10 off tea" },
      channel: "phone",
      contactAt: null,
      script: "Your tea from May should be nearly finished; there is ¥10 off this week.",
      propensity: 0.22,
      expectedValue: 18.4,
      reasons: [
        { code: "replenishment_due", text: "Buys this about every 30 days; last 31 days ago" },
      ],
    },
  ],
  doNotSell: null,
  degraded: [],
  models: { heads: "heads-12", ranker: "ranker-9" },
  policyVersion: 7,
  experiment: null,
  tookMs: 2.1,
};

export const recommendationExample = {
  request: {
    member: "m_1029",
    placement: "screen_pop",
    context: { cart: ["p1"], callReason: "billing", callId: "call-7781" },
    limit: 5,
  },
  response: recommendationResponse,
};

const scoresResponse: ScoresResponse = {
  scores: [
    {
      member: "m_1029",
      known: true,
      stage: "growth",
      purchase: 0.31,
      purchase7: 0.12,
      churn: 0.12,
      alive: 0.93,
      expectedValue: 41.7,
    },
    { member: { phone: "+8613800000000" }, known: false, stage: null },
  ],
  degraded: [],
  models: { heads: "heads-12" },
  tookMs: 1.4,
};

export const scoresExample = {
  request: { members: ["m_1029", { phone: "+8613800000000" }] },
  response: scoresResponse,
};

const ingestResult: IngestResult = {
  accepted: 1,
  duplicates: 0,
  rejected: [{ index: 1, code: "time_in_future", detail: "the event lies 3 hours ahead" }],
};

export const eventsExample = {
  request: {
    events: [
      {
        id: "e1",
        type: "purchase",
        member: "m_1029",
        at: "2026-05-04T10:15:00+08:00",
        order: "o77",
        items: [{ product: "p17", quantity: 2, amount: 258 }],
        channel: "web",
      },
      { id: "e2", type: "view", member: { visitor: "v_9" }, at: 1_777_860_900_000, product: "p9" },
    ],
  },
  response: ingestResult,
};

export const memberInputExample = {
  name: "Lin Yue",
  phone: "138 0000 0000",
  email: "lin@example.com",
  accounts: ["shop-5521"],
  locale: "zh",
  tags: ["gold"],
  attributes: { city: "Hangzhou" },
  consents: [{ channel: "phone", status: "granted" }],
};

export const memberExample: MemberRecord = {
  id: "m_1029",
  name: "Lin Yue",
  phone: "+8613800000000",
  email: "lin@example.com",
  accounts: ["shop-5521"],
  locale: "zh",
  tags: ["gold"],
  attributes: { city: "Hangzhou" },
  consents: [{ channel: "phone", purpose: "marketing", status: "granted", at: 1_777_860_900_000 }],
  stage: "growth",
  createdAt: 1_760_000_000_000,
  updatedAt: 1_777_860_900_000,
};

export const productInputExample = {
  name: "Green tea, 500 g",
  category: "tea",
  price: 129,
  margin: 45,
  stock: 240,
  active: true,
  url: "https://shop.example/p/17",
  replenishmentDays: 30,
};

export const productExample: Product = {
  id: "p17",
  ...productInputExample,
  createdAt: 1_760_000_000_000,
  updatedAt: 1_777_860_900_000,
  source: "record",
};

export const bulkExample = {
  request: { id: "p17", ...productInputExample },
  response: {
    accepted: 1_999,
    rejectedTotal: 1,
    rejected: [
      { line: 812, code: "invalid_request", detail: "price: Too small: expected number to be >=0" },
    ],
  },
};

export const couponInputExample = {
  label: "¥10 off tea",
  amountOff: 10,
  categories: ["tea"],
  minimumAmount: 100,
  validUntil: "2026-12-31T23:59:59+08:00",
};

export const couponExample: Coupon = {
  id: "c5",
  ...couponInputExample,
  active: true,
  createdAt: 1_760_000_000_000,
  updatedAt: 1_777_860_900_000,
};

export const couponReportExample: CouponReport = {
  coupon: "c5",
  budget: 1000,
  perMember: 1,
  issued: 412,
  open: 90,
  redeemed: 322,
  members: 412,
  left: 588,
  items: [
    {
      token: "d_9f_mfi0x2a8_4Jq1",
      member: "m_1029",
      issuedAt: 1_777_860_900_000,
      until: 1_778_465_700_000,
      redeemedAt: null,
    },
  ],
  nextCursor: null,
};

export const suppressionInputExample = { source: "dialer", reason: "do_not_contact" };

const suppressionEntry: SuppressionEntry = {
  hash: "b3k0n6V5xQe1lH4yTtZr2A",
  kind: "phone",
  reason: "do_not_contact",
  source: "dialer",
  at: 1_777_860_900_000,
};

export const suppressionExample: SuppressionAnswer = {
  identity: "phone:+8613800000000",
  ...suppressionEntry,
};

export const suppressionsExample = { items: [suppressionEntry], nextCursor: null };

export const experimentInputExample = {
  label: "Do coupons pay?",
  arms: [
    { name: "usual", share: 0.45, treatment: {} },
    { name: "no coupons", share: 0.45, treatment: { coupons: false } },
  ],
  holdout: 0.1,
  placements: ["screen_pop", "outbound"],
  from: "2026-05-01T00:00:00Z",
};

export const experimentExample: Experiment = {
  id: "coupons-2026",
  ...experimentInputExample,
  active: true,
  period: "always",
  createdAt: 1_777_500_000_000,
  updatedAt: 1_777_500_000_000,
};

const modelSummary: ModelSummary = {
  name: "heads",
  version: "heads-12",
  trainedAt: 1_777_860_900_000,
};

export const modelsExample = { items: [modelSummary], nextCursor: null };

const jobSummary: JobSummary = {
  id: "archive-1767225600000",
  name: "archive",
  state: "active",
  progress: 0.4,
  step: "copying partition 410 of 1024",
  attempts: 1,
  createdAt: 1_777_860_900_000,
  startedAt: 1_777_860_901_000,
  endedAt: null,
  failure: null,
  result: null,
};

export const jobsExample = { items: [jobSummary], nextCursor: null };

const keyRecord: ApiKeyRecord = {
  id: "k_1f0c92ab37de",
  name: "web shop",
  scopes: ["serve", "ingest"],
  createdAt: 1_777_860_900_000,
};

export const keysExample = { items: [keyRecord], nextCursor: null };

export const keyCreatedExample = { key: "ck_…", ...keyRecord };
