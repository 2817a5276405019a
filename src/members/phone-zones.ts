/**
 * Where a telephone number may be: the time zones and the country of its prefix. Facts of numbering
 * plans (`phone-plan.ts`, `phone-plan-america.ts`), not of the person: a mobile number travels with
 * its owner, so a member's own `timezone`, where there is one, counts before this.
 */
import { WORLD_PLAN } from "./phone-plan.js";
import { AMERICAN_PLAN, AMERICAN_ZONES } from "./phone-plan-america.js";

/** Who uses a range of numbers. */
export interface PhoneRegion {
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** The part after the hyphen of ISO 3166-2, where the numbering plan tells it. */
  readonly state?: string;
  /** `US-FL`, or the country alone. */
  readonly jurisdiction: string;
}

interface Range {
  /** null: numbers shared by countries. */
  readonly region: PhoneRegion | null;
  readonly zones: readonly string[];
}

/** Digits of a prefix as steps of a tree; a number belongs to the last range on its way. */
interface Step {
  range: Range | null;
  readonly next: (Step | undefined)[];
}

const NONE: readonly string[] = Object.freeze([]);
const root: Step = { range: null, next: [] };

function add(prefix: string, range: Range): void {
  let step = root;
  for (const digit of prefix) {
    step.next[Number(digit)] ??= { range: null, next: [] };
    step = step.next[Number(digit)]!;
  }
  step.range = range;
}

function rangeOf(place: string, zones: readonly string[]): Range {
  const [country, state] = place.split("-");
  const region = { country: country!, ...(state && { state }), jurisdiction: place };
  return { region, zones: Object.freeze([...zones]) };
}

function readWorldPlan(): void {
  for (const line of WORLD_PLAN.split("\n").filter((one) => one !== "")) {
    const [prefixes, place, ...zones] = line.split(" ");
    const range = rangeOf(place!, zones);
    for (const prefix of prefixes!.split(",")) add(prefix, range);
  }
}

function readAmericanPlan(): void {
  const anywhere = new Set<string>();
  for (const line of AMERICAN_PLAN.split("\n").filter((one) => one !== "")) {
    const [who, codes] = line.split(": ");
    const [place, ...letters] = who!.split(" ");
    const zones = letters.map((letter) => AMERICAN_ZONES[letter] ?? letter);
    for (const zone of zones) anywhere.add(zone);
    const range = rangeOf(place!, zones);
    for (const code of codes!.split(" ")) add(`1${code}`, range);
  }
  add("1", { region: null, zones: Object.freeze([...anywhere]) });
}

readWorldPlan();
readAmericanPlan();

const ZERO = 48;

// Zones, country and habits of one member are asked for one after another.
let lastNumber = "";
let lastRange: Range | null = null;

function find(e164: string): Range | null {
  if (e164 === lastNumber) return lastRange;
  lastNumber = e164;
  lastRange = e164.startsWith("+") ? walk(e164) : null;
  return lastRange;
}

function walk(e164: string): Range | null {
  let step: Step | undefined = root;
  let range: Range | null = null;
  for (let i = 1; i < e164.length; i++) {
    step = step.next[e164.charCodeAt(i) - ZERO];
    if (step === undefined) break;
    range = step.range ?? range;
  }
  return range;
}

/**
 * Every IANA zone the number (`+` and digits) may lie in, zones that keep the same time named by one;
 * [] where nothing is known (satellite, universal and malformed numbers). The same array each time.
 */
export const zonesOfPhone = (e164: string): readonly string[] => find(e164)?.zones ?? NONE;

/** Whose number it is; null: unknown, or shared by countries (+1 800 and the like). */
export const regionOfPhone = (e164: string): PhoneRegion | null => find(e164)?.region ?? null;
