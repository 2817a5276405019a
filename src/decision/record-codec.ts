/** Decision records as the log keeps them: short names, nothing that is absent or ordinary, cut to size. */
import { encodeRecord, type LogRecord } from "../events/log-record.js";
import type { BarCode } from "../policy/guard-texts.js";
import type { Verdict } from "../policy/guards.js";
import type { Counted, CutPart, DecisionRecord, Shown } from "./record.js";

/** Bytes of a record as logged; one that would be longer is cut, and says of what. */
export const RECORD_BYTES_MAX = 2048;
/** Shown suggestions a record keeps however long it is. */
const SHOWN_MIN = 3;
/** What the word of a cut takes. */
const CUT_BYTES = 32;

type DecisionEntry = Extract<LogRecord, { kind: "decision" }>;

type PackedConsent = [channel: string, purpose: string, status: string, at?: number];

type PackedCounted = {
  st: Counted["stage"];
  /** 1: no profile. */
  np?: 1;
  z?: string[];
  j?: string;
  lo?: string;
  vu?: boolean;
  pz?: "on" | "off";
  dn?: boolean;
  co?: PackedConsent[];
  a?: Counted["attributes"];
};

/** Ordinary ends are left out: nothing barred, personal, nothing to help with. */
type PackedVerdict = {
  c?: BarCode;
  /** 1: not personal; not personal coupons. */
  np?: 1;
  nc?: 1;
  o?: readonly string[];
  b?: [guard: number, code: BarCode, channel: string | null, until: number | null][];
  x?: readonly string[];
};

type PackedDecision = {
  id: string;
  /** 1: a dry run. */
  n?: 1;
  p: string;
  ch?: string;
  ca?: string[];
  pg?: string;
  cr?: string;
  ci?: string;
  ex?: string[];
  l?: number;
  /** 1: explained. */
  xp?: 1;
  s?: string;
  c?: PackedCounted;
  h?: DecisionRecord["held"];
  w?: DecisionRecord["withheld"];
  af?: string;
  ru?: number;
  v: [
    heads: string | null,
    ranker: string | null,
    alive: string | null,
    candidates: string | null,
    catalog: number,
    policy: number,
    config: string,
  ];
  sd: number;
  /** Real time of a dry run. */
  ck?: number;
  g: PackedVerdict;
  /** As `Shown`, in its order; 0 for null, ordinary ends left out. */
  sh: unknown[][];
  d?: DecisionRecord["degraded"];
  ls?: NonNullable<DecisionRecord["lastScores"]>;
  e?: NonNullable<DecisionRecord["experiment"]>;
  dr?: number;
  /** Parts that were cut; that `r` was, `rc` says. */
  x?: CutPart[];
  r: DecisionRecord["removed"];
  rc?: DecisionRecord["removedCounts"];
};

const some = <L extends { readonly length: number }>(list: L | undefined): L | undefined =>
  list === undefined || list.length === 0 ? undefined : list;

/** The record as a line of the log, at most RECORD_BYTES_MAX bytes unless what is never cut is longer. */
export function encodeDecision(record: DecisionRecord): string {
  let current = record;
  let head = headOf(current);
  for (const part of CUTS) {
    const over = Buffer.byteLength(head) + REMOVED_MIN_BYTES - RECORD_BYTES_MAX;
    if (over <= 0) break;
    const shorter = cutPart(current, part, over);
    if (shorter === current) continue;
    current = { ...shorter, cut: [...current.cut, part] };
    head = headOf(current);
  }
  return head + removedText(record, RECORD_BYTES_MAX - Buffer.byteLength(head) - END.length) + END;
}

/** Closes the record and the line. */
const END = "}}";
/** `"r":{}` and the counts of some codes. */
const REMOVED_MIN_BYTES = 64;

/** The line up to the removed candidates, which take what room there is. */
function headOf(record: DecisionRecord): string {
  const text = encodeRecord(packRecord({ ...record, removed: {}, removedCounts: {} }));
  return text.slice(0, -EMPTY.length);
}

const EMPTY = '"r":{}}}';

