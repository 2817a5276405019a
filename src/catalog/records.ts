/** Records of the catalog: products and coupons, as PUT takes them and GET answers them. */
import { z } from "zod";

const day = z.iso.date();

export const productInputSchema = z.strictObject({
  id: z.string().optional(),
  name: z.string().min(1).max(300).optional(),
  category: z.string().max(200).optional(),
  /** Major unit of the currency. */
  price: z.number().min(0).max(1e9).optional(),
  /** Money earned per unit sold, major unit; unknown: 30 % of the price is assumed. */
  margin: z.number().max(1e9).optional(),
  /** Absent: not limited. */
  stock: z.number().int().min(0).optional(),
  active: z.boolean().optional(),
  url: z.string().max(2000).optional(),
  image: z.string().max(2000).optional(),
  /** First day on sale; new arrivals are judged by it. Unknown: the day the record was made. */
  launchedAt: day.optional(),
  season: z.strictObject({ from: day.optional(), to: day.optional() }).optional(),
  successors: z
    .array(z.strictObject({ product: z.string(), afterDays: z.number().min(0).max(3650) }))
    .max(20)
    .optional(),
  /** Days one unit lasts. */
  replenishmentDays: z.number().positive().max(3650).optional(),
  tags: z.array(z.string().max(64)).max(50).optional(),
  attributes: z
    .record(z.string().max(64), z.union([z.string(), z.number(), z.boolean()]))
    .optional(),
});
export type ProductInput = z.infer<typeof productInputSchema>;

export interface Product extends Omit<ProductInput, "id"> {
  id: string;
  active: boolean;
  /** Epoch milliseconds. */
  createdAt: number;
  updatedAt: number;
  /** "record": written by PUT, bulk or a products import. "event": first seen in an event. */
  source: "record" | "event";
}

export const couponInputSchema = z
  .strictObject({
    id: z.string().optional(),
    label: z.string().min(1).max(200),
    /** Exactly one of the two: money off, or a share of the price in 0..1. */
    amountOff: z.number().positive().optional(),
    percentOff: z.number().positive().max(1).optional(),
    /** Absent: every product. */
    products: z.array(z.string()).max(1000).optional(),
    categories: z.array(z.string()).max(200).optional(),
    /** Absent: every stage. */
    stages: z.array(z.string()).max(10).optional(),
    minimumAmount: z.number().min(0).optional(),
    validFrom: z.iso.datetime({ offset: true }).optional(),
    validUntil: z.iso.datetime({ offset: true }).optional(),
    active: z.boolean().optional(),
    /** Issues there are at most, redeemed and open ones together; absent: not limited. */
    budget: z.number().int().min(0).max(1e9).optional(),
    /** Issues one member may have at most, redeemed ones included; absent: 1. */
    perMember: z.number().int().min(1).max(100).optional(),
  })
  .refine(({ amountOff, percentOff }) => (amountOff === undefined) !== (percentOff === undefined), {
    path: ["amountOff"],
    error: "give exactly one of amountOff and percentOff",
  });
export type CouponInput = z.infer<typeof couponInputSchema>;

export interface Coupon extends Omit<CouponInput, "id"> {
  id: string;
  active: boolean;
  /** Epoch milliseconds. */
  createdAt: number;
  updatedAt: number;
}
