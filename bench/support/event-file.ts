/** Made-up events, the same for the same seed: a file of them, and batches as a shop sends them. */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import { Random } from "../../src/demo/random.js";

export interface EventCrowd {
  readonly members: number;
  readonly products: number;
  readonly seed: number;
}

export interface MadeEvent {
  readonly type: "view" | "cart_add" | "purchase" | "return";
  readonly member: string;
  readonly product: string;
  readonly category: string;
  readonly quantity: number;
  /** Of one, major unit. */
  readonly price: number;
  /** A purchase's and a return's own. */
  readonly order: string | undefined;
  readonly channel: string;
}

/** Of a hundred events. */
const TYPES = [
  ...new Array<MadeEvent["type"]>(68).fill("view"),
  ...new Array<MadeEvent["type"]>(12).fill("cart_add"),
  ...new Array<MadeEvent["type"]>(18).fill("purchase"),
  ...new Array<MadeEvent["type"]>(2).fill("return"),
];
const CHANNELS = ["web", "web", "web", "app", "app", "store"];
const CATEGORIES = 120;

/** Sums of (rank + shift)^-1: Zipf's law without one member or product who is a tenth of all. */
function zipf(count: number, shift: number): Float64Array {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) sums[i] = sum += 1 / (i + shift);
  return sums;
}

export const productId = (index: number): string => `p_${10_000 + index}`;

/** The index whose share of the sums the random number falls into. */
function draw(sums: Float64Array, random: Random): number {
  const wanted = random.next() * sums[sums.length - 1];
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Every event stands for itself: none is a line of another's order. */
export function* madeEvents({ members, products, seed }: EventCrowd): Generator<MadeEvent> {
  const random = new Random(`events ${seed}`);
  const ofMembers = zipf(members, members / 80);
  const ofProducts = zipf(products, 10);
  for (let n = 0; ; n++) {
    const product = draw(ofProducts, random);
    const type = random.pick(TYPES);
    const isOrder = type === "purchase" || type === "return";
    yield {
      type,
      member: `m_${100_000 + draw(ofMembers, random)}`,
      product: productId(product),
      category: `c_${product % CATEGORIES}`,
      quantity: isOrder && random.chance(0.2) ? random.whole(2, 6) : 1,
      price: 2 + ((product * 7919) % 20_000) / 100,
      order: isOrder ? `o_${seed}_${n}` : undefined,
      channel: random.pick(CHANNELS),
    };
  }
}

/** Columns of the file, as `import events --map` is told of them. */
export const FILE_MAPPING = {
  at: "time",
  type: "event",
  member: "member_id",
  order: "order_no",
  product: "sku",
  category: "category",
  quantity: "qty",
  price: "unit_price",
  channel: "channel",
} as const;

const YEAR_MS = 365 * 86_400_000;
const LINES_AT_ONCE = 5_000;

/** Writes a CSV of `rows` events over the year before `end` (epoch milliseconds), in order of time. */
export async function writeEventFile(
  file: string,
  crowd: EventCrowd & { rows: number; end: number },
): Promise<void> {
  const out = createWriteStream(file);
  out.write(`${Object.values(FILE_MAPPING).join(",")}\n`);
  const events = madeEvents(crowd);
  let lines: string[] = [];
  for (let row = 0; row < crowd.rows; row++) {
    const { type, member, order, product, category, quantity, price, channel } = events.next()
      .value as MadeEvent;
    const at = new Date(crowd.end - YEAR_MS + Math.floor((row / crowd.rows) * YEAR_MS));
    const time = at.toISOString().slice(0, 19).replace("T", " ");
    lines.push(
      `${time},${type},${member},${order ?? ""},${product},${category},${quantity},${price},${channel}\n`,
    );
    if (lines.length < LINES_AT_ONCE && row + 1 < crowd.rows) continue;
    if (!out.write(lines.join(""))) await once(out, "drain");
    lines = [];
  }
  out.end();
  await finished(out);
}
