/** The example of a response, as `examples.ts` has those of everything else. */
export const responseExample = {
  request: {
    decisionId: "d_3f_mp1x9k2c_5b0e1f7a9c42",
    rank: 1,
    outcome: "later",
    reason: "busy",
    at: "2026-05-04T10:15:00+08:00",
    again: "2026-05-06T18:00:00+08:00",
    agent: "a17",
  },
  response: { accepted: true, duplicate: false, known: true },
} as const;
