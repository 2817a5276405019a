/** Coupon records. */
import { couponInputSchema } from "../catalog/records.js";
import { couponExample, couponInputExample } from "./examples.js";
import { recordRoutes } from "./record-routes.js";
import { couponSchema } from "./schemas.js";

export const couponRoutes = recordRoutes({
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
});
