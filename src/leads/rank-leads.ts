/**
 * POST /v1/leads/rank: who to contact first, over members named or over the last ranked set from its
 * top. Everybody passes the guards that every other answer passes, on what is known of them now. A
 * preview: nothing is reserved, nothing recorded.
 *
 * Works through small groups and lets others onto the event loop between them.
 */
import type { MemberFacts, Scored } from "../decision/member-scores.js";
import type { Person } from "../decision/read-person.js";
import { CuecardError } from "../errors.js";
import type { MemberRef } from "../events/event.js";
import type { MemberRecord } from "../members/member-store.js";
import { guardLast } from "../policy/guard-last.js";
import type { Language } from "../policy/guard-texts.js";
import { addressOf, type GuardRules } from "../policy/guards.js";
import { toStoreError, withDeadline } from "../redis/clients.js";
import { type Callable, callableNext, callableNow } from "./callable.js";
import { type Found, leadOf } from "./lead.js";
import type { Lead, RankRequest, RankResponse } from "./rank-answer.js";
import { ranksOf } from "./rank-scale.js";
import type { RankedRun, RankedSet } from "./ranked-sets.js";
import type { RankedRecord } from "./ranked-walk.js";
import { ruleScore } from "./rule-score.js";
import { PERSONALIZATION_OFF, Tally } from "./tally.js";
import { compileWhere, type Where } from "./where.js";

/** Heads of everybody given, in order; none while nothing is trained. */
export interface LiveScores {
  readonly scored: readonly Scored[];
  readonly version: string | null;
  readonly degraded: "untrained" | "model_failed" | null;
}

export interface RankDependencies {
  readonly rules: GuardRules;
  /** What to answer in where a member says nothing else. */
  languageOf(locale: string | undefined): Language;
  readRefs(refs: readonly MemberRef[]): Promise<(MemberRecord | null)[]>;
  currentRun(): Promise<RankedRun | null>;
  /** A set from its top, in groups of `batch`. */
  walk(run: RankedRun, set: RankedSet, batch: number): AsyncGenerator<RankedRecord[]>;
  /** On return the suppression list holds every change made before the call. */
  refreshSuppressions(): Promise<void>;
  /** The group as the guards see it, contacts of their numbers included. */
  personsOf(
    members: readonly { record: MemberRecord; ref: MemberRef | null }[],
    now: number,
  ): Promise<Person[]>;
  scoreMembers(facts: readonly MemberFacts[], now: number): Promise<LiveScores>;
  /** Version of the heads that serve. */
  headsVersion(): string | null;
  /** An experiment wants nothing proactive on this channel for this member. */
  isHeld(facts: MemberFacts, channel: string, now: number): boolean;
  onGuardStop(guard: number): void;
  /** Epoch milliseconds; Date.now where a test gives none. */
  clock?(): number;
}

/** Read, judged and scored together: a few milliseconds of work. */
const GROUP = 64;
/** On the event loop at once, about; others go between. */
const TURN_MS = 5;
const DEADLINE_MS = 30_000;
/** Places of a ranked set. */
const WALK_MAX = 50_000;
const STALE_MS = 36 * 3_600_000;

/** One member as they came: `score` of the ranked set, null with `members`. */
interface Entry {
  readonly ref: MemberRef | null;
  readonly record: MemberRecord | null;
  readonly score: number | null;
}

/**
 * Throws `invalid_request` for a `where` or channel that is none, `ranking_missing` where nobody was
 * ranked by `by`, and `store_unavailable`: leads nobody could be guarded by are not given.
 */
export async function rankLeads(
  request: RankRequest,
  dependencies: RankDependencies,
): Promise<RankResponse> {
  const started = performance.now();
  const ranking = new Ranking(request, dependencies, started);
  const walked = request.members === undefined ? await ranking.walk() : null;
  if (request.members !== undefined) await ranking.takeAll(request.members);
  return { ...(await ranking.answer(walked)), tookMs: performance.now() - started };
}

/** A member between the steps. */
interface Judged extends Person {
  readonly facts: MemberFacts;
  readonly score: number | null;
  readonly scored: Scored | undefined;
  readonly callable?: Callable;
}

interface Walked {
  readonly run: RankedRun;
  readonly places: number;
  readonly stopped: RankResponse["stopped"];
}

class Ranking {
  private readonly now: number;
  private readonly where: Where | null;
  private readonly address: ReturnType<typeof addressOf>;
  private readonly tally = new Tally();
  private readonly seen = new Set<string>();
  private found: Found[] = [];
  private of = 0;
  private degraded: LiveScores["degraded"] = null;
  private version: string | null = null;
  private turnSince = performance.now();

