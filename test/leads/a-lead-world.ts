/** Leads over a real store, suppression list and model, at any instant a test names. */
import type { Experiment } from "../../src/catalog/experiment.js";
import { type Config, loadConfig } from "../../src/config.js";
import { MemberReader } from "../../src/decision/member-reader.js";
import type { MemberEvent } from "../../src/events/event.js";
import { encodeState } from "../../src/features/state.js";
import { rankDependencies } from "../../src/lead-services.js";
import { type RankRequest, rankRequestSchema } from "../../src/leads/rank-answer.js";
import { type RankDependencies, rankLeads } from "../../src/leads/rank-leads.js";
import type { RankedMember } from "../../src/leads/ranked-list.js";
import { RankedSets } from "../../src/leads/ranked-sets.js";
import { type Contact, encodeContacts } from "../../src/members/contacts.js";
import type { Consent, Profile } from "../../src/members/profile.js";
import { ContactPolicy } from "../../src/policy/contact-policy.js";
import type { RedisClient } from "../../src/redis/clients.js";
import { memberKey, partitionOf, phoneContactsKey } from "../../src/redis/keys.js";
import { ALIVE, aRankingModel, schema } from "../jobs/support/a-ranking.js";
import { foldAll, openTestCore, type TestCore } from "../support/core.js";

/** Windows as an operator in China and America sets them. */
export const config: Config = {
  ...loadConfig({}),
  callingWindows: [
    { jurisdiction: "*", from: "08:00", until: "21:00" },
    { jurisdiction: "CN", from: "09:00", until: "18:00" },
    { jurisdiction: "US-FL", from: "08:00", until: "20:00", days: [1, 2, 3, 4, 5, 6] },
  ],
};

export interface AMember {
  readonly id: string;
  readonly profile?: Partial<Profile>;
  readonly events?: readonly MemberEvent[];
  readonly contacts?: readonly Contact[];
}

export const agreed = (status: Consent["status"] = "granted", channel = "phone"): Consent => ({
  channel,
  purpose: "marketing",
  status,
  at: 1,
});

/** Somebody whom everything allows to be called at 10 o'clock in Shanghai. */
export const callable = (id: string, phone: string, more: Partial<Profile> = {}): AMember => ({
  id,
  profile: { phone, timezone: "Asia/Shanghai", jurisdiction: "CN", consents: [agreed()], ...more },
});

export const aContact = (at: number, more: Partial<Contact> = {}): Contact => ({
  token: `t${at}${more.channel ?? ""}${more.outcome ?? ""}`,
  at,
  until: 0,
  channel: "phone",
  offer: null,
  outcome: null,
  outcomeAt: 0,
  again: 0,
  ...more,
});

export class LeadWorld {
  readonly core: TestCore;
  readonly sets: RankedSets;

  constructor(private readonly client: RedisClient) {
    this.core = openTestCore(client);
    this.sets = new RankedSets(client);
  }

  async write(members: readonly AMember[]): Promise<void> {
    const pipeline = members.map(({ id, profile = {}, events = [], contacts = [] }) => {
      const fields: (string | Buffer)[] = ["v", "1"];
      fields.push("p", JSON.stringify({ createdAt: 0, updatedAt: 0, ...profile, id }));
      if (events.length > 0) fields.push("s", encodeState(foldAll(events)));
      const packed = encodeContacts(contacts);
      if (packed !== null) fields.push("c", packed);
      return this.client.hset(memberKey(id), ...fields);
    });
    await Promise.all(pipeline);
  }

  async writePhone(phone: string, contacts: readonly Contact[]): Promise<void> {
    await this.client.set(phoneContactsKey(phone), encodeContacts(contacts)!);
  }

  /** Puts a ranking in force, as the job does. */
  async rank(members: readonly RankedMember[], asOf: number, heads = "v1"): Promise<void> {
    const run = `r${asOf}${heads}`;
    const byPartition = new Map<number, RankedMember[]>();
    for (const member of members) {
      const partition = partitionOf(member.id);
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), member]);
    }
    await this.sets.writeLists(
      run,
      [...byPartition].map(([partition, purchase]) => ({ partition, lists: { purchase } })),
    );
    const ranked = { run, asOf, heads, alive: null, members: { purchase: members.length } };
    await this.sets.publish(1, { ...ranked, partition: 1024, scored: members.length });
  }

  async dependencies(
    now: number,
    { trained = true, settings = config, experiments = [] as Experiment[] } = {},
  ): Promise<RankDependencies> {
    const { core, client } = this;
    const { scorer } = await aRankingModel();
    const lease = { scorer, manifest: { version: "v1" } as never, explainer: () => null };
    const heads = {
      lease: () => (trained ? { ...lease, release() {} } : null),
      manifest: () => (trained ? ({ version: "v1" } as never) : null),
    };
    const catalog = { current: () => ({ experiments }) as never };
    const deciding = {
      config: settings,
      schema,
      heads,
      alive: () => ALIVE,
      onModelError(error: unknown) {
        throw error;
      },
      reader: new MemberReader(core.store, core.members),
      suppressions: core.suppressions,
      contacts: core.contacts,
      rules: { config: settings, contactPolicy: new ContactPolicy(settings) },
      onGuardStop(guard: number) {
        throw new Error(`guard ${guard} stopped a lead at the last look`);
      },
    };
    const wired = rankDependencies(
      { client, store: core.store, catalog: catalog as never },
      { heads },
      deciding,
    );
    return { ...wired, clock: () => now };
  }

  async ask(
    request: Partial<RankRequest>,
    now: number,
    options: Parameters<LeadWorld["dependencies"]>[1] = {},
  ) {
    const parsed = rankRequestSchema.parse({ channel: "phone", limit: 10_000, ...request });
    return rankLeads(parsed, await this.dependencies(now, options));
  }
}
