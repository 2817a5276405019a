/** The place among contacts that an answer we start with takes before it leaves (`reserve: true`). */
import type { Config } from "../config.js";
import { isCuecardError } from "../errors.js";
import type { ContactBar } from "../members/contact-limits.js";
import type { ContactStore } from "../members/contact-store.js";
import { addressOf, type GuardRules } from "../policy/guards.js";
import { toStoreError } from "../redis/clients.js";
import type { ContactPlace } from "./answer.js";
import type { Decided, Situation } from "./decide-for.js";
import type { Open } from "./gather.js";
import type { Taken } from "./taken.js";

export interface ReserveDependencies {
  readonly config: Config;
  readonly rules: GuardRules;
  readonly contacts: Pick<ContactStore, "reserve" | "release">;
}

export type NoPlace =
  /** Somebody else took the last one since the guards looked. */
  | { readonly status: "barred"; readonly bar: ContactBar; readonly channel: string }
  /** The member was merged away or erased since. */
  | { readonly status: "moved" }
  /** Nobody could say whether there is one. */
  | { readonly status: "out_of_reach" };

export const reserves = ({ request, placement }: Situation): boolean =>
  request.reserve === true && placement.kind === "outbound";

export const wantsPlace = ({ situation }: Open, { answer }: Decided): boolean =>
  reserves(situation) && answer.suggestions.length > 0;

/** Takes the place of the first suggestion: on its channel, about its product, named by the decision. */
export async function reservePlace(
  { id, holder, situation }: Open,
  { answer }: Decided,
  taken: Taken,
  { config, rules, contacts }: ReserveDependencies,
): Promise<NoPlace | { readonly status: "ok"; readonly contact: ContactPlace }> {
  const [first] = answer.suggestions;
  const channel = first!.channel!;
  const offer = first!.product?.id ?? null;
  const settings = config.channels.find((one) => one.id === channel)!;
  const { facts, now } = situation;
  const phone = addressOf(settings) === "phone" ? (facts?.phone ?? null) : null;
  const address = { member: holder, phone, token: id, channel, offer };
  const limits = rules.contactPolicy.limits(channel, offer, now);
  const untilMs = now + rules.contactPolicy.reservationMs;
  try {
    const reserving = contacts.reserve({ ...address, limits, nowMs: now, untilMs });
    const result = await taken.take(reserving, () => contacts.release(address));
    if (result.status === "barred") return { status: "barred", bar: result, channel };
    const until = new Date(untilMs).toISOString();
    return { status: "ok", contact: { token: id, channel, until } };
  } catch (error) {
    const failure = isCuecardError(error) ? error : toStoreError(error);
    if (/^member_(?:erased|unknown)$/.test(failure.code)) return { status: "moved" };
    if (failure.status >= 500 && failure.code !== "internal") return { status: "out_of_reach" };
    throw failure;
  }
}
