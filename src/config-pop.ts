/** The part of the configuration that telephone systems need. */
import { z } from "zod";

/** What a call can come to; see `ResponseOutcome`. */
const CALL_OUTCOMES = [
  "accept",
  "reject",
  "later",
  "convert",
  "no_contact",
  "bad_number",
  "abandoned",
  "not_pitched",
  "pending",
  "do_not_contact",
  "wrong_person",
] as const;
export type CallOutcome = (typeof CALL_OUTCOMES)[number];

/** VICIdial's own dispositions. One that is not here is told as such, and never guessed. */
const DISPOSITIONS: Readonly<Record<string, CallOutcome>> = {
  SALE: "accept",
  NI: "reject",
  DEC: "reject",
  CALLBK: "later",
  CBHOLD: "later",
  DNC: "do_not_contact",
  DNCL: "do_not_contact",
  DNCC: "do_not_contact",
  DC: "bad_number",
  ADC: "bad_number",
  A: "no_contact",
  AA: "no_contact",
  AM: "no_contact",
  AL: "no_contact",
  N: "no_contact",
  NA: "no_contact",
  B: "no_contact",
  AB: "no_contact",
  DROP: "abandoned",
  PDROP: "abandoned",
  NP: "not_pitched",
  XFER: "pending",
};

/** Added to those above; of one named in both, what is given counts. */
const dispositionsSchema = z
  .record(z.string().min(1).max(40), z.enum(CALL_OUTCOMES))
  .default({})
  .transform((given): Readonly<Record<string, CallOutcome>> => {
    const named = Object.entries(given).map(([name, outcome]) => [name.toUpperCase(), outcome]);
    return { ...DISPOSITIONS, ...Object.fromEntries(named) };
  });

/** Names of one parameter of /pop in the words of telephone systems; the first that is sent counts. */
const aliases = (...names: string[]) => z.array(z.string().min(1)).min(1).default(names);

export const popSchema = z.object({
  /** Where the card is shown: a placement of kind inbound. */
  placement: z.string().default("screen_pop"),
  /** For the whole decision, ms; that of any request where absent. */
  budgetMs: z.number().min(5).max(10_000).optional(),
  aliases: z
    .object({
      caller: aliases(
        ...["ani", "phone", "phone_number", "from", "caller", "number", "CallerNumber"],
      ),
      dialled: aliases("dnis", "did_pattern", "dialed_number", "to"),
      call: aliases("uniqueid", "call_id", "contactId", "conversationId", "uid"),
      agent: aliases("user", "agent"),
      member: aliases("member", "vendor_id", "vendor_lead_code"),
      country: aliases("cc", "phone_code"),
      decision: aliases("decision", "decision_id", "decisionId"),
      disposition: aliases("dispo", "disposition"),
      note: aliases("call_notes", "note"),
      callback: aliases("callback_datetime", "callback"),
    })
    .prefault({}),
  /** Disposition → outcome, in any case of letters. */
  dispositions: dispositionsSchema,
});