  constructor(
    private readonly request: RankRequest,
    private readonly dependencies: RankDependencies,
    private readonly started: number,
  ) {
    const { where, channel } = request;
    const { channels } = dependencies.rules.config;
    this.now = dependencies.clock?.() ?? Date.now();
    this.where = where == null ? null : compileWhere(where);
    this.version = dependencies.headsVersion();
    const known = channels.find(({ id }) => id === channel);
    if (known === undefined) throw notDeclared(channels.map(({ id }) => id));
    this.address = addressOf(known);
  }

  /** The ranked set from its top, until there are leads enough. */
  async walk(): Promise<Walked> {
    const { currentRun, walk, refreshSuppressions } = this.dependencies;
    const { by, limit } = this.request;
    const run = await this.inTime(currentRun());
    if (run === null || run.members[by] === undefined) throw missing(by, run !== null);
    const size = run.members[by];
    const pages = walk(run, by, GROUP);
    let places = 0;
    const ended = (stopped: Walked["stopped"]): Walked => ({ run, places, stopped });
    try {
      while (places < size) {
        if (places >= WALK_MAX) return ended("bound");
        if (this.leftMs() <= 0) return ended("deadline");
        const reading = Promise.all([pages.next(), refreshSuppressions()]);
        const [{ value, done }] = await this.inTime(reading);
        if (done === true) break;
        const entries = value.map(({ record, score }): Entry => ({ ref: null, record, score }));
        await this.take(entries);
        places = Math.min(places + GROUP, size);
        if (this.found.length >= limit) return ended("limit");
      }
      return ended("end");
    } finally {
      await pages.return(undefined);
    }
  }

  async takeAll(members: readonly MemberRef[]): Promise<void> {
    const { readRefs, refreshSuppressions } = this.dependencies;
    // No model here scores it live: serving knows three heads.
    if (this.request.by === "renewal") throw missing("renewal", true);
    for (let from = 0; from < members.length; from += GROUP) {
      if (this.leftMs() <= 0) {
        const detail = `${from} of ${members.length} members were ranked in ${DEADLINE_MS} ms`;
        throw new CuecardError("overloaded", detail, { retryAfterSeconds: 5 });
      }
      const refs = members.slice(from, from + GROUP);
      const [records] = await this.inTime(Promise.all([readRefs(refs), refreshSuppressions()]));
      await this.take(records.map((record, i) => ({ ref: refs[i]!, record, score: null })));
    }
  }

  private async take(entries: readonly Entry[]): Promise<void> {
    const { personsOf } = this.dependencies;
    await this.breathe();
    const fresh: {
      ref: Entry["ref"];
      record: NonNullable<Entry["record"]>;
      score: Entry["score"];
    }[] = [];
    for (const { ref, record, score } of entries) {
      this.of++;
      if (record === null) this.tally.skip("member_unknown");
      else if (this.seen.has(record.id)) this.tally.skip("duplicate");
      else {
        this.seen.add(record.id);
        fresh.push({ ref, record, score });
      }
    }
    if (fresh.length === 0) return;
    const persons = await this.inTime(personsOf(fresh, this.now));
    await this.breathe();
    let members = persons.map((person, i): Judged => {
      const { facts, subject } = person;
      return { facts: facts!, subject, score: fresh[i]!.score, scored: undefined };
    });
    if (this.where !== null) members = await this.matching(members, this.where);
    const open: Judged[] = [];
    for (const member of members) {
      await this.breathe();
      const callable = this.judge(member);
      if (callable !== null) open.push({ ...member, callable });
    }
    for (const one of await this.scored(open)) this.found.push(this.foundOf(one));
  }

  private async matching(members: readonly Judged[], where: Where): Promise<Judged[]> {
    const asked = where.usesScores ? await this.scored(members) : members;
    const kept: Judged[] = [];
    for (const member of asked) {
      await this.breathe();
      if (where.matches(member.facts, this.now, member.scored)) kept.push(member);
      else this.tally.skip("not_matched");
    }
    return kept;
  }

  /** Heads of now; once a member. */
  private async scored(members: readonly Judged[]): Promise<Judged[]> {
    const without = members.filter(({ scored }) => scored === undefined);
    if (without.length === 0) return [...members];
    await this.breathe();
    const facts = without.map((member) => member.facts);
    const { scored, version, degraded } = await this.dependencies.scoreMembers(facts, this.now);
    this.degraded ??= degraded;
    this.version = version ?? this.version;
    const of = new Map(without.map((member, i) => [member, scored[i]!]));
    return members.map((member) => ({ ...member, scored: member.scored ?? of.get(member) }));
  }

