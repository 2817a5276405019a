/** Decision records as the log keeps them: short names, nothing that is absent or ordinary, cut to size. */
import { encodeRecord, type LogRecord } from "../events/log-record.js";
import type { Counted, CutPart, DecisionRecord, Shown } from "./record.js";

/** Bytes of a record as logged; one that would be longer is cut, and says of what. */
export const RECORD_BYTES_MAX = 2048;
/** Shown suggestions a record keeps however long it is. */
const SHOWN_MIN = 3;
/** What the counts and the word of a cut take. */
const CUT_BYTES = 128;

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
  b?: string[];
  /** As `Shown`, in its order; 0 for null, ordinary ends left out. */
  sh: unknown[][];
  r: DecisionRecord["removed"];
  rc?: DecisionRecord["removedCounts"];
  d?: DecisionRecord["degraded"];
  ls?: NonNullable<DecisionRecord["lastScores"]>;
  e?: NonNullable<DecisionRecord["experiment"]>;
  dr?: number;
  x?: CutPart[];
};

const some = <L extends { readonly length: number }>(list: L | undefined): L | undefined =>
  list === undefined || list.length === 0 ? undefined : list;

/** The record as a line of the log, at most RECORD_BYTES_MAX bytes unless what is never cut is longer. */
export function encodeDecision(record: DecisionRecord): string {
  let current = record;
  let text = encodeRecord(packRecord(current));
  for (const part of CUTS) {
    const over = Buffer.byteLength(text) - RECORD_BYTES_MAX;
    if (over <= 0) return text;
    const shorter = cutPart(current, part, over);
    if (shorter === current) continue;
    current = { ...shorter, cut: [...current.cut, part] };
    text = encodeRecord(packRecord(current));
  }
  return text;
}

/** In the order in which they go; what an explanation misses least goes first. */
const CUTS: readonly CutPart[] = [
  "removed",
  "exclude",
  "page",
  "callReason",
  "shown",
  "attributes",
  "cart",
  "consents",
];

function cutPart(record: DecisionRecord, part: CutPart, over: number): DecisionRecord {
  const { request, counted } = record;
  switch (part) {
    case "removed":
      return record.cut.length > 0 || Object.keys(record.removed).length === 0
        ? record
        : { ...record, removed: shortened(record.removed, over + CUT_BYTES) };
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

/** Ids leave the longest list first, from its end, until so many bytes are saved or none is left. */
function shortened(removed: DecisionRecord["removed"], bytes: number): DecisionRecord["removed"] {
  const lists = Object.entries(removed).map(([code, products]) => ({ code, kept: [...products] }));
  let saved = 0;
  while (saved < bytes) {
    const [longest] = lists.sort((a, b) => b.kept.length - a.kept.length);
    const id = longest?.kept.pop();
    if (id === undefined) break;
    saved += Buffer.byteLength(JSON.stringify(id)) + 1;
  }
  return Object.fromEntries(lists.map(({ code, kept }) => [code, kept]));
}

export function packRecord(record: DecisionRecord): DecisionEntry {
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
    b: some(record.bars),
    sh: record.shown.map(packShown),
    r: record.removed,
    rc: record.cut.includes("removed") ? record.removedCounts : undefined,
    d: some(record.degraded),
    ls: lastScores ?? undefined,
    e: experiment ?? undefined,
    dr: record.drawn === 1 ? undefined : record.drawn,
    x: some(record.cut),
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
    versions: { heads, ranker, alive, candidates, catalog, policy, config },
    seed: raw.sd,
    bars: raw.b ?? [],
    shown: raw.sh.map(unpackShown),
    removed: raw.r,
    removedCounts: raw.rc ?? Object.fromEntries(counts),
    degraded: raw.d ?? [],
    lastScores: raw.ls ?? null,
    experiment: raw.e ?? null,
    drawn: raw.dr ?? 1,
    cut: raw.x ?? [],
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
