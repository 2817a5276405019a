/**
 * Packed form of a ranked list: entries best first, each a float32 score (little-endian), the length
 * of the id in bytes (LEB128) and the id in UTF-8. Any prefix can be read: 5 bytes an entry beyond
 * the id, against about 100 in a sorted set.
 */

export interface RankedMember {
  readonly id: string;
  readonly score: number;
}

const SCORE_BYTES = 4;

/** Order of a ranking: higher scores first, equal ones by id, so that it is the same every time. */
export const byRank = (a: RankedMember, b: RankedMember): number =>
  b.score - a.score || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

/** Sorts `members` in place and packs them. Scores must be float32 values. */
export function packRanked(members: RankedMember[]): Buffer {
  members.sort(byRank);
  let bytes = 0;
  for (const { id } of members) bytes += SCORE_BYTES + 2 + Buffer.byteLength(id);
  const packed = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { id, score } of members) {
    at = packed.writeFloatLE(score, at);
    const length = Buffer.byteLength(id);
    if (length > 0x7f) packed[at++] = (length & 0x7f) | 0x80;
    packed[at++] = length > 0x7f ? length >> 7 : length;
    at += packed.write(id, at);
  }
  return packed.subarray(0, at);
}

/** The whole entries of a piece of a list, and how many bytes they took: a cut last one is left. */
export function unpackRanked(piece: Buffer): { members: RankedMember[]; bytes: number } {
  const members: RankedMember[] = [];
  let start = 0;
  for (;;) {
    let at = start + SCORE_BYTES;
    if (at >= piece.length) break;
    let length = piece[at++]!;
    if (length > 0x7f) {
      if (at >= piece.length) break;
      length = (length & 0x7f) | (piece[at++]! << 7);
    }
    if (at + length > piece.length) break;
    const id = piece.toString("utf8", at, at + length);
    members.push({ id, score: piece.readFloatLE(start) });
    start = at + length;
  }
  return { members, bytes: start };
}

/** Where an id stands in a packed list: bytes from its start. */
export interface IdPlace {
  readonly id: string;
  readonly offset: number;
}

/** Places of the ids wanted in a whole list. */
export function placesOf(packed: Buffer, wanted: (id: string) => boolean): IdPlace[] {
  const places: IdPlace[] = [];
  let at = 0;
  for (const { id } of unpackRanked(packed).members) {
    const bytes = Buffer.byteLength(id);
    const offset = at + SCORE_BYTES + (bytes > 0x7f ? 2 : 1);
    if (wanted(id)) places.push({ id, offset });
    at = offset + bytes;
  }
  return places;
}
