/** What the suppression list can hold, and how people write it. */
import { z } from "zod";
import { CuecardError } from "../errors.js";
import { requirePhone } from "./identity.js";

export const SUPPRESSION_KINDS = ["phone", "email", "member", "account"] as const;
export type SuppressionKind = (typeof SUPPRESSION_KINDS)[number];

export interface SuppressionIdentity {
  readonly kind: SuppressionKind;
  /** E.164, lower-case address, or the id as given. */
  readonly value: string;
}

const VALUE_LENGTH_MAX = 254;
const PREFIXED = new RegExp(`^(${SUPPRESSION_KINDS.join("|")}):(.+)$`, "s");
const email = z.email();

/**
 * `phone:+86…`, `email:…`, `member:ID`, `account:…`; a bare number with its country prefix, or a bare
 * address. Throws `invalid_phone` and `invalid_request`.
 */
export function suppressionIdentityOf(text: string, defaultRegion: string): SuppressionIdentity {
  const [, prefix, rest] = PREFIXED.exec(text) ?? [];
  const bare = /^\+\d/.test(text) ? "phone" : text.includes("@") ? "email" : undefined;
  const kind = SUPPRESSION_KINDS.find((one) => one === (prefix ?? bare));
  const value = (rest ?? text).trim();
  if (kind === undefined || value === "" || value.length > VALUE_LENGTH_MAX) throw invalid();
  if (kind === "phone") return { kind, value: requirePhone(value, defaultRegion) };
  if (kind !== "email") return { kind, value };
  if (!email.safeParse(value).success) throw invalid();
  return { kind, value: value.toLowerCase() };
}

function invalid(): CuecardError {
  const message = "neither phone:…, email:…, member:…, account:… nor a bare +number or address";
  return new CuecardError("invalid_request", `identity: ${message}`, {
    errors: [{ path: "identity", message }],
  });
}
