/** Products, coupons and experiments in Redis: the records themselves. What serving reads is the `Catalog`. */
import { CuecardError } from "../errors.js";
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { catalogKey, catalogVersionKey, fingerprint40 } from "../redis/keys.js";
import { runScript, type Script } from "../redis/scripts.js";
import {
  deleteRecordScript,
  pageRecordsScript,
  putRecordsScript,
  type Refusals,
  registerSeenScript,
} from "./catalog-scripts.js";
import type { Experiment, ExperimentInput } from "./experiment.js";
import type { Coupon, CouponInput, Product, ProductInput } from "./records.js";

/** Each kind of record: as PUT takes it and as it is kept. */
interface Kinds {
  products: { input: ProductInput; record: Product };
  coupons: { input: CouponInput; record: Coupon };
  experiments: { input: ExperimentInput; record: Experiment };
}
export type CatalogKind = keyof Kinds;
export type InputOf<Kind extends CatalogKind> = Kinds[Kind]["input"];
export type RecordOf<Kind extends CatalogKind> = Kinds[Kind]["record"];

/** Kinds that are few: every process holds all their records, and reads all of them when one changes. */
export const PLAIN_KINDS = ["coupons", "experiments"] as const;
export type PlainKind = (typeof PLAIN_KINDS)[number];
export type PlainRecords = { readonly [Kind in PlainKind]: readonly RecordOf<Kind>[] };

export interface Page<Item> {
  items: Item[];
  /** Hand it back to get the next page; null at the end. */
  nextCursor: string | null;
}

/** What an event tells of a product it names. */
export interface SeenProduct {
  id: string;
  name?: string;
  category?: string;
  /** Major unit; anything but a positive number is ignored. */
  unitPrice?: number;
  /** Epoch milliseconds of the event: the earliest one tells since when the product is sold. */
  at?: number;
}

export interface RefusedProduct {
  /** Position in the batch. */
  index: number;
  error: CuecardError;
}

/** Changes since a version: ids by kind, or everything when the store no longer knows. */
export type CatalogChanges =
  | { version: number; everything: true }
  | { version: number; everything: false; ids: Readonly<Record<CatalogKind, readonly string[]>> };

/** Records per script run: Redis is held for about a millisecond by so many. */
const BATCH_SIZE = 500;
const PAGE_SIZE = 1_000;

const changesKey = catalogKey("changes");
const fingerprintsKey = catalogKey("fingerprints");
const idsKey = (kind: CatalogKind): string => catalogKey(`${kind}:ids`);

const keysOf = (kind: CatalogKind): string[] => [
  catalogKey(kind),
  idsKey(kind),
  catalogVersionKey,
  changesKey,
  fingerprintsKey,
];

/** Every method throws `store_unavailable` or `store_full` when the store cannot do it. */
export class CatalogStore {
  readonly #client: RedisClient;
  readonly #now: () => number;

  constructor(client: RedisClient, now: () => number = Date.now) {
    this.#client = client;
    this.#now = now;
  }

  async get<Kind extends CatalogKind>(kind: Kind, id: string): Promise<RecordOf<Kind> | null> {
    const text = await this.#try(() => this.#client.hget(catalogKey(kind), id));
    return text === null ? null : JSON.parse(text);
  }

  /** Replaces the record, keeping its `createdAt`. */
  async put<Kind extends PlainKind>(
    kind: Kind,
    id: string,
    input: InputOf<Kind>,
  ): Promise<RecordOf<Kind>> {
    const now = this.#now();
    const record = { ...input, id, active: input.active ?? true, updatedAt: now };
    await this.#run(putRecordsScript, kind, [String(now), id, "", JSON.stringify(record)]);
    return (await this.get(kind, id)) as RecordOf<Kind>;
  }

  /**
   * False when there was none. Events keep naming a product that is gone; it is only no longer
   * suggested.
   */
  async delete(kind: CatalogKind, id: string): Promise<boolean> {
    const fingerprint = kind === "products" ? fingerprintField(id) : "";
    return (await this.#run(deleteRecordScript, kind, [id, fingerprint])) === 1;
  }

  /** Ordered by id (bytes), so a page stays right while records come and go. */
  async list<Kind extends CatalogKind>(
    kind: Kind,
    limit: number,
    cursor?: string | null,
  ): Promise<Page<RecordOf<Kind>>> {
    const after = cursor ? `(${Buffer.from(cursor, "base64url").toString()}` : "-";
    const ids = await this.#try(() =>
      this.#client.zrangebylex(idsKey(kind), after, "+", "LIMIT", 0, limit + 1),
    );
    const page = ids.slice(0, limit);
    return {
      items: await this.getMany(kind, page),
      nextCursor: ids.length > limit ? Buffer.from(page[limit - 1]).toString("base64url") : null,
    };
  }

  /** Replaces the record, keeping its `createdAt`. @throws `product_id_collision` */
  async putProduct(id: string, input: ProductInput): Promise<Product> {
    const [refused] = await this.putProducts([{ ...input, id }]);
    if (refused) throw refused.error;
    return (await this.get("products", id)) as Product;
  }

