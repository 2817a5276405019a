/** The demo shop's catalog: products, coupons, and what goes with what. The same for every seed. */
import type { CouponInput, ProductInput } from "../catalog/records.js";
import { Random } from "./random.js";
import { COMPANIONS, SEASONS, SHELVES, type Shelf, SUCCESSIONS } from "./shelves.js";

export interface ShopProduct {
  readonly index: number;
  readonly id: string;
  readonly record: ProductInput;
  readonly category: string;
  /** English, with the variant. */
  readonly label: string;
  /** English, without the variant. */
  readonly article: string;
  readonly price: number;
  /** Days one lasts; 0 when it is not used up. */
  readonly lastsDays: number;
  /** Weight within its shelf: a few sell most. */
  readonly popularity: number;
  /** Months it is sold in; null: all year. */
  readonly months: ReadonlySet<number> | null;
  /** First sold this many days before now; members do not know it earlier. */
  readonly ageDays: number;
}

export interface Shop {
  readonly products: readonly ShopProduct[];
  readonly coupons: readonly CouponInput[];
  readonly categories: readonly string[];
  readonly byCategory: ReadonlyMap<string, readonly ShopProduct[]>;
  /** Index → indexes of products bought with it. */
  readonly companions: ReadonlyMap<number, readonly number[]>;
  /** Index → what follows it, and after how many days. */
  readonly successors: ReadonlyMap<number, { product: number; afterDays: number }>;
  readonly shelves: ReadonlyMap<string, Shelf>;
}

const DAY_MS = 86_400_000;

/** `now`: epoch milliseconds; seasons and coupons are dated around it. */
export function createShop(now: number): Shop {
  const random = new Random("shop");
  const drafts = SHELVES.flatMap((shelf) => articlesOf(shelf, random));
  const plain = drafts.map((draft, index): ShopProduct => ({ ...draft, index }));
  const successors = new Map<number, { product: number; afterDays: number }>();
  for (const [from, to, afterDays] of SUCCESSIONS) {
    const [a, b] = [named(plain, from), named(plain, to)];
    successors.set(a.index, { product: b.index, afterDays });
  }
  const products = plain.map((product) => ({
    ...product,
    record: recordOf(product, plain, successors, now),
  }));
  return {
    products,
    coupons: couponsAt(now),
    categories: SHELVES.map((shelf) => shelf.category),
    byCategory: groupByCategory(products),
    companions: companionsOf(products),
    successors,
    shelves: new Map(SHELVES.map((shelf) => [shelf.category, shelf])),
  };
}

type Draft = Omit<ShopProduct, "index">;

function articlesOf(shelf: Shelf, random: Random): Draft[] {
  const drafts: Draft[] = [];
  shelf.articles.forEach(([english, chinese, price, days], rank) => {
    shelf.variants.forEach(([variant, chineseVariant, priceFactor, daysFactor], which) => {
      const season = SEASONS.find(([article]) => article === english);
      const label = `${english} ${variant}`.trim();
      const exact = price * priceFactor;
      const number = String(drafts.length + 1).padStart(2, "0");
      drafts.push({
        id: `${shelf.category}-${number}`,
        record: {
          name: `${label} ${`${chinese} ${chineseVariant}`.trim()}`,
          category: shelf.category,
        },
        category: shelf.category,
        label,
        article: english,
        price: exact < 100 ? Math.round(exact) : Math.round(exact / 10) * 10 - 1,
        lastsDays: Math.round(days * daysFactor),
        popularity: (1 / (1 + rank * 0.5)) * (which === 0 ? 1 : 0.45) * random.between(0.6, 1.4),
        months: season === undefined ? null : monthsBetween(season[1], season[2]),
        // Some of the lesser articles are new arrivals.
        ageDays: rank > 2 && random.chance(1 / 9) ? random.whole(10, 60) : 10_000,
      });
    });
  });
  return drafts;
}

function monthsBetween(first: number, last: number): Set<number> {
  const months = new Set<number>();
  for (let month = first; ; month = (month % 12) + 1) {
    months.add(month);
    if (month === last) return months;
  }
}

