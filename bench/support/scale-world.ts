/**
 * Members and products in any number, the same for the same seed. A member's life does not depend on
 * how many others there are, and what is bought is spread over the catalog in the same shape whatever
 * its size, so that sizes can be compared.
 */
import type { Core } from "../../src/core.js";
import { Random } from "../../src/demo/random.js";
import type { EventType, Line, MemberEvent } from "../../src/events/event.js";
import type { LogRecord } from "../../src/events/log-record.js";
import { EMPTY_STATE, encodeState, fold } from "../../src/features/state.js";
import type { Commit, MemberWrite } from "../../src/members/member-store.js";
import type { Profile } from "../../src/members/profile.js";
import { groupedPipeline, type KeyedCommand } from "../../src/redis/grouped.js";
import { identityKey, PARTITIONS, partitionOf } from "../../src/redis/keys.js";

export interface Scale {
  readonly members: number;
  readonly products: number;
  readonly seed: number;
}

/** Days the lives of members are spread over. */
const DAYS = 500;
const DAY_MS = 86_400_000;
const PRODUCTS_A_CATEGORY = 250;
const EVENTS_MAX = 60;
/** Members of one commit: about a millisecond of Redis. */
const COMMIT_MEMBERS = 100;
const COMMITS_AT_ONCE = 8;

export const memberIdAt = (index: number): string => `m_${String(index).padStart(8, "0")}`;
const productIdAt = (index: number): string => `p_${String(index).padStart(7, "0")}`;

const categoryCount = (products: number): number =>
  Math.max(4, Math.round(products / PRODUCTS_A_CATEGORY));

/** Ids, spread evenly over all members. */
export function sampleOfMembers(members: number, size: number): string[] {
  const count = Math.min(members, size);
  return Array.from({ length: count }, (_, i) => memberIdAt(Math.floor((i * members) / count)));
}

export interface Filled {
  readonly events: number;
  readonly seconds: number;
  /** `used_memory` of Redis: before, with the products, with the members and the log. */
  readonly bytes: { readonly empty: number; readonly products: number; readonly all: number };
}

/**
 * Writes the world through the product's own stores: products as a bulk PUT does; members a batch of
 * one partition at a time, each state folded from its events and written with its profile, its
 * identity and its log records by the script that every write of a member goes through.
 */
export async function fillScaleWorld(
  core: Core,
  scale: Scale,
  now: number,
  onProgress: (share: number, text: string) => void,
): Promise<Filled> {
  const begun = performance.now();
  const empty = await usedMemory(core);
  await core.catalog.store.putProducts(productsOf(scale.products, now));
  await core.catalog.refresh();
  const products = await usedMemory(core);
  const byPartition = Array.from({ length: PARTITIONS }, (): number[] => []);
  for (let i = 0; i < scale.members; i++) byPartition[partitionOf(memberIdAt(i))].push(i);
  let events = 0;
  let done = 0;
  let commits: Commit[] = [];
  const write = async (): Promise<void> => {
    await writeMembers(core, commits, now);
    commits = [];
    onProgress(done / scale.members, `${done} of ${scale.members} members`);
  };
  for (const [partition, indices] of byPartition.entries()) {
    for (let from = 0; from < indices.length; from += COMMIT_MEMBERS) {
      const batch = indices.slice(from, from + COMMIT_MEMBERS);
      const commit = commitOf(partition, batch, scale, now);
      events += commit.records.length - batch.length;
      done += batch.length;
      commits.push(commit);
      if (commits.length === COMMITS_AT_ONCE) await write();
    }
  }
  if (commits.length > 0) await write();
  const all = await usedMemory(core);
  const seconds = (performance.now() - begun) / 1000;
  return { events, seconds, bytes: { empty, products, all } };
}

export async function usedMemory({ client }: Pick<Core, "client">): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1] ?? Number.NaN);
}

