/** Records → CatalogSnapshot: from scratch, or from the snapshot before and what changed since. */
import { fingerprint40 } from "../redis/keys.js";
import type { PlainRecords } from "./catalog-store.js";
import { GrowingIndex } from "./growing-index.js";
import type { Product } from "./records.js";
import type { CatalogSnapshot } from "./snapshot.js";

/** Share of the price taken as margin where the record names none. */
const ASSUMED_MARGIN_SHARE = 0.3;
const DAY_MS = 86_400_000;

export function buildSnapshot(
  version: number,
  products: readonly Product[],
  { coupons = [], experiments = [] }: Partial<PlainRecords> = {},
): CatalogSnapshot {
  const draft = emptyDraft(products.length);
  const categoryIndex = new Map<string, number>();
  products.forEach((product, index) => {
    draft.fingerprint[index] = fingerprint40(product.id);
    describe(draft, index, product, categoryIndex);
  });
  return {
    version,
    products,
    indexOf: GrowingIndex.of(products.map(({ id }) => id)),
    indexOfFingerprint: GrowingIndex.of(draft.fingerprint),
    categories: [...categoryIndex.keys()],
    coupons,
    experiments,
    ...draft,
  };
}

export const emptySnapshot = (): CatalogSnapshot => buildSnapshot(0, []);

/** Records of the plain kinds are absent while none of their kind changed. */
export interface SnapshotChange extends Partial<PlainRecords> {
  readonly version: number;
  /** Written since; in any order, each id once. */
  readonly written: readonly Product[];
  readonly deleted: readonly string[];
}

/**
 * The next snapshot. Indices of known products stay what they were, and new products come last,
 * unless one was deleted. The index maps are those of `previous` while no id comes or goes, so whoever
 * keeps something per index may key it by the identity of `indexOf`.
 */
export function nextSnapshot(previous: CatalogSnapshot, change: SnapshotChange): CatalogSnapshot {
  const { version, written } = change;
  const plain = {
    coupons: change.coupons ?? previous.coupons,
    experiments: change.experiments ?? previous.experiments,
  };
  const gone = new Set(change.deleted.filter((id) => previous.indexOf.has(id)));
  if (written.length === 0 && gone.size === 0) return { ...previous, version, ...plain };
  const fresh = written.filter((product) => !previous.indexOf.has(product.id));
  if (gone.size > 0) {
    const byId = new Map(written.map((product) => [product.id, product]));
    const kept = previous.products.filter(({ id }) => !gone.has(id));
    return buildSnapshot(
      version,
      [...kept.map((product) => byId.get(product.id) ?? product), ...fresh],
      plain,
    );
  }
  const products = [...previous.products, ...fresh];
  const draft = grownDraft(previous, products.length);
  const fingerprints = fresh.map(({ id }) => fingerprint40(id));
  draft.fingerprint.set(fingerprints, previous.products.length);
  const unchanged = fresh.length === 0;
  const indexOf = unchanged
    ? previous.indexOf
    : previous.indexOf.extended(fresh.map(({ id }) => id));
  const indexOfFingerprint = unchanged
    ? previous.indexOfFingerprint
    : previous.indexOfFingerprint.extended(fingerprints);
  const categoryIndex = new Map(previous.categories.map((name, index) => [name, index]));
  for (const product of written) {
    const index = indexOf.get(product.id) as number;
    products[index] = product;
    describe(draft, index, product, categoryIndex);
  }
  const categories = [...categoryIndex.keys()];
  return { version, products, indexOf, indexOfFingerprint, categories, ...plain, ...draft };
}

type Draft = Pick<
  CatalogSnapshot,
  | "fingerprint"
  | "price"
  | "margin"
  | "category"
  | "offerable"
  | "stock"
  | "seasonFrom"
  | "seasonUntil"
  | "launchedAt"
>;

const emptyDraft = (length: number): Draft => ({
  fingerprint: new Float64Array(length),
  price: new Float64Array(length),
  margin: new Float64Array(length),
  category: new Int32Array(length),
  offerable: new Uint8Array(length),
  stock: new Float64Array(length),
  seasonFrom: new Float64Array(length),
  seasonUntil: new Float64Array(length),
  launchedAt: new Float64Array(length),
});

function grownDraft(previous: CatalogSnapshot, length: number): Draft {
  const draft = emptyDraft(length);
  draft.fingerprint.set(previous.fingerprint);
  draft.price.set(previous.price);
  draft.margin.set(previous.margin);
  draft.category.set(previous.category);
  draft.offerable.set(previous.offerable);
  draft.stock.set(previous.stock);
  draft.seasonFrom.set(previous.seasonFrom);
  draft.seasonUntil.set(previous.seasonUntil);
  draft.launchedAt.set(previous.launchedAt);
  return draft;
}

function describe(
  draft: Draft,
  index: number,
  product: Product,
  categoryIndex: Map<string, number>,
): void {
  const { name, price, margin, season, stock, active } = product;
  draft.price[index] = price ?? Number.NaN;
  draft.margin[index] = margin ?? ASSUMED_MARGIN_SHARE * (price ?? 0);
  draft.category[index] = indexOfCategory(categoryIndex, product.category);
  draft.offerable[index] = active && (name ?? "") !== "" && (price ?? 0) > 0 ? 1 : 0;
  draft.stock[index] = stock ?? Number.POSITIVE_INFINITY;
  draft.seasonFrom[index] = season?.from ? Date.parse(season.from) : Number.NEGATIVE_INFINITY;
  draft.seasonUntil[index] = season?.to
    ? Date.parse(season.to) + DAY_MS - 1
    : Number.POSITIVE_INFINITY;
  const { launchedAt } = product;
  draft.launchedAt[index] = launchedAt === undefined ? product.createdAt : Date.parse(launchedAt);
}

function indexOfCategory(categoryIndex: Map<string, number>, name: string | undefined): number {
  if (name === undefined || name === "") return -1;
  const known = categoryIndex.get(name);
  if (known !== undefined) return known;
  categoryIndex.set(name, categoryIndex.size);
  return categoryIndex.size - 1;
}
