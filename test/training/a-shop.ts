/** A small synthetic shop as an in-memory log: members with a cadence and favourites of their own. */
import { buildSnapshot } from "../../src/catalog/build-snapshot.js";
import type { CatalogSnapshot } from "../../src/catalog/snapshot.js";
import { loadConfig } from "../../src/config.js";
import type { EventType, MemberEvent } from "../../src/events/event.js";
import type { LoggedRecord, LogReader } from "../../src/events/log-reader.js";
import type { LogRecord } from "../../src/events/log-record.js";
import { createFeatureSchema } from "../../src/features/feature-schema.js";
import { partitionOf } from "../../src/redis/keys.js";
import { seededRandom } from "../../src/training/random.js";

export const DAY = 86_400_000;
export const START = Date.UTC(2024, 0, 1);
export const PRODUCTS = 60;

export const schema = createFeatureSchema([{ name: "income", type: "number" }]);
export const config = loadConfig({});

export const anEvent = (over: Partial<MemberEvent> & { at: number }): MemberEvent => ({
  id: `e${over.at}`,
  type: "purchase",
  lines: [{ product: "p1", quantity: 1, amount: 10 }],
  ...over,
});

/** Partition after partition, like the real one, and within one in the order given. */
export function logOf(records: readonly LogRecord[]): LogReader {
  const logged: LoggedRecord[] = records.map((record, seq) => ({
    partition: "member" in record ? partitionOf(record.member ?? "") : 0,
    logId: `${START}-${seq}`,
    record,
  }));
  logged.sort((a, b) => a.partition - b.partition);
  return {
    async *read({ kinds, partitions } = {}) {
      for (const entry of logged) {
        if (kinds !== undefined && !kinds.includes(entry.record.kind)) continue;
        if (partitions !== undefined && !partitions.includes(entry.partition)) continue;
        if (entry.record.kind !== "erasure") yield entry;
      }
    },
  };
}

export const eventRecord = (member: string, event: MemberEvent): LogRecord => ({
  kind: "event",
  member,
  subject: member,
  event,
});

export interface ShopOptions {
  members?: number;
  days?: number;
  seed?: number;
}

/** Orders come at a member's own cadence until they lapse; a look around often comes before one. */
export function aShop({ members = 300, days = 300, seed = 1 }: ShopOptions = {}): LogRecord[] {
  const random = seededRandom(seed);
  const records: LogRecord[] = [];
  let id = 0;
  const add = (member: string, type: EventType, at: number, products: readonly number[]): void => {
    const lines = products.map((p) => ({ product: `p${p}`, quantity: 1, amount: 5 + (p % 7) }));
    records.push(eventRecord(member, { id: `e${id++}`, type, at, lines, channel: "web" }));
  };
  for (let m = 0; m < members; m++) {
    const member = `m${m}`;
    const cadence = 6 + random() ** 2 * 90;
    const lapse = random() < 0.4 ? random() * days : days;
    const favourites = Array.from({ length: 4 }, () => Math.floor(random() ** 2 * PRODUCTS));
    for (let day = random() * cadence; day < lapse; day += cadence * (0.5 + random())) {
      const at = START + Math.floor(day * DAY);
      const basket = favourites.filter(() => random() < 0.6);
      if (random() < 0.5) basket.push(Math.floor(random() * PRODUCTS));
      const products = [...new Set(basket.length === 0 ? favourites.slice(0, 1) : basket)];
      if (random() < 0.7) add(member, "view", at - 2 * DAY, products);
      add(member, "purchase", at, products);
    }
  }
  return records;
}

/** All products, there since before the first order. */
export function aCatalog(): CatalogSnapshot {
  const products = Array.from({ length: PRODUCTS }, (_, p) => ({
    id: `p${p}`,
    name: `Product ${p}`,
    price: 5 + (p % 7),
    category: `c${p % 5}`,
    active: true,
    createdAt: START - 30 * DAY,
    updatedAt: START,
    source: "record" as const,
  }));
  return buildSnapshot(1, products);
}

export const dataDeps = (records: readonly LogRecord[]) => ({
  reader: logOf(records),
  schema,
  snapshot: aCatalog(),
  stages: config.stages,
  timezone: "UTC",
});
