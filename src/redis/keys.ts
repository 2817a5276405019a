/**
 * Every key the product uses, one function each, so that what lives where can be read in one place.
 *
 * A member's hash and the log of its partition share a hash tag, `{p0}` … `{p1023}`, so that one
 * script writes both on one Redis and on a Cluster alike. What is inside `{…}` decides the slot.
 */

/** Fixed for life: the number is stamped in the store and every member key depends on it. */
export const PARTITIONS = 1024;

/** Prefix for BullMQ: the tag keeps a queue's keys in one slot, as its scripts ask. */
export const BULL_PREFIX = "{bull}";

/** Whatever this store was written by: layout version, number of partitions, demo mark. */
export const storeStampKey = "store:stamp";

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const PARTITION_SEED = 0x9747b28c;
const FINGERPRINT_SEEDS = [0x3c6ef372, 0xa54ff53a] as const;

let scratch = Buffer.allocUnsafe(1024);

/** Writes `text` as UTF-8 into the scratch buffer and returns its length in bytes. */
function encodeToScratch(text: string): number {
  if (text.length * 3 > scratch.length) scratch = Buffer.allocUnsafe(text.length * 3);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return scratch.write(text, 0, "utf8");
    scratch[i] = code;
  }
  return text.length;
}

const scramble = (word: number): number => {
  const mixed = Math.imul(word, C1);
  return Math.imul((mixed << 15) | (mixed >>> 17), C2);
};

/** MurmurHash3 x86 32 (Austin Appleby, public domain) over the first `length` scratch bytes. */
function murmur3(length: number, seed: number): number {
  let hash = seed;
  const blocksEnd = length & ~3;
  for (let i = 0; i < blocksEnd; i += 4) {
    const word =
      scratch[i] | (scratch[i + 1] << 8) | (scratch[i + 2] << 16) | (scratch[i + 3] << 24);
    hash ^= scramble(word);
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  let tail = 0;
  for (let i = length - 1; i >= blocksEnd; i--) tail = (tail << 8) | scratch[i];
  hash ^= scramble(tail) ^ length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** MurmurHash3 x86 32 of the UTF-8 bytes: 0 … 2³²−1. Stable for life. */
export function hash32(text: string, seed = 0): number {
  return murmur3(encodeToScratch(text), seed);
}

/** The partition of a member, 0 … 1023. Never changes for an id. */
export function partitionOf(memberId: string): number {
  return hash32(memberId, PARTITION_SEED) & (PARTITIONS - 1);
}

/**
 * Identity of a product inside packed state: 40 bits, 0 … 2⁴⁰−1, from two seeds of one hash. Among
 * 100,000 products the chance that any two share one is about 0.5 % (`product_id_collision`).
 */
export function fingerprint40(text: string): number {
  const length = encodeToScratch(text);
  const high = murmur3(length, FINGERPRINT_SEEDS[0]) & 0xff;
  return high * 0x1_0000_0000 + murmur3(length, FINGERPRINT_SEEDS[1]);
}

/** The hash tag of a partition, braces included. */
export const partitionTag = (partition: number): string => `{p${partition}}`;

/** Hash: everything about one member. */
export const memberKey = (memberId: string): string => `m:{p${partitionOf(memberId)}}:${memberId}`;

/** The member id inside a key made by `memberKey`. */
export const memberIdOf = (key: string): string => key.slice(key.indexOf("}:") + 2);

/** Hash: member → the answer it got in one call. The id is the key's end: it may hold any character. */
export const callKey = (partition: number, callId: string): string =>
  `call:{p${partition}}:${callId}`;

/** SCAN pattern of all member keys. */
export const memberKeyPattern = "m:{p*}:*";

/** Stream: the event log of one partition, in the order of its writes. */
export const logKey = (partition: number): string => `log:{p${partition}}`;

/**
 * Hash: ids of events accepted in one period by the members of a partition; periods of `dedupeDays`
 * days are counted from 1970.
 */
export const dedupeKey = (partition: number, period: number): string =>
  `dedupe:{p${partition}}:${period}`;

/** Hash: chunks of imports already committed in this partition. */
export const importLedgerKey = (partition: number): string => `ledger:{p${partition}}`;

/** Set or hash: members of this partition that were erased, until their bytes are gone. */
export const erasedKey = (partition: number): string => `erased:{p${partition}}`;

/** How far the log of this partition was archived. */
export const archiveKey = (partition: number): string => `archive:{p${partition}}`;

/** Percent-encodes what would end a hash tag early; an ordinary value stays as it is. */
const encodeTag = (value: string): string =>
  value.replace(/[%{}]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);

const decodeTag = (text: string): string =>
  text.replace(/%([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));

const identityTag = (kind: string, value: string): string =>
  `{${encodeTag(kind)}:${encodeTag(value)}}`;

/** Hash: the members one identity (phone, email, account, visitor) leads to. */
export const identityKey = (kind: string, value: string): string => `i:${identityTag(kind, value)}`;

/** String, packed: contacts made and reserved on one phone number; in the slot of the number. */
export const phoneContactsKey = (e164: string): string => `c:${identityTag("phone", e164)}`;

/** Who got which coupon (`issues`, `members`, `open`), all of one coupon in one slot. */
export const couponLedgerKey = (coupon: string, part: string): string =>
  `coupon:{${encodeTag(coupon)}}:${part}`;
export const couponLedgerPattern = "coupon:{*";
/** The coupon of a key made by `couponLedgerKey`. */
export const couponOfLedgerKey = (key: string): string =>
  key
    .slice("coupon:{".length, key.lastIndexOf("}:"))
    .replace(/%(25|7b|7d)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));

/** SCAN pattern of what is kept of numbers. */
export const phoneContactsPattern = "c:{*";

/**
 * Kind and value inside a key made by `identityKey` or `phoneContactsKey`, or by that of an older
 * server (`contacts:`) that wrote on while the store was upgraded; null for another key.
 */
export function identityInKey(key: string): { kind: string; value: string } | null {
  const [, kind, value] = /^(?:i|c|contacts):\{([^:}]*):([^}]*)\}$/.exec(key) ?? [];
  if (kind === undefined || value === undefined) return null;
  return { kind: decodeTag(kind), value: decodeTag(value) };
}