  /**
   * Replaces many records, 500 and one version at a time. Returns the refused ones; all others are
   * written. The same id twice: the later one counts.
   */
  async putProducts(batch: readonly (ProductInput & { id: string })[]): Promise<RefusedProduct[]> {
    const refused: RefusedProduct[] = [];
    for (let start = 0; start < batch.length; start += BATCH_SIZE) {
      const now = this.#now();
      const args = batch.slice(start, start + BATCH_SIZE).flatMap((input) => {
        const product = {
          ...input,
          active: input.active ?? true,
          updatedAt: now,
          source: "record",
        };
        return [input.id, fingerprintField(input.id), JSON.stringify(product)];
      });
      const reply = await this.#run(putRecordsScript, "products", [String(now), ...args]);
      refused.push(...refusalsOf(reply, batch, start));
    }
    return refused;
  }

  /**
   * Registers products that events name: absent ones are added with source "event", and a fuller
   * name, category, price or an earlier day completes such a record. What a person wrote is never touched.
   * @throws `product_id_collision` after everything else was registered
   */
  async registerSeen(lines: readonly SeenProduct[]): Promise<void> {
    const seen = mergeSeen(lines);
    const refused: RefusedProduct[] = [];
    for (let start = 0; start < seen.length; start += BATCH_SIZE) {
      const args = seen
        .slice(start, start + BATCH_SIZE)
        .flatMap(({ id, name, category, unitPrice, at }) => [
          id,
          fingerprintField(id),
          name ?? "",
          category ?? "",
          unitPrice === undefined ? "" : String(unitPrice),
          at === undefined ? "" : dayOf(at),
        ]);
      const reply = await this.#run(registerSeenScript, "products", [String(this.#now()), ...args]);
      refused.push(...refusalsOf(reply, seen, start));
    }
    if (refused.length > 0) throw refused[0].error;
  }

  async version(): Promise<number> {
    return Number((await this.#try(() => this.#client.get(catalogVersionKey))) ?? 0);
  }

  /** What changed after `since`. */
  async changesSince(since: number): Promise<CatalogChanges> {
    const version = await this.version();
    if (version < since) return { version, everything: true };
    const entries = await this.#try(() => this.#client.xrange(changesKey, `${since + 1}-0`, "+"));
    const versions = entries.map(([entryId]) => Number.parseInt(entryId, 10));
    const whole = version === since || (versions[0] === since + 1 && versions.length > 0);
    if (!whole) return { version, everything: true };
    const idsOf = (kind: CatalogKind): string[] => {
      const ids = entries.flatMap(([, [of, list]]) =>
        of === kind ? (JSON.parse(list) as string[]) : [],
      );
      return [...new Set(ids)];
    };
    return {
      version: versions.at(-1) ?? version,
      everything: false,
      ids: {
        products: idsOf("products"),
        coupons: idsOf("coupons"),
        experiments: idsOf("experiments"),
      },
    };
  }

  /** The records among `ids` that exist, in the order asked; any number of ids. */
  async getMany<Kind extends CatalogKind>(
    kind: Kind,
    ids: readonly string[],
  ): Promise<RecordOf<Kind>[]> {
    const found: RecordOf<Kind>[] = [];
    for (let start = 0; start < ids.length; start += BATCH_SIZE) {
      const slice = ids.slice(start, start + BATCH_SIZE);
      const texts = await this.#try(() => this.#client.hmget(catalogKey(kind), ...slice));
      for (const text of texts) if (text !== null) found.push(JSON.parse(text));
    }
    return found;
  }

  /** Every record of a kind, ordered by id. What comes and goes meanwhile may or may not be there. */
  async getAll<Kind extends CatalogKind>(kind: Kind): Promise<RecordOf<Kind>[]> {
    const ask = (after: string | Buffer) =>
      this.#run(pageRecordsScript, kind, [after, String(PAGE_SIZE)]);
    const pages: RecordOf<Kind>[][] = [];
    let page = ask("");
    for (;;) {
      const [last, records] = await page;
      // Redis reads the next page while this one is parsed.
      if (last.length > 0) page = ask(last);
      pages.push(JSON.parse(records.toString()));
      if (last.length === 0) return pages.flat();
    }
  }

  #run<T>(script: Script<T>, kind: CatalogKind, args: readonly (string | Buffer)[]): Promise<T> {
    return this.#try(() => runScript(this.#client, script, keysOf(kind), [kind, ...args]));
  }

  async #try<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

const fingerprintField = (id: string): string => fingerprint40(id).toString(36);

function refusalsOf(
  flat: Refusals,
  batch: readonly { id: string }[],
  start: number,
): RefusedProduct[] {
  const refused: RefusedProduct[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    const index = start + Number(flat[i]);
    const detail = `product ${batch[index].id} cannot be told from product ${String(flat[i + 1])}`;
    refused.push({ index, error: new CuecardError("product_id_collision", detail) });
  }
  return refused;
}

/** `yyyy-mm-dd`, UTC. */
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const earlier = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);

/** One entry an id: the first name, category and positive price seen, and the earliest time. */
function mergeSeen(lines: readonly SeenProduct[]): SeenProduct[] {
  const byId = new Map<string, SeenProduct>();
  for (const { id, name, category, unitPrice, at } of lines) {
    const known = byId.get(id);
    const price =
      unitPrice !== undefined && unitPrice > 0 && unitPrice < 1e9 ? unitPrice : undefined;
    byId.set(id, {
      id,
      name: known?.name ?? (name || undefined),
      category: known?.category ?? (category || undefined),
      unitPrice: known?.unitPrice ?? price,
      at: earlier(known?.at, at),
    });
  }
  return [...byId.values()];
}
