/** The document of explained decisions, from answers of the product: pure, and the same in both languages. */
import type { RecommendationResponse, Suggestion } from "../../src/decision/answer.js";
import { type BarCode, barText } from "../../src/policy/guard-texts.js";
import { type CouponTold, WORDS, type Words } from "./explained-words.js";

export type Language = "en" | "zh";
export type Said = Readonly<Record<Language, string>>;

export interface Asked {
  readonly said: string;
  readonly answer: RecommendationResponse;
  /** The same question at a later instant. */
  readonly later: { readonly at: number; readonly answer: RecommendationResponse };
  readonly coupon: CouponTold | null;
}

export interface Explained {
  readonly heading: string;
  readonly who: string;
  readonly zones: readonly string[];
  /** Epoch milliseconds. */
  readonly at: number;
  readonly asked: readonly Asked[];
  readonly whyNot: readonly { readonly name: string; readonly text: string }[];
  /** How many bytes came out again; null: it was not replayed. */
  readonly replayedBytes: number | null;
  /** Of the record: what decided. */
  readonly versions: Readonly<Record<string, string | number | null>>;
}

const CONTRIBUTIONS = 3;

export function documentOf(explained: readonly Explained[], language: Language): string {
  const words = WORDS[language];
  const sections = explained.map((one, i) => sectionOf(one, i + 1, language));
  return `${[words.title, words.preface, ...sections].join("\n\n")}\n`;
}

function sectionOf(one: Explained, number: number, language: Language): string {
  const words = WORDS[language];
  const several = one.asked.length > 1;
  const names = new Set(one.asked.map(({ answer }) => stageOf(answer, words)));
  const parts = one.asked.flatMap((asked) => [
    ...(several ? [`### ${asked.said.replace(/[.。]$/, "")}`] : []),
    ...(names.size > 1 ? [part(words.who, [stageOf(asked.answer, words)])] : []),
    part(words.screen, screenOf(asked.answer, one, words)),
    part(words.why, whyOf(asked, one, language)),
    part(words.later, [laterOf(asked, one, words)]),
    part(words.record, [recordOf(asked.answer, words)]),
  ]);
  const about = [
    ...(names.size > 1 ? [] : names),
    ...(several ? [] : [one.asked[0]!.said]),
    words.now(timeOf(one.at, one.zones, words)),
  ];
  const fates = one.whyNot.map(({ name, text }) => words.fate(name, text));
  const replayed = one.replayedBytes === null ? [] : [words.replayed(one.replayedBytes)];
  return [
    `## ${number}. ${one.heading}`,
    part(words.who, [[one.who, ...about].join(words.space)]),
    ...parts,
    ...(fates.length === 0 ? [] : [part(words.whyNot, fates)]),
    ...(replayed.length === 0 ? [] : [part(words.again, replayed)]),
    words.versions(one.versions),
  ].join("\n\n");
}

const part = (title: string, lines: readonly string[]): string =>
  lines.length === 1
    ? `**${title}** ${lines[0]}`
    : `**${title}**\n\n${lines.map((line) => `- ${line}`).join("\n")}`;

/** Name and stage as the screen shows them with this answer. */
function stageOf({ member }: RecommendationResponse, words: Words): string {
  const { known, name, stage } = member;
  if (!known) return words.nobody;
  return words.stage(name, stage === null ? null : words.stages[stage]);
}

const timeOf = (at: number, zones: readonly string[], words: Words): string =>
  zones.map((zone) => words.time(at, zone)).join(words.or);

function screenOf(
  { suggestions, doNotSell }: RecommendationResponse,
  { zones }: Explained,
  words: Words,
): string[] {
  const lines = doNotSell === null ? [] : [words.doNotSell(doNotSell.text)];
  const [first] = suggestions;
  if (first === undefined) return [...lines, words.nothing];
  if (first.product !== null) lines.push(offerOf(first, words));
  if (first.contactAt !== null)
    lines.push(words.contactAt(timeOf(Date.parse(first.contactAt), zones, words)));
  if (first.script !== null) lines.push(words.script(first.script));
  return lines;
}

