/** Pages through all members by SCAN: no index to keep in step, no order promised. */
import { CuecardError } from "../errors.js";
import { mastersOf, type RedisClient, toStoreError } from "../redis/clients.js";
import { memberIdOf, memberKeyPattern } from "../redis/keys.js";
import { isScanCursor } from "../redis/scan-cursor.js";
import type { MemberRecord, MemberStore } from "./member-store.js";
import { exists } from "./member-store.js";

export interface MemberPage {
  readonly records: MemberRecord[];
  readonly nextCursor: string | null;
}

/** Batches looked at for one page, so that a rare stage cannot hold a request for long. */
const BATCHES_PER_PAGE = 20;
const SCAN_COUNT = 500;

function parseCursor(cursor: string | undefined): { node: number; scan: string } {
  if (cursor === undefined) return { node: 0, scan: "0" };
  const parts = /^(\d{1,3})-(\d+)$/.exec(cursor);
  if (parts === null || !isScanCursor(parts[2]!))
    throw new CuecardError("invalid_request", "cursor: not one we gave");
  return { node: Number(parts[1]), scan: parts[2]! };
}

/**
 * At least `limit` members where there are as many (SCAN gives whole batches, so a page may be a
 * little longer; a member may come twice while the store grows), or fewer with a cursor to go on.
 */
export async function listMembers(
  client: RedisClient,
  store: MemberStore,
  page: { limit: number; cursor?: string },
  wanted: (record: MemberRecord) => boolean,
): Promise<MemberPage> {
  let { node, scan } = parseCursor(page.cursor);
  const records: MemberRecord[] = [];
  const nodes = mastersOf(client);
  for (let batch = 0; batch < BATCHES_PER_PAGE && node < nodes.length; batch++) {
    const count = Math.max(10, Math.min(SCAN_COUNT, page.limit));
    const [next, keys] = await nodes[node]!.scan(
      scan,
      "MATCH",
      memberKeyPattern,
      "COUNT",
      count,
    ).catch((error: unknown) => {
      throw toStoreError(error);
    });
    const read = await store.readMany(keys.map(memberIdOf));
    records.push(
      ...read.filter((record) => exists(record) && record.redirect === null && wanted(record)),
    );
    scan = next;
    if (next === "0") node++;
    if (records.length >= page.limit) break;
  }
  return { records, nextCursor: node < nodes.length ? `${node}-${scan}` : null };
}