/** SCAN pattern of identity records. */
export const identityKeyPattern = "i:{*";

/** There while somebody is served. */
export const servedKey = "served";

/** Hash: keyed hash of an identity that must not be contacted, or was erased → why. One list a store. */
export const suppressionsKey = "suppressions:{suppressions}";
/** String: id of the latest change; stream: the changes. In the slot of the list itself. */
export const suppressionsVersionKey = `${suppressionsKey}:version`;
export const suppressionsChangesKey = `${suppressionsKey}:changes`;
/** What the hashes of the list are keyed with. */
export const suppressionSecretKey = "store:suppression-secret";

/** Hash id → JSON of one kind of catalog record (products, coupons, actions, channels, …). */
export const catalogKey = (kind: string): string => `catalog:{catalog}:${kind}`;
export const productsKey = catalogKey("products");
export const couponsKey = catalogKey("coupons");
/** Counter: grows with every change of the catalog; processes reload when it does. */
export const catalogVersionKey = catalogKey("version");

/** Model registry: `modelKey("versions")`, `modelKey("current:heads")`, … all in one slot. */
export const modelKey = (part: string): string => `models:{models}:${part}`;

/** Fitted tables and candidate lists that every server loads: `artifactKey("popularity")`, … */
export const artifactKey = (part: string): string => `artifacts:{artifacts}:${part}`;

/** Hash: hash of an API key → its record. */
export const apiKeysKey = "keys:{keys}";

/** Holder of a lock; its fencing counter stands beside it in the same slot. */
export const lockKey = (name: string): string => `lock:{${encodeTag(name)}}`;
export const fenceKey = (name: string): string => `fence:{${encodeTag(name)}}`;

/** Sorted set (all scores 0, so in the order of ids): members of this partition in one stage. */
export const stageKey = (partition: number, stage: string): string =>
  `stage:{p${partition}}:${stage}`;

/** Hash `from>to` → how often a member of this partition changed its stage so, ever. */
export const stageMovesKey = (partition: number): string => `stage-moves:{p${partition}}`;

/** Hash: how far the stage sweep under way has come. */
export const stageSweepKey = "stage-sweep:{stages}";

/** Hash: the ranking in force, the run under way, and the latest token that wrote here. */
export const rankedKey = "ranked:{ranked}";

/** String: the members of this partition in one ranked set of one run, best first, packed. */
export const rankedListKey = (partition: number, run: string, set: string): string =>
  `ranked:{p${partition}}:${run}:${set}`;

/** What a run of a job returned: a worker killed right after does not do the work again. */
export const jobDoneKey = (jobId: string): string => `job:{${encodeTag(jobId)}}:done`;

/** Pub/sub channel on which a change is announced to every process. */
export const announceChannel = (topic: string): string => `cuecard:${topic}`;