function offerOf({ kind, product, coupon, channel }: Suggestion, words: Words): string {
  return words.offer({
    kind: words.kinds[kind],
    name: product!.name,
    price: product!.price === null ? null : words.money(product!.price),
    coupon: coupon?.label ?? null,
    channel: channel === null ? null : (words.channels[channel] ?? channel),
  });
}

function whyOf({ answer, coupon }: Asked, one: Explained, language: Language): string[] {
  const words = WORDS[language];
  const lines = barsOf(answer, one, language);
  const [first, second] = answer.suggestions;
  if (!answer.member.known) lines.push(words.stranger);
  else if (
    answer.explanation !== undefined &&
    Object.keys(answer.explanation.features).length === 0
  )
    lines.push(words.everyone);
  if (first?.product == null) return lines.length === 0 ? [words.care] : lines;
  lines.push(words.reasons(first.reasons.map(({ text }) => text)));
  const told = strongest(answer, first.product.id, words);
  if (told.length > 0) lines.push(words.contributions(told));
  if (first.propensity !== undefined) {
    lines.push(words.worth(first.propensity, words.money(first.expectedValue ?? 0)));
  }
  if (coupon !== null) lines.push(words.coupon(coupon));
  if (second?.product != null) lines.push(secondOf(first, second, words));
  return lines;
}

/** What the guards closed; channels closed by one guard for one time together. */
function barsOf(
  { blocked = [] }: RecommendationResponse,
  { zones }: Explained,
  language: Language,
): string[] {
  const words = WORDS[language];
  const closed = new Map<string, string[]>();
  for (const { guard, code, channel, until } of blocked) {
    const key = JSON.stringify([guard, code, until]);
    const named = channel === null ? [] : [words.channels[channel] ?? channel];
    closed.set(key, [...(closed.get(key) ?? []), ...named]);
  }
  return [...closed].map(([key, channels]) => {
    const [guard, code, until] = JSON.parse(key) as [number, BarCode, string | null];
    return words.bar({
      guard,
      channel: channels.length === 0 ? null : channels.join(words.comma),
      text: barText(code, language),
      until: until === null ? null : timeOf(Date.parse(until), zones, words),
    });
  });
}

function secondOf(first: Suggestion, second: Suggestion, words: Words): string {
  if (first.expectedValue === undefined || second.expectedValue === undefined) {
    return words.second(second.product!.name, null);
  }
  return words.second(second.product!.name, {
    chance: second.propensity ?? 0,
    value: words.money(second.expectedValue),
    first: words.money(first.expectedValue),
  });
}

/** What did most to the place of this product, either way. */
function strongest(
  { explanation }: RecommendationResponse,
  product: string,
  words: Words,
): string[] {
  const candidate = explanation?.candidates.find((one) => one.product === product);
  if (candidate?.contributions == null) return [];
  return Object.entries(candidate.contributions)
    .filter(([name]) => name !== "bias")
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, CONTRIBUTIONS)
    .map(([name, value]) => words.contribution(explanation?.words?.[name] ?? name, value));
}

function laterOf({ answer, later }: Asked, { zones }: Explained, words: Words): string {
  const when = timeOf(later.at, zones, words);
  const [first] = later.answer.suggestions;
  if (later.answer.doNotSell !== null) {
    const isSame = later.answer.doNotSell.code === answer.doNotSell?.code;
    return words.laterClosed(when, isSame, later.answer.doNotSell.text);
  }
  if (first?.product == null) return words.laterNothing(when);
  const isSame = first.product.id === answer.suggestions[0]?.product?.id;
  const opened = (answer.blocked ?? []).flatMap(({ channel }) =>
    channel === null || later.answer.blocked?.some((one) => one.channel === channel) === true
      ? []
      : [words.channels[channel] ?? channel],
  );
  return words.laterOffer({
    when,
    isSame,
    name: first.product.name,
    reason: first.reasons[0]?.text ?? null,
    value: first.expectedValue === undefined ? null : words.money(first.expectedValue),
    opened,
  });
}

function recordOf({ decisionId, models }: RecommendationResponse, words: Words): string {
  return words.decision(decisionId, models.heads, models.ranker);
}
