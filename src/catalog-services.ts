/** Records of the catalog as HTTP asks for them; a write is in this process's snapshot when it returns. */
import type { Catalog } from "./catalog/catalog.js";
import type { CatalogKind, InputOf, PlainKind, RecordOf } from "./catalog/catalog-store.js";
import { experimentFaults } from "./catalog/experiment.js";
import type { Core } from "./core.js";
import { STAGES } from "./decision/answer.js";
import { CuecardError, type ErrorCode } from "./errors.js";
import type { RecordService, Services } from "./http/services.js";

const UNKNOWN = {
  products: "product_unknown",
  coupons: "coupon_unknown",
  experiments: "experiment_unknown",
} as const satisfies Record<CatalogKind, ErrorCode>;

/** What is the same for every kind. */
function reading<Kind extends CatalogKind>({ store, refresh }: Access, kind: Kind) {
  const unknown = (): CuecardError => new CuecardError(UNKNOWN[kind], "no record has this id");
  return {
    async get(id: string): Promise<RecordOf<Kind>> {
      const record = await store.get(kind, id);
      if (record === null) throw unknown();
      return record;
    },
    async delete(id: string): Promise<void> {
      if (!(await store.delete(kind, id))) throw unknown();
      await refresh();
    },
    list: ({ limit, cursor }: { limit: number; cursor?: string }) =>
      store.list(kind, limit, cursor),
  };
}

interface Access {
  readonly store: Catalog["store"];
  refresh(): Promise<void>;
}

/** `check` throws when the record cannot be taken. */
const plain = <Kind extends PlainKind>(
  access: Access,
  kind: Kind,
  check: (id: string, input: InputOf<Kind>) => void = () => undefined,
): RecordService<InputOf<Kind>, RecordOf<Kind>> => ({
  ...reading(access, kind),
  async put(id, input) {
    check(id, input);
    const record = await access.store.put(kind, id, input);
    await access.refresh();
    return record;
  },
});

export function catalogServices({
  catalog,
  config,
  couponLedger,
}: Core): Pick<Services, "products" | PlainKind> {
  const access: Access = { store: catalog.store, refresh: () => catalog.refresh() };
  const { store, refresh } = access;
  return {
    products: {
      ...reading(access, "products"),
      async put(id, input) {
        const product = await store.putProduct(id, input);
        await refresh();
        return product;
      },
      async putMany(products) {
        const refused = await store.putProducts(products);
        await refresh();
        const byIndex = new Map(refused.map(({ index, error }) => [index, error]));
        return products.map((_, index) => {
          const error = byIndex.get(index);
          return error === undefined ? undefined : { code: error.code, detail: error.detail };
        });
      },
    },
    coupons: {
      ...plain(access, "coupons"),
      async report(id, page) {
        const coupon = await reading(access, "coupons").get(id);
        return couponLedger.report(coupon, page);
      },
    },
    experiments: plain(access, "experiments", (id, input) => {
      const errors = experimentFaults(id, input, { ...config, stages: STAGES });
      if (errors.length === 0) return;
      throw new CuecardError("invalid_request", "the experiment cannot be run", { errors });
    }),
  };
}