/** `"r":{…}`, the best first; where some have no room `"rc":{…}` says how many there were. */
function removedText({ removed, removedCounts }: DecisionRecord, bytes: number): string {
  const whole = `"r":${JSON.stringify(removed)}`;
  if (Buffer.byteLength(whole) <= bytes) return whole;
  const counts = `,"rc":${JSON.stringify(removedCounts)}`;
  const kept: Record<string, string[]> = {};
  // Where each character is a byte, lengths tell all; ids of another kind leave their counts.
  const isPlain = Buffer.byteLength(whole) === whole.length && !whole.includes("\\");
  let room = isPlain ? bytes - counts.length - '"r":{}'.length : 0;
  for (const [code, products] of Object.entries(removed)) {
    room -= code.length + 6;
    let count = 0;
    while (count < products.length && room >= products[count]!.length + 3) {
      room -= products[count++]!.length + 3;
    }
    if (count > 0) kept[code] = products.slice(0, count);
  }
  return `"r":${JSON.stringify(kept)}${counts}`;
}

/** In the order in which they go; what an explanation misses least goes first. */
const CUTS: readonly Exclude<CutPart, "removed">[] = [
  "exclude",
  "page",
  "callReason",
  "shown",
  "attributes",
  "cart",
  "consents",
];

function cutPart(
  record: DecisionRecord,
  part: (typeof CUTS)[number],
  over: number,
): DecisionRecord {
  const { request, counted } = record;
  switch (part) {
    case "shown": {
      let kept = record.shown.length;
      for (let saved = 0; kept > SHOWN_MIN && saved < over + CUT_BYTES; kept--) {
        saved += Buffer.byteLength(JSON.stringify(packShown(record.shown[kept - 1]!))) + 1;
      }
      return kept === record.shown.length
        ? record
        : { ...record, shown: record.shown.slice(0, kept) };
    }
    case "attributes":
    case "consents":
      return counted?.[part] === undefined
        ? record
        : { ...record, counted: { ...counted, [part]: undefined } };
    default:
      return request[part] == null
        ? record
        : { ...record, request: { ...request, [part]: undefined } };
  }
}

/** `r` comes last: see `headOf`. */
function packRecord(record: DecisionRecord): DecisionEntry {
  const { request, versions, counted, lastScores, experiment } = record;
  const decision: PackedDecision = {
    id: record.id,
    n: record.dryRun ? 1 : undefined,
    p: request.placement,
    ch: request.channel ?? undefined,
    ca: some(request.cart),
    pg: request.page ?? undefined,
    cr: request.callReason ?? undefined,
    ci: request.callId ?? undefined,
    ex: some(request.exclude),
    l: request.limit,
    xp: request.explain === true ? 1 : undefined,
    s: record.state ?? undefined,
    c: counted === null ? undefined : packCounted(counted),
    h: some(record.held),
    w: some(record.withheld),
    af: record.askedFor ?? undefined,
    ru: record.reservedUntil ?? undefined,
    v: [
      versions.heads,
      versions.ranker,
      versions.alive,
      versions.candidates,
      versions.catalog,
      versions.policy,
      versions.config,
    ],
    sd: record.seed,
    ck: record.clock ?? undefined,
    g: packVerdict(record.verdict),
    sh: record.shown.map(packShown),
    d: some(record.degraded),
    ls: lastScores ?? undefined,
    e: experiment ?? undefined,
    dr: record.drawn === 1 ? undefined : record.drawn,
    x: some(record.cut),
    r: {},
  };
  return { kind: "decision", member: record.member, at: record.at, decision };
}

const packCounted = ({ stage, zones, consents, ...rest }: Counted): PackedCounted => ({
  st: stage,
  np: rest.hasProfile ? undefined : 1,
  z: some(zones),
  j: rest.jurisdiction ?? undefined,
  lo: rest.locale,
  vu: rest.vulnerable,
  pz: rest.personalization,
  dn: rest.doNotContact,
  co: consents?.map(({ channel, purpose, status, at }) =>
    at === undefined ? [channel, purpose, status] : [channel, purpose, status, at],
  ),
  a: rest.attributes,
});

