/** Examples of the routes under /v1/leads. */
import type { RankResponse } from "../leads/rank-answer.js";

const response: RankResponse = {
  leads: [
    {
      leadId: "l_Yk3mF0sQe1tB7uXz",
      memberId: "m_1029",
      phone_code: "86",
      phone: "13800000000",
      e164: "+8613800000000",
      timezone: "Asia/Shanghai",
      timezones: ["Asia/Shanghai"],
      rank: 69_286,
      score: 0.6928669810295105,
      scores: { purchase: 0.6941, purchase7: 0.3095, churn: 0.1726, alive: 0.8414 },
      scoredAt: "2026-05-04T20:30:02.117Z",
      expiresAt: "2026-05-05T13:00:00.000Z",
      callableFrom: "2026-05-05T02:15:00.000Z",
      callableUntil: "2026-05-05T13:00:00.000Z",
      owner: null,
      decisionId: null,
      reasons: [
        { code: "replenishment_due", text: "大约每32天下单一次，上一单是31天前" },
        { code: "order_history", text: "共下过3单，最近一次是31天前" },
      ],
      attempts: 1,
    },
  ],
  blocked: { "1 do_not_contact": 1, "8 open_complaint": 1 },
  blockedExamples: [
    {
      memberId: "m_1005",
      guard: 1,
      code: "do_not_contact",
      text: "在免打扰名单中：不要推荐任何产品。",
      until: null,
    },
    {
      memberId: "m_1002",
      guard: 8,
      code: "open_complaint",
      text: "有未解决的投诉：先帮助会员，不要推销。",
      until: null,
    },
  ],
  skipped: { not_matched: 97 },
  of: 100,
  passed: 1,
  by: "purchase",
  walked: 100,
  rankedAt: "2026-05-04T20:30:02.117Z",
  stale: false,
  stopped: "limit",
  channel: "phone",
  campaign: "may-tea",
  degraded: [],
  models: { heads: "heads-12" },
  preview: true,
  tookMs: 8.4,
};

export const rankLeadsExample = {
  request: {
    campaign: "may-tea",
    by: "purchase",
    where: "stage == 'growth' && days_since_order > 20 && 'gold' in tags",
    channel: "phone",
    limit: 1,
  },
  response,
};