function productsOf(count: number, now: number) {
  const categories = categoryCount(count);
  return Array.from({ length: count }, (_, index) => {
    const random = new Random(`product ${index}`);
    return {
      id: productIdAt(index),
      name: `Product ${index}`,
      category: `category ${index % categories}`,
      price: priceAt(index),
      launchedAt: new Date(now - random.whole(1, 900) * DAY_MS).toISOString().slice(0, 10),
    };
  });
}

const priceAt = (index: number): number => 5 + ((index * 2654435761) % 19_500) / 100;

function commitOf(
  partition: number,
  indices: readonly number[],
  { products, seed }: Scale,
  now: number,
): Commit {
  const members: MemberWrite[] = [];
  const records: LogRecord[] = [];
  for (const index of indices) {
    const id = memberIdAt(index);
    const random = new Random(`${seed} ${id}`);
    const profile = profileOf(id, index, now);
    records.push({ kind: "profile", member: id, subject: id, at: profile.createdAt, profile });
    let state = EMPTY_STATE;
    for (const event of lifeOf(random, products, now)) {
      state = fold(state, event);
      records.push({ kind: "event", member: id, subject: id, event });
    }
    members.push({ id, expectedVersion: 0, state: encodeState(state), profile });
  }
  return { partition, members, records, claims: [] };
}

const profileOf = (id: string, index: number, now: number): Profile => ({
  id,
  name: `Member ${index}`,
  phone: phoneAt(index),
  consents: [{ channel: "sms", purpose: "marketing", status: "granted", at: now - DAY_MS }],
  createdAt: now - DAYS * DAY_MS,
  updatedAt: now - DAYS * DAY_MS,
});

const phoneAt = (index: number): string => `+8613${String(100_000_000 + index)}`;

/** 5 events on average, in the order they happened; two in five are orders. */
function* lifeOf(random: Random, products: number, now: number): Generator<MemberEvent> {
  const count = Math.min(EVENTS_MAX, 1 + Math.floor(random.exponential(4.5)));
  const categories = categoryCount(products);
  const favourites = [random.whole(0, categories - 1), random.whole(0, categories - 1)];
  const bought: number[] = [];
  const product = (): number => {
    if (bought.length > 0 && random.chance(0.35)) return random.pick(bought);
    const category = random.chance(0.7) ? random.pick(favourites) : random.whole(0, categories - 1);
    const rank = Math.floor((products / categories) * random.next() ** 2.5);
    return Math.min(products - 1, rank * categories + category);
  };
  const days = Array.from({ length: count }, () => random.between(0.01, DAYS));
  for (const [i, day] of days.sort((a, b) => b - a).entries()) {
    const kind = random.next();
    const type: EventType = kind < 0.4 ? "purchase" : kind < 0.85 ? "view" : "cart_add";
    const lines: Line[] = [];
    const lineCount = type === "purchase" ? random.whole(1, 3) : 1;
    for (let line = 0; line < lineCount; line++) {
      const index = product();
      if (type === "purchase") bought.push(index);
      lines.push({
        product: productIdAt(index),
        quantity: 1,
        amount: type === "purchase" ? priceAt(index) : 0,
        category: `category ${index % categories}`,
      });
    }
    yield { id: `e${i}`, type, at: Math.round(now - day * DAY_MS), lines };
  }
}

async function writeMembers(core: Core, commits: readonly Commit[], now: number): Promise<void> {
  const links = commits.flatMap(({ members }) =>
    members.map(({ id, profile }): KeyedCommand => {
      return ["hset", identityKey("phone", profile!.phone!), id, now];
    }),
  );
  const [results, linked] = await Promise.all([
    core.store.commit(commits),
    groupedPipeline<number>(core.client, links),
  ]);
  const failed = results.find(({ status }) => status !== "ok");
  if (failed !== undefined) throw new Error(`a batch of members was not written: ${failed.status}`);
  for (const { error } of linked) if (error !== undefined) throw error;
}
