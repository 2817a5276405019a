/** The examples of reports, as `examples.ts` has those of everything else. */
import type { ExperimentReport } from "../reports/experiment-report.js";

const share = (members: number, of: number) => ({ members, rate: members / of });

export const experimentReportExample: ExperimentReport = {
  experiment: "coupons-2026",
  label: "Do coupons pay?",
  from: "2026-05-01T00:00:00.000Z",
  until: "2026-06-01T00:00:00.000Z",
  unit: "member",
  baseline: "holdout",
  arms: [
    {
      name: "holdout",
      share: 0.1,
      members: 1_000,
      contacts: { count: 0, perMember: 0 },
      acceptance: { answered: 0, accepted: 0, rate: null },
      conversion: share(130, 1_000),
      netSales: { total: 14_000, perMember: 14 },
      attributed: { offers: 0, total: 0, perMember: 0 },
      firstOrders: { orders: 30, meanValue: 80 },
      repeatOrders: { orders: 110, meanValue: 105.45 },
      promotion: share(50, 1_000),
      complaints: share(4, 1_000),
      optOuts: share(2, 1_000),
      uplift: null,
      stop: null,
    },
    {
      name: "usual",
      share: 0.45,
      members: 4_500,
      contacts: { count: 3_600, perMember: 0.8 },
      acceptance: { answered: 1_500, accepted: 450, rate: 0.3 },
      conversion: share(810, 4_500),
      netSales: { total: 90_000, perMember: 20 },
      attributed: { offers: 410, total: 36_000, perMember: 8 },
      firstOrders: { orders: 180, meanValue: 82 },
      repeatOrders: { orders: 720, meanValue: 104.5 },
      promotion: share(306, 4_500),
      complaints: share(20, 4_500),
      optOuts: share(27, 4_500),
      uplift: {
        netSalesPerMember: { difference: 6, low: 2.9, high: 9.1, relative: 0.43 },
        conversion: { difference: 0.05, low: 0.025, high: 0.072, relative: 0.38 },
      },
      stop: {
        verdict: "continue",
        complaints: { difference: 0.0004, low: -0.0061, high: 0.0039 },
        optOuts: { difference: 0.004, low: -0.0018, high: 0.0073 },
        because: [],
      },
    },
  ],
  outside: 4_500,
};
