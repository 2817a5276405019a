/** Who a member is: identities, attributes, consents. */
import { z } from "zod";

export const consentSchema = z.strictObject({
  channel: z.string().min(1).max(64),
  purpose: z.string().min(1).max(64).default("marketing"),
  status: z.enum(["granted", "denied", "revoked"]),
  at: z
    .union([z.number().int(), z.iso.datetime({ offset: true })])
    .transform((value) => (typeof value === "number" ? value : Date.parse(value)))
    .optional()
    .describe("When it was said. Absent: now, but a yes without a time lifts no earlier no."),
  source: z.string().max(200).optional(),
});
export type Consent = z.infer<typeof consentSchema>;

/** What was found out about one of a member's numbers; of several words the latest stands. */
export const phoneMarkSchema = z.strictObject({
  phone: z.string().max(64),
  /** Reaches nobody, reaches somebody else, or reaches the member after all. */
  status: z.enum(["bad_number", "wrong_person", "confirmed"]),
  at: z
    .union([z.number().int(), z.iso.datetime({ offset: true })])
    .transform((value) => (typeof value === "number" ? value : Date.parse(value)))
    .optional(),
  source: z.string().max(200).optional(),
});
export type PhoneMark = z.infer<typeof phoneMarkSchema>;

const attributeValue = z.union([z.string().max(500), z.number(), z.boolean(), z.null()]);

/** An id as events and references take it: no other could ever be asked for. */
const identityId = z
  .string()
  .max(200)
  .regex(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    /^(?!\s)[^\u0000-\u001f\u007f\ud800-\udfff]+(?<!\s)$/u,
    "an id has no control characters and no blank at either end",
  );

/** What PUT and PATCH take; absent means unknown. Phones become E.164 before they are kept. */
export const memberInputSchema = z.strictObject({
  id: z.string().optional(),
  name: z.string().max(200).optional(),
  phone: z.string().max(64).optional(),
  phones: z.array(z.string().max(64)).max(10).optional(),
  phoneMarks: z.array(phoneMarkSchema).max(20).optional(),
  email: z.email().max(254).optional(),
  accounts: z.array(identityId).max(20).optional(),
  visitors: z.array(identityId).max(20).optional(),
  timezone: z.string().max(64).optional(),
  locale: z.string().max(35).optional(),
  jurisdiction: z.string().max(10).optional(),
  tags: z.array(z.string().max(64)).max(50).optional(),
  attributes: z.record(z.string().max(64), attributeValue).optional(),
  consents: z.array(consentSchema).max(50).optional(),
  vulnerable: z.boolean().optional(),
  personalization: z.enum(["on", "off"]).optional(),
  doNotContact: z.boolean().optional(),
});
export type MemberInput = z.infer<typeof memberInputSchema>;

/** The record as kept and as GET answers it. */
export interface Profile extends Omit<MemberInput, "id"> {
  id: string;
  /** Epoch milliseconds of the first and the latest write. */
  createdAt: number;
  updatedAt: number;
  /** Further addresses of members merged into this one. */
  emails?: string[];
  /** Profiles this one is combined from, its own included, flat; makes un-merge exact. */
  merged?: Profile[];
}
