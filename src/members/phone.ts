/** What a telephone system sends as a caller's number → E.164, or why there is none. */
import {
  type CountryCode,
  isSupportedCountry,
  parsePhoneNumberFromString,
} from "libphonenumber-js/max";

export type ParsedPhone =
  | {
      readonly kind: "number";
      /** `+` and 7 to 15 digits. */
      readonly e164: string;
      /** ISO 3166-1 alpha-2; `001` where a number belongs to no country (+800, +870 …). */
      readonly country: string;
      readonly extension?: string;
    }
  /** The caller hides the number, or the line has none: nobody to look up, and no fault. */
  | { readonly kind: "withheld" }
  | { readonly kind: "invalid" };

/** Longer than any number with its URI, display name and parameters. */
const TEXT_MAX = 256;

const WITHHELD = new Set([
  "anonymous",
  "blocked",
  "no number",
  "no caller id",
  "none",
  "not available",
  "null",
  "number withheld",
  "private",
  "private number",
  "restricted",
  "unavailable",
  "undefined",
  "unknown",
  "unknown number",
  "withheld",
  "匿名",
  "未知",
  "未知号码",
  "私人号码",
  "隐藏号码",
  "号码隐藏",
]);

/** ANONYMOUS, RESTRICTED, BLOCKED, UNKNOWN, UNAVAILABLE as carriers spell them on a keypad. */
const WITHHELD_DIGITS = new Set([
  "+266696687",
  "266696687",
  "+7378742833",
  "+2562533",
  "+8566696",
  "+86282452253",
]);

const EXTENSION =
  /(?:;\s*ext=|[,;\s]*(?:ext(?:ension|n)?\.?|分机号?|转接?|轉|x(?=[\s.:]*\d)|#))[\s.:：-]*(\d{1,7})\s*#?\s*$/i;

/**
 * Reads one number: E.164, `00…`, national of `defaultRegion` (ISO 3166-1 alpha-2), with or without
 * country code, full-width digits, `sip:` and `tel:` URIs, extensions. Never throws.
 * The widest metadata is used (145 kB): it alone tells a valid number from one of the right length.
 */
export function parsePhone(text: string, defaultRegion: string): ParsedPhone {
  if (text.length > TEXT_MAX) return { kind: "invalid" };
  const plain = clean(text);
  if (isWithheld(plain)) return { kind: "withheld" };
  const match = EXTENSION.exec(plain);
  const number = match === null ? plain : plain.slice(0, match.index);
  const region = isSupportedCountry(defaultRegion) ? defaultRegion : undefined;
  const parsed = parseValid(number, region);
  if (parsed === undefined) return { kind: "invalid" };
  const extension = match?.[1] ?? parsed.ext;
  return {
    kind: "number",
    e164: parsed.number,
    country: parsed.country ?? "001",
    ...(extension === undefined ? {} : { extension }),
  };
}

/** Folds width and dashes, drops what is invisible, and takes the number out of a URI. */
function clean(text: string): string {
  let plain = text
    .normalize("NFKC")
    .replace(/[\p{Cc}\p{Cf}]/gu, "")
    .replace(/[‐-―−﹘ー]/gu, "-")
    .trim();
  const bracketed = /<([^<>]*)>\s*[^<>]*$/.exec(plain);
  if (bracketed !== null) plain = bracketed[1].trim();
  const uri = /^(sips?|tel|callto):(.*)$/i.exec(plain);
  if (uri === null) return plain.replace(/^["']+|["']+$/g, "").trim();
  return uri[1].toLowerCase().startsWith("sip") ? sipUser(uri[2]) : telNumber(uri[2]);
}

/** `+861…;ext=12@host;user=phone` → `+861…;ext=12`. */
function sipUser(rest: string): string {
  const user = rest.replace(/^\/\//, "").split("@")[0];
  const [name, ...parameters] = decode(user).split(":")[0].split(";");
  const extension = parameters.find((parameter) => /^ext=/i.test(parameter));
  return extension === undefined ? name.trim() : `${name.trim()};${extension}`;
}

/** RFC 3966: the context of a local number is put in front of it when it is a number itself. */
function telNumber(rest: string): string {
  const [number, ...parameters] = decode(rest).split(";");
  const value = (name: string): string | undefined =>
    parameters.find((one) => one.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  const context = value("phone-context");
  const extension = value("ext");
  const prefix = context?.startsWith("+") && !number.startsWith("+") ? context : "";
  return `${prefix}${number.trim()}${extension === undefined ? "" : `;ext=${extension}`}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isWithheld(plain: string): boolean {
  const word = plain
    .toLowerCase()
    .replace(/[\s_-]+/g, " ")
    .trim();
  if (WITHHELD.has(word)) return true;
  const digits = plain.replace(/[\s().-]/g, "");
  return /^\+?0*$/.test(digits) || WITHHELD_DIGITS.has(digits);
}

/** Tried in turn: as written; `00` as `+`; and digits that already start with a country code. */
function parseValid(number: string, region: CountryCode | undefined) {
  // Letters are refused: a vanity number is not something a caller's line presents.
  if (!/^[+\d\s().,/-]+$/.test(number)) return undefined;
  const digits = number.replace(/[^\d+]/g, "");
  if (!/^\+?\d{5,20}$/.test(digits)) return undefined;
  const international = digits.replace(/^\+?00(?=[1-9])/, "+");
  const attempts = [international];
  if (!international.startsWith("+") && digits.length >= 10) attempts.push(`+${digits}`);
  for (const attempt of attempts) {
    const parsed = parsePhoneNumberFromString(attempt, {
      ...(region === undefined ? {} : { defaultCountry: region }),
      extract: false,
    });
    if (parsed?.isValid()) return parsed;
  }
  return undefined;
}

/** A number as dialers keep it: country calling code and national number, digits only. */
export function dialledParts(e164: string): { code: string; national: string } | null {
  const parsed = parsePhoneNumberFromString(e164);
  if (parsed === undefined) return null;
  return { code: parsed.countryCallingCode, national: parsed.nationalNumber };
}
