/**
 * The protocol next-in-session: sessions in order of time, the latest fifth asked for, each step from
 * all the steps before it (Ludewig and Jannach 2018).
 */
import { CuecardError } from "../errors.js";
import type { SequenceCase, SequenceRound, SequenceSplit } from "./sequences-protocol.js";
import type { Basket, SequenceData } from "./sequences-read.js";

/** Share of sessions, the latest, that are asked for; and of those before, that train the ranker. */
const TEST_SHARE = 0.2;
/** Instants the ranker learns at, each before a fifth of its own, half of it earlier than the one before. */
const TRAINING_ROUNDS = 3;
const CASES_MAX = 20_000;
/** Silence that ends a session, as where the server reads its own log. */
const GAP_MS = 30 * 60_000;
/** Where a file has no times, sessions lie a minute apart from here, in the order of the file. */
const PSEUDO_START = Date.UTC(2020, 0, 1);

interface Session {
  readonly user: string;
  /** Epoch milliseconds of its first and last item. */
  readonly at: number;
  readonly endAt: number;
  readonly items: readonly number[];
}

/** @throws CuecardError `not_enough_data` when hardly a session has two items */
export function nextInSession(data: SequenceData): SequenceSplit {
  const all = sessionsOf(data);
  const sessions = all.filter(({ items }) => items.length > 1);
  const testFrom = Math.floor(sessions.length * (1 - TEST_SHARE));
  const trainFrom = Math.floor(testFrom * (1 - TEST_SHARE));
  if (trainFrom === 0 || trainFrom === testFrom || testFrom === sessions.length) {
    const found = `${all.length} sessions, ${sessions.length} of them with two items or more`;
    const remedy = "the user column names the session or the visitor, one row an item";
    throw new CuecardError("not_enough_data", `next-in-session: ${found}; ${remedy}`);
  }
  const round = (from: number, to: number): SequenceRound => {
    const asOf = sessions[from].at;
    // A session still under way at that instant would tell what comes after it.
    const known = sessions.slice(0, from).filter(({ endAt }) => endAt < asOf);
    const names = known.map(({ at, items }) => ({
      at,
      products: items.map((item) => data.items[item]),
    }));
    const purchases = names.map(({ at, products }) => ({
      member: "",
      at,
      lines: products.map((product) => ({ product, quantity: 1 })),
    }));
    return { asOf, purchases, sessions: names, ...casesOf(sessions.slice(from, to)) };
  };
  // Several instants: from one alone the trees learn its items by their popularity and age.
  const span = testFrom - trainFrom;
  const training = Array.from({ length: TRAINING_ROUNDS }, (_, i) => {
    const from = Math.max(1, trainFrom - Math.floor((i * span) / 2));
    return round(from, from + span);
  });
  const test = round(testFrom, sessions.length);
  return { training, test, byPosition: false, notes: notesOf(data, all, sessions, test) };
}

function notesOf(
  data: SequenceData,
  all: readonly Session[],
  sessions: readonly Session[],
  test: SequenceRound,
): string[] {
  const notes: string[] = [];
  if (!data.timed) notes.push("no times: the order of the file is taken for the order in time");
  const single = all.length - sessions.length;
  if (single > 0) notes.push(`${single} sessions of a single item left out`);
  const { steps = 0, cases } = test;
  if (steps > cases.length) notes.push(`${cases.length} of ${steps} steps asked, evenly thinned`);
  const known = new Set(test.sessions.flatMap(({ products }) => products));
  const unseen = cases.filter(({ target }) => !known.has(data.items[target[0]])).length;
  if (unseen > 0)
    notes.push(`${unseen} steps lead to an item no earlier session held: misses for all`);
  return notes;
}

/**
 * Where the file names baskets each is a session; else what one user did without half an hour of silence.
 * In order of time.
 */
function sessionsOf(data: SequenceData): Session[] {
  const sessions = data.users.flatMap(({ id, baskets }): Session[] => {
    const whole = (part: readonly Basket[]): Session => ({
      user: id,
      at: part[0].at,
      endAt: part[part.length - 1].at,
      items: part.flatMap(({ items }) => items),
    });
    if (data.basketsNamed) return baskets.map((basket) => whole([basket]));
    return splitAtSilence(baskets).map(whole);
  });
  if (data.timed) return sessions.sort((a, b) => a.at - b.at || a.endAt - b.endAt);
  const inFileOrder = (i: number) => PSEUDO_START + i * 60_000;
  return sessions.map((one, i) => ({ ...one, at: inFileOrder(i), endAt: inFileOrder(i) }));
}

function splitAtSilence(baskets: readonly Basket[]): Basket[][] {
  const parts: Basket[][] = [];
  baskets.forEach((basket, i) => {
    const silent = i > 0 && basket.at - baskets[i - 1].at > GAP_MS;
    if (i === 0 || silent) parts.push([basket]);
    else parts[parts.length - 1].push(basket);
  });
  return parts;
}

/** Each step of each session; evenly thinned where there are more than the limit. */
function casesOf(sessions: readonly Session[]): { cases: SequenceCase[]; steps: number } {
  const steps = sessions.reduce((sum, { items }) => sum + items.length - 1, 0);
  const every = Math.max(1, Math.ceil(steps / CASES_MAX));
  const cases: SequenceCase[] = [];
  let step = 0;
  for (const { user, at, items } of sessions) {
    for (let next = 1; next < items.length; next++) {
      if (step++ % every !== 0) continue;
      const session = items.slice(0, next);
      cases.push({ user, now: at, past: [], cart: [], session, target: [items[next]] });
    }
  }
  return { cases, steps };
}
