/** What an `opt_out` event changes beside being counted: consent, and for all channels the list. */
import { channelCalled, plain } from "../channel-words.js";
import { isCuecardError } from "../errors.js";
import type { MemberInput } from "../members/profile.js";
import type { SuppressionIdentity } from "../members/suppression-identity.js";
import type { Suppressed } from "../members/suppressions.js";
import { type MemberEvent, optOutPropertiesSchema } from "./event.js";

export interface OptOutParts {
  readonly members: { patch(id: string, input: MemberInput): Promise<unknown> };
  readonly suppressions: { put(identity: SuppressionIdentity, why: Suppressed): Promise<void> };
  /** Every channel there is: what `all` means. */
  readonly channels: readonly string[];
}

export type OptOut = (subject: string, event: MemberEvent) => Promise<void>;

/** The one purpose that guards ask about. */
const MARKETING = "marketing";

/** The declared channel that is meant; null: all. An unclear no is a no to everything. */
function channelMeant(said: string, declared: readonly string[]): string | null {
  const name = channelCalled(said);
  return declared.find((id) => id === said) ?? declared.find((id) => plain(id) === name) ?? null;
}

/** A no to some other purpose is kept as it was said, and is one to marketing as well. */
const purposesMeant = (said: string): string[] => [...new Set([MARKETING, plain(said)])];

/** A file is not held up by a route we do not know: that somebody opted out counts all the same. */
const ANYTHING = { purpose: MARKETING, channel: undefined, route: undefined } as const;

/**
 * Records an opt-out with its source and time, before its event is acknowledged. Again is the same; a
 * consent given later than the event stays. Other events pass. Throws `store_unavailable`,
 * `store_full`, `write_contended`: the event is then to be sent again.
 */
export const createOptOut =
  ({ members, suppressions, channels }: OptOutParts): OptOut =>
  async (subject, event) => {
    if (event.type !== "opt_out") return;
    const { data = ANYTHING } = optOutPropertiesSchema.safeParse(event.properties ?? {});
    const channel = channelMeant(data.channel ?? event.channel ?? "all", channels);
    const source = data.route === undefined ? "opt_out" : `opt_out:${data.route}`;
    const { at } = event;
    try {
      if (channel === null) {
        const identity = { kind: "member", value: subject } as const;
        await suppressions.put(identity, { source, reason: "opt_out", at });
      }
      const revoked = channel === null ? channels : [channel];
      const consents = purposesMeant(data.purpose).flatMap((purpose) =>
        revoked.map((one) => ({
          channel: one,
          purpose,
          status: "revoked" as const,
          at,
          source,
        })),
      );
      await members.patch(subject, { consents });
    } catch (error) {
      // Erased meanwhile: nobody contacts them any more.
      if (!isCuecardError(error) || error.code !== "member_erased") throw error;
    }
  };
