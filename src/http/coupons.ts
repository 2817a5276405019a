/** Coupon records, and who received what. */
import { z } from "zod";
import { couponInputSchema } from "../catalog/records.js";
import { isScanCursor } from "../redis/scan-cursor.js";
import { couponExample, couponInputExample, couponReportExample } from "./examples.js";
import { recordRoutes } from "./record-routes.js";
import { type Route, route } from "./route.js";
import { couponReportSchema, couponSchema, pageQuerySchema } from "./schemas.js";

const report = route({
  name: "reportCoupon",
  method: "get",
  path: "/v1/coupons/{id}/report",
  tag: "Coupons",
  summary: "Who received a coupon",
  description:
    "How many are issued, open and redeemed, and page by page to whom. A page may hold more entries " +
    "than asked for, in no order; while the coupon is being issued an entry may come twice.",
  scopes: ["admin"],
  query: pageQuerySchema.extend({
    cursor: z
      .string()
      .regex(/^\d{1,20}$/)
      .refine(isScanCursor, "not one we gave")
      .optional()
      .describe("`nextCursor` of the page before."),
  }),
  status: 200,
  response: couponReportSchema,
  errors: ["coupon_unknown", "store_unavailable"],
  example: { response: couponReportExample },
  handle: ({ params, query }, services) => services.coupons.report(params.id, query),
});

export const couponRoutes: readonly Route[] = [
  ...recordRoutes({
    kind: "coupons",
    tag: "Coupons",
    one: "a coupon",
    description: "Give exactly one of `amountOff` (money) and `percentOff` (a share in 0..1).",
    readers: ["serve", "ingest"],
    input: couponInputSchema,
    kept: couponSchema,
    unknown: "coupon_unknown",
    example: { request: couponInputExample, response: couponExample },
    service: (services) => services.coupons,
  }),
  report,
];
