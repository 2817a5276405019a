/** Claims on contact places as decisions make them, under a policy of a test. */
import { type ContactPolicyConfig, loadConfig } from "../../src/config.js";
import { ContactStore, type ReserveResult } from "../../src/members/contact-store.js";
import { ContactPolicy } from "../../src/policy/contact-policy.js";
import type { RedisClient } from "../../src/redis/clients.js";

export const aPolicy = (over: Partial<ContactPolicyConfig> = {}): ContactPolicy =>
  new ContactPolicy({
    timezone: "Asia/Shanghai",
    contactPolicy: { ...loadConfig({}).contactPolicy, ...over },
  });

/** One contact a day: with a member, and on each number. */
export const onceADay = aPolicy({
  caps: [
    { per: "member", offer: false, max: 1, window: { rolling: "24h" } },
    { per: "phone", offer: false, max: 1, window: { rolling: "24h" } },
  ],
});

export const openContacts = (
  client: RedisClient,
  finishMerge: (from: string) => Promise<unknown> = async () => undefined,
): ContactStore => new ContactStore(client, { finishMerge, keptMs: onceADay.keptMs });

export function claim(
  contacts: ContactStore,
  member: string,
  token: string,
  { phone = null as string | null, now = Date.now(), seconds = 900, policy = onceADay } = {},
): Promise<ReserveResult> {
  return contacts.reserve({
    member,
    phone,
    token,
    channel: "phone",
    offer: null,
    limits: policy.limits("phone", null, now),
    nowMs: now,
    untilMs: now + seconds * 1000,
  });
}