export function named(products: readonly ShopProduct[], label: string): ShopProduct {
  const found = products.find((product) => product.label === label);
  if (found === undefined) throw new Error(`the demo shop has no ${label}`);
  return found;
}

function recordOf(
  product: ShopProduct,
  products: readonly ShopProduct[],
  successors: Shop["successors"],
  now: number,
): ProductInput {
  const next = successors.get(product.index);
  const shelf = SHELVES.find((one) => one.category === product.category)!;
  return {
    id: product.id,
    ...product.record,
    price: product.price,
    margin: Math.round(product.price * shelf.margin * 100) / 100,
    stock: 50 + ((product.index * 37) % 400),
    active: true,
    url: `https://shop.example.com/p/${product.id}`,
    ...(product.lastsDays > 0 ? { replenishmentDays: product.lastsDays } : {}),
    ...(next === undefined
      ? {}
      : { successors: [{ product: products[next.product]!.id, afterDays: next.afterDays }] }),
    ...(product.months === null ? {} : { season: seasonAround(product.months, now) }),
    launchedAt: new Date(now - product.ageDays * DAY_MS).toISOString().slice(0, 10),
  };
}

/** The season that `now` lies in, or the next one. */
function seasonAround(months: ReadonlySet<number>, now: number): { from: string; to: string } {
  const date = new Date(now);
  const at = (offset: number): Date =>
    new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + offset, 1));
  const sold = (offset: number): boolean => months.has(at(offset).getUTCMonth() + 1);
  let first = 0;
  if (sold(0)) while (sold(first - 1)) first -= 1;
  else while (!sold(first)) first += 1;
  let end = first;
  while (sold(end)) end += 1;
  const day = (time: number): string => new Date(time).toISOString().slice(0, 10);
  return { from: day(at(first).getTime()), to: day(at(end).getTime() - DAY_MS) };
}

function groupByCategory(products: readonly ShopProduct[]): Map<string, ShopProduct[]> {
  const groups = new Map<string, ShopProduct[]>();
  for (const product of products) {
    const group = groups.get(product.category);
    if (group === undefined) groups.set(product.category, [product]);
    else group.push(product);
  }
  return groups;
}

function companionsOf(products: readonly ShopProduct[]): Map<number, number[]> {
  const companions = new Map<number, number[]>();
  const join = (from: string, to: string): void => {
    const target = products.find((product) => product.article === to)!;
    for (const product of products) {
      if (product.article !== from) continue;
      companions.set(product.index, [...(companions.get(product.index) ?? []), target.index]);
    }
  };
  for (const [a, b] of COMPANIONS) {
    join(a, b);
    join(b, a);
  }
  return companions;
}

function couponsAt(now: number): CouponInput[] {
  const iso = (days: number): string => new Date(now + days * DAY_MS).toISOString();
  const open = { validFrom: iso(-60), validUntil: iso(45), active: true };
  return [
    {
      id: "welcome-20",
      label: "¥20 off your next order 满99减20",
      amountOff: 20,
      minimumAmount: 99,
      stages: ["new", "growth"],
      ...open,
    },
    {
      id: "tea-15",
      label: "15 % off tea 茶叶85折",
      percentOff: 0.15,
      categories: ["tea"],
      ...open,
    },
    {
      id: "baby-30",
      label: "¥30 off baby care 母婴满249减30",
      amountOff: 30,
      minimumAmount: 249,
      categories: ["baby"],
      ...open,
    },
    {
      id: "back-25",
      label: "25 % off: we miss you 好久不见75折",
      percentOff: 0.25,
      stages: ["dormant", "churned"],
      ...open,
    },
    {
      id: "beauty-10",
      label: "10 % off skin and hair care 护肤护发9折",
      percentOff: 0.1,
      categories: ["skincare", "haircare"],
      ...open,
    },
    {
      id: "spring-50",
      label: "¥50 off, expired 春季满399减50",
      amountOff: 50,
      minimumAmount: 399,
      validFrom: iso(-200),
      validUntil: iso(-100),
      active: true,
    },
  ];
}