const packVerdict = (verdict: Verdict): PackedVerdict => ({
  c: verdict.care ?? undefined,
  np: verdict.personal ? undefined : 1,
  nc: verdict.personalCoupons ? undefined : 1,
  o: some(verdict.open),
  b: some(verdict.bars.map(({ guard, code, channel, until }) => [guard, code, channel, until])),
  x: some(verdict.barredOffers),
});

const unpackVerdict = ({ c, np, nc, o = [], b = [], x = [] }: PackedVerdict): Verdict => ({
  care: c ?? null,
  personal: np !== 1,
  personalCoupons: nc !== 1,
  open: o,
  bars: b.map(([guard, code, channel, until]) => ({ guard, code, channel, until })),
  barredOffers: x,
});

function packShown(one: Shown): unknown[] {
  const { kind, product, price, coupon, channel, contactAt, propensity, expectedValue } = one;
  const packed: unknown[] = [kind, product ?? 0, price ?? 0, coupon ?? 0, channel ?? 0];
  packed.push(contactAt ?? 0);
  if (propensity !== undefined) packed.push(propensity, expectedValue);
  while (packed[packed.length - 1] === 0 && packed.length <= 6) packed.pop();
  return packed;
}

export function unpackRecord({ member, at, decision }: DecisionEntry): DecisionRecord {
  const raw = decision as PackedDecision;
  const [heads, ranker, alive, candidates, catalog, policy, config] = raw.v;
  const counts = Object.entries(raw.r).map(([code, products]) => [code, products.length]);
  return {
    id: raw.id,
    member,
    at,
    dryRun: raw.n === 1,
    request: {
      placement: raw.p,
      channel: raw.ch,
      cart: raw.ca,
      page: raw.pg,
      callReason: raw.cr,
      callId: raw.ci,
      exclude: raw.ex,
      limit: raw.l,
      explain: raw.xp === 1 ? true : undefined,
    },
    state: raw.s ?? null,
    counted: raw.c === undefined ? null : unpackCounted(raw.c),
    held: raw.h ?? [],
    withheld: raw.w ?? [],
    askedFor: raw.af ?? null,
    reservedUntil: raw.ru ?? null,
    versions: { heads, ranker, alive, candidates, catalog, policy, config },
    seed: raw.sd,
    clock: raw.ck ?? null,
    verdict: unpackVerdict(raw.g),
    shown: raw.sh.map(unpackShown),
    removed: raw.r,
    removedCounts: raw.rc ?? Object.fromEntries(counts),
    degraded: raw.d ?? [],
    lastScores: raw.ls ?? null,
    experiment: raw.e ?? null,
    drawn: raw.dr ?? 1,
    cut: [...(raw.x ?? []), ...(raw.rc === undefined ? [] : (["removed"] as const))],
  };
}

const unpackCounted = (raw: PackedCounted): Counted => ({
  stage: raw.st,
  hasProfile: raw.np !== 1,
  zones: raw.z ?? [],
  jurisdiction: raw.j ?? null,
  locale: raw.lo,
  vulnerable: raw.vu,
  personalization: raw.pz,
  doNotContact: raw.dn,
  consents: raw.co?.map(([channel, purpose, status, at]) => ({
    channel,
    purpose,
    status: status as "granted" | "denied" | "revoked",
    ...(at === undefined ? {} : { at }),
  })),
  attributes: raw.a,
});

const textAt = (packed: readonly unknown[], at: number): string | null =>
  typeof packed[at] === "string" ? (packed[at] as string) : null;

const unpackShown = (packed: readonly unknown[]): Shown => ({
  kind: packed[0] as Shown["kind"],
  product: textAt(packed, 1),
  price: packed[1] === undefined || packed[1] === 0 ? null : ((packed[2] as number) ?? null),
  coupon: textAt(packed, 3),
  channel: textAt(packed, 4),
  contactAt: textAt(packed, 5),
  ...(packed.length > 6
    ? { propensity: packed[6] as number, expectedValue: packed[7] as number }
    : {}),
});
