/**
 * What a `response` event changes beside being counted: the suppression list, and what is known of a
 * member's number. What it says about contacts is folded with the event (`contact-events.ts`).
 */
import { isCuecardError } from "../errors.js";
import type { MemberRecord } from "../members/member-store.js";
import type { MemberInput, PhoneMark, Profile } from "../members/profile.js";
import type { SuppressionIdentity } from "../members/suppression-identity.js";
import type { Suppressed } from "../members/suppressions.js";
import type { MemberEvent } from "./event.js";
import { type ResponseProperties, responsePropertiesSchema } from "./response.js";

export interface ResponseEffectParts {
  readonly members: { patch(id: string, input: MemberInput): Promise<unknown> };
  readonly suppressions: {
    putAll(identities: readonly SuppressionIdentity[], why: Suppressed): Promise<void>;
  };
  readonly store: { readThrough(id: string): Promise<MemberRecord> };
  /** Which identity a channel reaches somebody by. */
  addressOf(channel: string): "phone" | "email" | "none";
  /** E.164; undefined: no number that can be dialled. */
  phoneOf(text: string): string | undefined;
}

export type ResponseEffects = (subject: string, event: MemberEvent) => Promise<void>;

/**
 * Acts before the event is acknowledged; again is the same, so that a repeat finishes what a crash cut
 * off. Other events pass. Throws `store_unavailable`, `store_full`, `write_contended`: then the event
 * is to be sent again.
 */
export const createResponseEffects =
  (parts: ResponseEffectParts): ResponseEffects =>
  async (subject, event) => {
    if (event.type !== "response") return;
    const { data } = responsePropertiesSchema.safeParse(event.properties);
    if (data === undefined) return;
    try {
      if (data.outcome === "do_not_contact") await suppress(subject, event, data, parts);
      if (data.outcome === "bad_number" || data.outcome === "wrong_person") {
        await mark(subject, event, data, data.outcome, parts);
      }
    } catch (error) {
      // Erased meanwhile: nobody contacts them any more.
      if (!isCuecardError(error) || error.code !== "member_erased") throw error;
    }
  };

/** The address they were reached at, and the member: who says so means all of us. */
async function suppress(
  subject: string,
  { at, channel }: MemberEvent,
  said: ResponseProperties,
  parts: ResponseEffectParts,
): Promise<void> {
  const { suppressions, store, addressOf } = parts;
  const identities: SuppressionIdentity[] = [{ kind: "member", value: subject }];
  const address = said.phone !== undefined ? "phone" : addressOf(channel ?? "");
  if (address !== "none") {
    const { profile } = await store.readThrough(subject);
    const own = ownPart(profile, subject);
    const value = address === "phone" ? numberOf(said, own, profile, parts) : emailOf(own, profile);
    if (value !== undefined) identities.push({ kind: address, value });
  }
  await suppressions.putAll(identities, {
    source: `response:${channel ?? "unknown"}`.slice(0, 100),
    reason: "do_not_contact",
    at,
  });
}

/** A word on the same number that is as late or later stands. */
async function mark(
  subject: string,
  { at }: MemberEvent,
  said: ResponseProperties,
  status: PhoneMark["status"],
  parts: ResponseEffectParts,
): Promise<void> {
  const { profile } = await parts.store.readThrough(subject);
  const phone = numberOf(said, ownPart(profile, subject), profile, parts);
  if (phone === undefined) return;
  const known = profile?.phoneMarks?.find((one) => one.phone === phone);
  if (known !== undefined && (known.at ?? 0) >= at) return;
  await parts.members.patch(subject, { phoneMarks: [{ phone, status, at, source: "response" }] });
}

/** What was known of the subject itself, before it was merged with others. */
const ownPart = (profile: Profile | null, subject: string): Profile | null =>
  profile?.merged?.find(({ id }) => id === subject) ?? profile;

function numberOf(
  { phone }: ResponseProperties,
  own: Profile | null,
  whole: Profile | null,
  { phoneOf }: ResponseEffectParts,
): string | undefined {
  if (phone !== undefined) return phoneOf(phone);
  // Not the first that is in use still: a repeat would find another one.
  return own?.phone ?? own?.phones?.[0] ?? whole?.phone ?? whole?.phones?.[0];
}

const emailOf = (own: Profile | null, whole: Profile | null): string | undefined =>
  own?.email ?? whole?.email;
