/** Coupon records. */
import { couponInputSchema } from "../catalog/records.js";
import { couponExample, couponInputExample } from "./examples.js";
import { checkBodyId, type Route, route } from "./route.js";
import { couponSchema, pageOf, pageQuerySchema } from "./schemas.js";

const READ_ERRORS = ["coupon_unknown", "store_unavailable"] as const;

const list = route({
  name: "listCoupons",
  method: "get",
  path: "/v1/coupons",
  tag: "Coupons",
  summary: "List coupons",
  scopes: ["serve", "ingest"],
  query: pageQuerySchema,
  status: 200,
  response: pageOf(couponSchema),
  errors: ["store_unavailable"],
  handle: ({ query }, services) => services.coupons.list(query),
});

const put = route({
  name: "putCoupon",
  method: "put",
  path: "/v1/coupons/{id}",
  tag: "Coupons",
  summary: "Write a coupon",
  description: "Give exactly one of `amountOff` (money) and `percentOff` (a share in 0..1).",
  scopes: ["admin"],
  body: couponInputSchema,
  status: 200,
  response: couponSchema,
  errors: ["store_unavailable", "store_full"],
  example: { request: couponInputExample, response: couponExample },
  handle({ params, body }, services) {
    checkBodyId(params.id, body.id);
    return services.coupons.put(params.id, body);
  },
});

const get = route({
  name: "getCoupon",
  method: "get",
  path: "/v1/coupons/{id}",
  tag: "Coupons",
  summary: "Read a coupon",
  scopes: ["serve", "ingest"],
  status: 200,
  response: couponSchema,
  errors: READ_ERRORS,
  example: { response: couponExample },
  handle: ({ params }, services) => services.coupons.get(params.id),
});

const remove = route({
  name: "deleteCoupon",
  method: "delete",
  path: "/v1/coupons/{id}",
  tag: "Coupons",
  summary: "Delete a coupon",
  scopes: ["admin"],
  status: 204,
  errors: READ_ERRORS,
  handle: ({ params }, services) => services.coupons.delete(params.id),
});

export const couponRoutes: readonly Route[] = [list, put, get, remove];
