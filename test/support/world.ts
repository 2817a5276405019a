/** Store, members, writer and log as the composition root wires them, on the Redis of a test. */
import { rmSync } from "node:fs";
import type { MemberEvent } from "../../src/events/event.js";
import { EventLog } from "../../src/events/event-log.js";
import { encodeRecord } from "../../src/events/log-record.js";
import {
  MemberWriter,
  type Outcome,
  type PendingEvent,
  type StateCodec,
} from "../../src/events/member-writer.js";
import { decodeState, encodeState, fold, merge } from "../../src/features/state.js";
import { IdentityStore } from "../../src/members/identity.js";
import { MemberStore } from "../../src/members/member-store.js";
import { Members } from "../../src/members/members.js";
import { Suppressions } from "../../src/members/suppressions.js";
import {
  closeRedis,
  connectRedis,
  mastersOf,
  type RedisClient,
  scanKeys,
  whenReady,
} from "../../src/redis/clients.js";
import { memberKey, memberKeyPattern } from "../../src/redis/keys.js";
import { type TestStore, temporaryDir, testTarget } from "./redis.js";

export const codec: StateCodec = { decode: decodeState, fold, encode: encodeState };

export const mergeStates = (a: Buffer | null, b: Buffer | null): Buffer | null =>
  a === null && b === null ? null : encodeState(merge(decodeState(a), decodeState(b)));

export class World {
  readonly store: MemberStore;
  readonly members: Members;
  readonly suppressions: Suppressions;
  readonly writer: MemberWriter;
  log: EventLog;

  private readonly isErased = (id: string): boolean => this.suppressions.isErased("member", id);

  private constructor(
    readonly redis: TestStore,
    readonly client: RedisClient,
    public dataDir: string,
  ) {
    this.store = new MemberStore(client, 7, encodeRecord);
    this.suppressions = new Suppressions({ client, store: this.store, secret: undefined });
    this.members = new Members(
      this.store,
      new IdentityStore(client),
      mergeStates,
      "CN",
      this.suppressions,
    );
    this.writer = new MemberWriter(
      this.store,
      codec,
      (from) => this.members.finishMerge(from),
      this.suppressions,
    );
    this.log = new EventLog(client, dataDir, this.isErased);
  }

  static async open(): Promise<World> {
    const redis = await testTarget();
    const client = connectRedis(redis.target, "work");
    await whenReady(client, 10_000);
    return new World(redis, client, temporaryDir());
  }

  /** An empty store and an empty archive. */
  async clear(): Promise<void> {
    await this.flush();
    rmSync(this.dataDir, { recursive: true, force: true });
    this.dataDir = temporaryDir();
    this.log = new EventLog(this.client, this.dataDir, this.isErased);
  }

  async flush(): Promise<void> {
    await Promise.all(mastersOf(this.client).map((node) => node.flushall()));
  }

  async close(): Promise<void> {
    closeRedis(this.client);
    rmSync(this.dataDir, { recursive: true, force: true });
    await this.redis.stop();
  }

  /** Writes events as live ingestion does, one member's in one group. */
  async send(subject: string, ...events: MemberEvent[]): Promise<(Outcome | undefined)[]> {
    const pending: PendingEvent[] = events.map((event) => ({
      subject,
      event,
      remember: true,
      content: event.id,
    }));
    await this.writer.write([{ events: pending }]);
    return pending.map(({ outcome }) => outcome);
  }

  /** Member key → every field but the version, as bytes in hex. */
  async snapshot(): Promise<Record<string, Record<string, string>>> {
    const members: Record<string, Record<string, string>> = {};
    for await (const keys of scanKeys(this.client, memberKeyPattern)) {
      for (const key of keys) members[key] = await this.fieldsOf(key);
    }
    return members;
  }

  async stateOf(id: string): Promise<string | undefined> {
    return (await this.fieldsOf(memberKey(id))).s;
  }

  private async fieldsOf(key: string): Promise<Record<string, string>> {
    const fields = await this.client.hgetallBuffer(key);
    const entries = Object.entries(fields).filter(([name]) => name !== "v");
    return Object.fromEntries(entries.map(([name, value]) => [name, value.toString("hex")]));
  }
}

let count = 0;

/** A purchase of one line; `id` and time differ from call to call unless given. */
export function aPurchase(event: Partial<MemberEvent> & { amount?: number } = {}): MemberEvent {
  const { amount, ...rest } = event;
  count++;
  return {
    id: `e${count}`,
    type: "purchase",
    at: Date.UTC(2025, 0, 1) + count * 3_600_000,
    lines: [{ product: `p${count % 7}`, quantity: 1 + (count % 3), amount: amount ?? 9.9 + count }],
    order: `o${count}`,
    ...rest,
  };
}