  /** When they may be contacted; null: not, and it is counted why. */
  private judge(member: Judged): Callable | null {
    const { facts, subject } = member;
    const { rules, isHeld, languageOf } = this.dependencies;
    const { channel, include } = this.request;
    const language = languageOf(facts.profile?.locale);
    const ask = include === "later" ? callableNext : callableNow;
    const found = ask(subject, channel, this.now, rules);
    if ("bar" in found) this.tally.block(facts.id, found.bar, language);
    else if (!found.verdict.personal) {
      this.tally.block(facts.id, { guard: 7, code: PERSONALIZATION_OFF, until: null }, language);
    } else if (this.address === "phone" && facts.phone === null) {
      this.tally.skip("no_phone");
    } else if (this.address === "email" && facts.profile?.email === undefined) {
      this.tally.skip("no_email");
    } else if (isHeld(facts, channel, found.from)) this.tally.skip("held_out");
    else return this.lastLook(member, found, language);
    return null;
  }

  private lastLook({ facts, subject }: Judged, found: Callable, language: Language) {
    const { rules, onGuardStop } = this.dependencies;
    const { verdict, use, from } = found;
    const contactAt = new Date(from).toISOString();
    const leaving = { kind: "sell", product: null, coupon: null, channel: this.request.channel };
    const look = { verdict, use, rules, subject, coupons: [], held: new Map() };
    const { stopped } = guardLast([{ ...leaving, contactAt }], look);
    const [guard] = stopped;
    if (guard === undefined) return found;
    onGuardStop(guard);
    this.tally.block(facts.id, { guard, code: "no_open_channel", until: null }, language);
    return null;
  }

  private foundOf({ facts, subject, score, scored, callable }: Judged): Found {
    const live = scored?.scores ?? {};
    const { by } = this.request;
    const head = by === "renewal" ? undefined : live[by];
    const real = score ?? head ?? null;
    const order = real ?? ruleScore(facts.state.orders, by, this.now);
    return {
      facts,
      contacts: subject.contacts,
      score: real,
      order,
      scores: live,
      callable: callable!,
    };
  }

  async answer(walked: Walked | null): Promise<Omit<RankResponse, "tookMs">> {
    const { by, limit, channel, campaign = null } = this.request;
    const { tally, found } = this;
    // A set is walked in its order; equal scores by id, so that the order is the same every time.
    found.sort((a, b) => b.order - a.order || (a.facts.id < b.facts.id ? -1 : 1));
    const passed = found.length;
    const kept = found.slice(0, limit);
    const ranks = ranksOf(kept.map(({ order }) => order));
    const leads: Lead[] = [];
    const scoredAt = walked?.run.asOf ?? this.now;
    const { contactPolicy } = this.dependencies.rules;
    for (const [i, one] of kept.entries()) {
      await this.breathe();
      const { languageOf } = this.dependencies;
      const language = languageOf(one.facts.profile?.locale);
      const about = { channel, campaign, language, contactPolicy, now: this.now, scoredAt };
      leads.push(leadOf(one, ranks[i]!, { ...about, usesPhone: this.address === "phone" }));
    }
    return {
      leads,
      blocked: tally.blocked,
      blockedExamples: tally.examples,
      skipped: tally.skipped,
      of: this.of,
      passed,
      by,
      walked: walked?.places ?? null,
      rankedAt: walked === null ? null : new Date(walked.run.asOf).toISOString(),
      stale: walked !== null && this.isStale(walked.run),
      stopped: walked?.stopped ?? "end",
      channel,
      campaign,
      degraded: this.degraded === null ? [] : [this.degraded],
      models: { heads: this.version },
      preview: true,
    };
  }

  private isStale({ heads, asOf }: RankedRun): boolean {
    return heads !== this.dependencies.headsVersion() || this.now - asOf > STALE_MS;
  }

  private leftMs(): number {
    return this.started + DEADLINE_MS - performance.now();
  }

  private inTime<T>(reading: Promise<T>): Promise<T> {
    return withDeadline(reading, Math.max(1, this.leftMs())).catch((error: unknown) => {
      throw toStoreError(error);
    });
  }

  /** Lets others onto the event loop once we had it for a turn. */
  private async breathe(): Promise<void> {
    if (performance.now() - this.turnSince < TURN_MS) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.turnSince = performance.now();
  }
}

function notDeclared(known: readonly string[]): CuecardError {
  const message = `not declared; there are ${known.join(", ")}`;
  const errors = [{ path: "channel", message }];
  return new CuecardError("invalid_request", `channel: ${message}`, { errors });
}

const missing = (by: RankedSet, isRanked: boolean): CuecardError =>
  new CuecardError(
    "ranking_missing",
    isRanked ? `the model in force ranks nobody by ${by}` : "the job score has not ended yet",
  );
