/** Puts the demo world into an empty store, through the doors everybody's data comes in by. */
import type { CatalogStore } from "../catalog/catalog-store.js";
import type { EventInput } from "../events/event.js";
import type { IngestResult } from "../events/ingest.js";
import type { MemberInput } from "../members/profile.js";
import type { DemoWorld } from "./world.js";

export interface FillTarget {
  readonly catalog: Pick<CatalogStore, "putProducts" | "put">;
  readonly refreshCatalog: () => Promise<void>;
  readonly putMember: (id: string, input: MemberInput) => Promise<unknown>;
  readonly ingest: (events: readonly unknown[]) => Promise<IngestResult>;
}

const BATCH_SIZE = 1000;
/** Some try a coupon once more, also with their second account: the ledger says no, as it should. */
const TRIED_AGAIN = "coupon_already_redeemed";
const MEMBERS_AT_ONCE = 64;

/** `onProgress`: share done, 0…1, and what is being done. Safe to repeat after it was cut off. */
export async function fillWorld(
  world: DemoWorld,
  target: FillTarget,
  onProgress: (share: number, text: string) => void,
): Promise<{ members: number; events: number }> {
  onProgress(0, "products and coupons");
  await target.catalog.putProducts(world.products.map((one) => ({ ...one, id: one.id! })));
  for (const coupon of world.coupons) await target.catalog.put("coupons", coupon.id!, coupon);
  await target.refreshCatalog();
  for (let start = 0; start < world.members.length; start += MEMBERS_AT_ONCE) {
    onProgress((0.2 * start) / world.members.length, `members ${start}/${world.members.length}`);
    const slice = world.members.slice(start, start + MEMBERS_AT_ONCE);
    await Promise.all(slice.map(({ id, ...input }) => target.putMember(id, input)));
  }
  const all: EventInput[] = [...world.events()];
  for (let start = 0; start < all.length; start += BATCH_SIZE) {
    onProgress(0.2 + (0.8 * start) / all.length, `events ${start}/${all.length}`);
    const { rejected } = await target.ingest(all.slice(start, start + BATCH_SIZE));
    const bad = rejected.find(({ code }) => code !== TRIED_AGAIN);
    if (bad !== undefined) throw new Error(`the demo world made a bad event: ${bad.code}`);
  }
  onProgress(1, `${all.length} events`);
  return { members: world.members.length, events: all.length };
}
