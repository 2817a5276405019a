/** Product records, one by one and in bulk. */
import type { z } from "zod";
import { productInputSchema } from "../catalog/records.js";
import { CuecardError, isCuecardError } from "../errors.js";
import { idSchema } from "../events/event.js";
import { parseJson } from "./body.js";
import { bulkExample, productExample, productInputExample } from "./examples.js";
import { checkBodyId, type Route, route } from "./route.js";
import { bulkResultSchema, pageOf, pageQuerySchema, productSchema } from "./schemas.js";
import type { ProductService, Refusal } from "./services.js";
import { faultLine } from "./validate.js";

const WRITE_ERRORS = ["product_id_collision", "store_unavailable", "store_full"] as const;
const READ_ERRORS = ["product_unknown", "store_unavailable"] as const;

/** One stream may be long; its lines are written as they come. */
const BULK_LIMIT_BYTES = 268_435_456;
const BULK_BATCH = 500;
const BULK_REJECTED_SHOWN = 1_000;

const list = route({
  name: "listProducts",
  method: "get",
  path: "/v1/products",
  tag: "Products",
  summary: "List products",
  scopes: ["serve", "ingest"],
  query: pageQuerySchema,
  status: 200,
  response: pageOf(productSchema),
  errors: ["store_unavailable"],
  handle: ({ query }, services) => services.products.list(query),
});

const put = route({
  name: "putProduct",
  method: "put",
  path: "/v1/products/{id}",
  tag: "Products",
  summary: "Write a product",
  description:
    "Replaces the record. Every process offers the product within a second. A product can be offered " +
    "once it is active and has a name and a price.",
  scopes: ["ingest"],
  body: productInputSchema,
  status: 200,
  response: productSchema,
  errors: WRITE_ERRORS,
  example: { request: productInputExample, response: productExample },
  handle({ params, body }, services) {
    checkBodyId(params.id, body.id);
    return services.products.put(params.id, body);
  },
});

const get = route({
  name: "getProduct",
  method: "get",
  path: "/v1/products/{id}",
  tag: "Products",
  summary: "Read a product",
  scopes: ["serve", "ingest"],
  status: 200,
  response: productSchema,
  errors: READ_ERRORS,
  example: { response: productExample },
  handle: ({ params }, services) => services.products.get(params.id),
});

const remove = route({
  name: "deleteProduct",
  method: "delete",
  path: "/v1/products/{id}",
  tag: "Products",
  summary: "Delete a product",
  description: "It is no longer offered; what members did with it stays in their history.",
  scopes: ["ingest"],
  status: 204,
  errors: READ_ERRORS,
  handle: ({ params }, services) => services.products.delete(params.id),
});

/** A line of the stream is a product with its id. */
export const bulkLineSchema = productInputSchema.extend({ id: idSchema });
type BulkLine = z.output<typeof bulkLineSchema>;

class BulkWrite {
  #batch: { line: number; product: BulkLine }[] = [];
  readonly result: z.input<typeof bulkResultSchema> = {
    accepted: 0,
    rejectedTotal: 0,
    rejected: [],
  };
  readonly #products: ProductService;

  constructor(products: ProductService) {
    this.#products = products;
  }

  async add(line: number, text: Buffer): Promise<void> {
    const product = parseLine(text);
    if ("code" in product) this.#reject(line, product);
    else if (this.#batch.push({ line, product: product.product }) >= BULK_BATCH) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    const refusals = await this.#products.putMany(batch.map((entry) => entry.product));
    batch.forEach(({ line }, i) => {
      const refusal = refusals[i];
      if (refusal === undefined) this.result.accepted++;
      else this.#reject(line, refusal);
    });
  }

  #reject(line: number, { code, detail }: Refusal): void {
    this.result.rejectedTotal++;
    if (this.result.rejected.length < BULK_REJECTED_SHOWN) {
      this.result.rejected.push({ line, code, detail });
    }
  }
}

function parseLine(text: Buffer): { product: BulkLine } | Refusal {
  try {
    const parsed = bulkLineSchema.safeParse(parseJson(text));
    if (parsed.success) return { product: parsed.data };
    return { code: "invalid_request", detail: faultLine(parsed.error) };
  } catch (error) {
    if (isCuecardError(error))
      return { code: error.code, detail: error.detail.replace("body", "line") };
    throw error;
  }
}

const isBlank = (text: Buffer): boolean => text.length === 0 || text.toString("utf8").trim() === "";

const bulk = route({
  name: "putProducts",
  method: "post",
  path: "/v1/products/bulk",
  tag: "Products",
  summary: "Write many products: one JSON document a line",
  description:
    "Each line is a product with its `id`, at most 64 KiB. Lines are written as they arrive and judged " +
    "one by one. After a failure midway, send everything again: writing a product twice is safe.",
  scopes: ["ingest"],
  ndjson: bulkLineSchema,
  bodyLimitBytes: BULK_LIMIT_BYTES,
  status: 200,
  response: bulkResultSchema,
  errors: ["store_unavailable", "store_full"],
  example: bulkExample,
  async handle({ lines }, services) {
    const write = new BulkWrite(services.products);
    let line = 0;
    try {
      for await (const text of lines) {
        line++;
        if (!isBlank(text)) await write.add(line, text);
      }
      await write.flush();
    } catch (error) {
      if (!isCuecardError(error)) throw error;
      const detail = `${error.detail} (${write.result.accepted} products were written before)`;
      const { retryAfterSeconds } = error;
      throw new CuecardError(error.code, detail, { retryAfterSeconds, cause: error.cause });
    }
    return write.result;
  },
});

export const productRoutes: readonly Route[] = [list, put, get, remove, bulk];
