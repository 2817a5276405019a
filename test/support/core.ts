/** Store, members, writer and ingest wired as the composition root does, on the Redis of a test. */
import type { MemberEvent } from "../../src/events/event.js";
import { Ingest, type IngestLimits, type ProductFacts } from "../../src/events/ingest.js";
import { decodeRecord, encodeRecord, type LogRecord } from "../../src/events/log-record.js";
import { MemberWriter, type PendingEvent } from "../../src/events/member-writer.js";
import { createOptOut } from "../../src/events/opt-out.js";
import type { Redeem } from "../../src/events/redeem-coupon.js";
import { createResponseEffects, type ResponseEffects } from "../../src/events/response-effects.js";
import {
  decodeState,
  EMPTY_STATE,
  encodeState,
  type FeatureState,
  fold,
  merge,
} from "../../src/features/state.js";
import { ContactEvents } from "../../src/members/contact-events.js";
import { ContactStore } from "../../src/members/contact-store.js";
import { IdentityStore } from "../../src/members/identity.js";
import { MemberStore } from "../../src/members/member-store.js";
import { Members } from "../../src/members/members.js";
import { Suppressions } from "../../src/members/suppressions.js";
import { mastersOf, type RedisClient } from "../../src/redis/clients.js";
import { logKey, PARTITIONS, partitionOf } from "../../src/redis/keys.js";

export const DEDUPE_DAYS = 7;
const CONTACTS_KEPT_MS = 33 * 86_400_000;

/** A catalog of which a test knows everything. */
export class KnownProducts implements ProductFacts {
  readonly facts = new Map<string, { category?: string; price?: number }>();
  readonly registered: { id: string; unitPrice?: number }[] = [];
  categoryOf = (id: string) => this.facts.get(id)?.category;
  priceOf = (id: string) => this.facts.get(id)?.price;
  isKnown = (id: string) => this.facts.has(id);
  async registerSeen(products: readonly { id: string; unitPrice?: number }[]): Promise<void> {
    this.registered.push(...products);
    for (const { id, unitPrice } of products) this.facts.set(id, { price: unitPrice });
  }
}

export interface TestCore {
  readonly store: MemberStore;
  readonly identities: IdentityStore;
  readonly members: Members;
  readonly contacts: ContactStore;
  readonly contactEvents: ContactEvents;
  readonly suppressions: Suppressions;
  readonly writer: MemberWriter;
  readonly products: KnownProducts;
  readonly ingest: Ingest;
  readonly responseEffects: ResponseEffects;
}

const mergeStates = (a: Buffer | null, b: Buffer | null): Buffer | null =>
  a === null && b === null ? null : encodeState(merge(decodeState(a), decodeState(b)));

/** One process's view of the store; two of them on one client race like two processes. */
export function openTestCore(
  client: RedisClient,
  limits: IngestLimits = { maxEventAgeYears: 30, maxFutureSeconds: 300 },
  store = new MemberStore(client, DEDUPE_DAYS, encodeRecord),
  redeem?: Redeem,
): TestCore {
  const identities = new IdentityStore(client);
  const suppressions = new Suppressions({ client, store, secret: undefined });
  const members = new Members(store, identities, mergeStates, "CN", suppressions);
  const codec = { decode: decodeState, fold, encode: encodeState };
  const finishMerge = (from: string) => members.finishMerge(from);
  const contacts = new ContactStore(client, { finishMerge, keptMs: CONTACTS_KEPT_MS });
  const contactEvents = new ContactEvents(contacts, {
    keptMs: CONTACTS_KEPT_MS,
    defaultRegion: "CN",
    phoneChannels: ["phone", "sms"],
  });
  const writer = new MemberWriter(store, codec, finishMerge, suppressions, contactEvents);
  const products = new KnownProducts();
  const optOut = createOptOut({ members, suppressions, channels: ["phone", "sms", "email"] });
  const responseEffects = createResponseEffects({
    members,
    suppressions,
    store,
    addressOf: (id) => (id === "phone" || id === "sms" ? "phone" : id === "email" ? id : "none"),
    phoneOf: (text) => (text.startsWith("+") ? text : undefined),
  });
  const ingest = new Ingest(writer, members, products, limits, optOut, redeem, responseEffects);
  return {
    store,
    identities,
    members,
    contacts,
    contactEvents,
    suppressions,
    writer,
    products,
    ingest,
    responseEffects,
  };
}

/** A store whose commits fail from the nth on, as if the process had died there. */
export class DyingStore extends MemberStore {
  commitsLeft = Number.POSITIVE_INFINITY;
  override async commit(
    ...args: Parameters<MemberStore["commit"]>
  ): ReturnType<MemberStore["commit"]> {
    if (this.commitsLeft-- <= 0) throw new Error("the process died here");
    return super.commit(...args);
  }
}

export const dyingStore = (client: RedisClient): DyingStore =>
  new DyingStore(client, DEDUPE_DAYS, encodeRecord);

export const flush = (client: RedisClient): Promise<unknown> =>
  Promise.all(mastersOf(client).map((node) => node.flushall()));

/** Memory as if the store were full, and back. `bytes` 0: no limit. */
export const limitMemory = (client: RedisClient, bytes: number): Promise<unknown> =>
  Promise.all(mastersOf(client).map((node) => node.config("SET", "maxmemory", String(bytes))));

export const stateOf = async ({ store }: TestCore, id: string): Promise<FeatureState> =>
  decodeState((await store.readThrough(id)).state);

export const foldAll = (events: readonly MemberEvent[]): FeatureState =>
  events.reduce(fold, EMPTY_STATE);

export const pendingOf = (subject: string, event: MemberEvent): PendingEvent => ({
  subject,
  event,
  remember: true,
  content: JSON.stringify(event),
});

/** The log of one member's partition, oldest first. */
export async function logOf(client: RedisClient, memberId: string): Promise<LogRecord[]> {
  const entries = await client.xrange(logKey(partitionOf(memberId)), "-", "+");
  return entries.map(([, fields]) => decodeRecord(fields[1]!));
}

/** Everything the store holds, as one text: two dumps that agree show that nothing was written. */
export async function dump(client: RedisClient): Promise<string> {
  const found: string[] = [];
  for (const node of mastersOf(client)) {
    for (const key of await node.keys("*")) {
      const type = await node.type(key);
      if (type === "hash") {
        const fields = await node.hgetallBuffer(key);
        const sorted = Object.keys(fields).sort();
        found.push(`${key} ${sorted.map((f) => `${f}=${fields[f]!.toString("hex")}`).join()}`);
      } else if (type === "stream") {
        found.push(`${key} ${JSON.stringify(await node.xrange(key, "-", "+"))}`);
      } else {
        found.push(`${key} ${type}`);
      }
    }
  }
  return found.sort().join("\n");
}

/** An id in another partition than all of `ids` (so that a merge crosses slots). */
export function idElsewhere(prefix: string, ...ids: string[]): string {
  const taken = new Set(ids.map(partitionOf));
  for (let i = 0; i < PARTITIONS; i++) {
    if (!taken.has(partitionOf(`${prefix}${i}`))) return `${prefix}${i}`;
  }
  throw new Error("no such id");
}
