/** Rows of a file → chunks of events: lines of one order become one purchase. */
import type { MemberEvent } from "./event.js";
import { EVENT_LIMITS } from "./event.js";
import type { ImportedRow, RejectedRow } from "./import-map.js";

export interface GroupedEvent {
  /** Member id as the file gives it. */
  readonly member: string;
  readonly event: MemberEvent;
  /** Rows of the file in this event. */
  readonly rows: number;
}

export interface SeenProduct {
  readonly id: string;
  readonly name: string | null;
  readonly category: string | null;
  /** Major unit, of the latest line that had a price; null when none did. */
  readonly unitPrice: number | null;
  /** Epoch milliseconds of its earliest row. */
  readonly at: number;
}

/** Nobody's purchase; `quantity` is negative when it was brought back. Informs popularity only. */
export interface AnonymousLine {
  /** null for an event without a product. */
  readonly product: string | null;
  readonly at: number;
  readonly quantity: number;
}

/** `rows` = Σ rows of `events` + `anonymous` + `rejected`: every row is accounted for. */
export interface ImportChunk {
  /** 0, 1, 2 …: with the file's hash and the mapping's it names the chunk in the ledger. */
  readonly chunk: number;
  readonly rows: number;
  readonly events: readonly GroupedEvent[];
  readonly anonymous: readonly AnonymousLine[];
  readonly products: readonly SeenProduct[];
  readonly rejected: readonly RejectedRow[];
}

export interface GroupOptions {
  /** First 16 digits of the file's hash: the first part of default event ids. */
  readonly fileHash16: string;
  /** Rows from which a chunk ends, as soon as its last order does. Part of the ledger's key: fixed. */
  readonly chunkRows?: number;
}

export const IMPORT_CHUNK_ROWS = 5000;

/**
 * Groups contiguous lines of the same member, order and type, at most 500, into one event, with the
 * id `hash:row` of its first row unless the file gives ids. A part of an order that comes later is
 * another event with `continuation: true`. Equal rows stay separate lines. The same file and mapping
 * give the same chunks, whatever the sizes of the batches coming in.
 */
export async function* groupRows(
  batches: AsyncIterable<readonly (ImportedRow | RejectedRow)[]>,
  options: GroupOptions,
): AsyncGenerator<ImportChunk> {
  const chunkRows = options.chunkRows ?? IMPORT_CHUNK_ROWS;
  const orders = new SeenKeys();
  let builder = new ChunkBuilder(0, options.fileHash16, orders);
  for await (const batch of batches) {
    for (let i = 0; i < batch.length; i++) {
      const row = batch[i]!;
      if (builder.rows >= chunkRows && !builder.continues(row)) {
        yield builder.finish();
        builder = new ChunkBuilder(builder.chunk + 1, options.fileHash16, orders);
      }
      builder.add(row);
    }
  }
  if (builder.rows > 0) yield builder.finish();
}

interface Building {
  member: string;
  event: MemberEvent;
  rows: number;
}

class ChunkBuilder {
  rows = 0;
  private readonly events: Building[] = [];
  private readonly anonymous: AnonymousLine[] = [];
  private readonly products = new Map<string, SeenProduct>();
  private readonly rejected: RejectedRow[] = [];
  private open: Building | undefined;

  constructor(
    readonly chunk: number,
    private readonly fileHash16: string,
    private readonly orders: SeenKeys,
  ) {}

  /** Whether this row belongs to the event that is still open. */
  continues(row: ImportedRow | RejectedRow): boolean {
    const open = this.open;
    return (
      open !== undefined &&
      "type" in row &&
      row.order !== null &&
      row.member === open.member &&
      row.order === open.event.order &&
      row.type === open.event.type &&
      row.product !== null &&
      open.event.lines.length < EVENT_LIMITS.linesPerEvent
    );
  }

  add(row: ImportedRow | RejectedRow): void {
    this.rows += 1;
    if ("code" in row) {
      this.rejected.push(row);
      return;
    }
    this.see(row);
    if (row.member === null) {
      const quantity = row.type === "return" ? -row.quantity : row.quantity;
      this.anonymous.push({ product: row.product, at: row.at, quantity });
      this.open = undefined;
      return;
    }
    if (this.continues(row)) {
      this.open!.event.lines.push(lineOf(row));
      this.open!.rows += 1;
      return;
    }
    this.open = { member: row.member, event: this.start(row, row.member), rows: 1 };
    this.events.push(this.open);
  }

  private start(row: ImportedRow, member: string): MemberEvent {
    const isFirst =
      row.order === null || this.orders.add(`${row.type}\u0000${member}\u0000${row.order}`);
    const properties = propertiesOf(row);
    // Filled in step by step: spreading what may be absent would make four objects more, millions of times.
    const event: MemberEvent = {
      id: row.id ?? `${this.fileHash16}:${row.row}`,
      type: row.type,
      at: row.at,
      lines: row.product === null ? [] : [lineOf(row)],
    };
    if (row.order !== null) event.order = row.order;
    if (!isFirst) event.continuation = true;
    if (row.channel !== null) event.channel = row.channel;
    if (properties !== null) event.properties = properties;
    return event;
  }

  private see(row: ImportedRow): void {
    if (row.product === null) return;
    const before = this.products.get(row.product);
    const price = row.amount > 0 ? Math.round((row.amount / row.quantity) * 1000) / 1000 : null;
    // Returns and the like are booked at odd prices and with odd names.
    const isSale = row.type === "purchase" && row.amount > 0;
    if (before !== undefined && !isSale) return;
    this.products.set(row.product, {
      id: row.product,
      name: row.name ?? before?.name ?? null,
      category: row.category ?? before?.category ?? null,
      unitPrice: price ?? before?.unitPrice ?? null,
      at: Math.min(row.at, before?.at ?? row.at),
    });
  }

  finish(): ImportChunk {
    return {
      chunk: this.chunk,
      rows: this.rows,
      events: this.events,
      anonymous: this.anonymous,
      products: [...this.products.values()],
      rejected: this.rejected,
    };
  }
}

function lineOf(row: ImportedRow): MemberEvent["lines"][number] {
  const { quantity, amount, category } = row;
  const product = row.product!;
  return category === null
    ? { product, quantity, amount }
    : { product, quantity, amount, category };
}

/** Money of an event without a product is kept beside it, not lost. */
function propertiesOf(row: ImportedRow): Record<string, unknown> | null {
  if (row.product !== null || row.amount === 0) return row.properties;
  return { ...row.properties, amount: row.amount };
}

/** Shards, because one Set holds 2^24 entries at most. */
const SHARDS = 64;

/** Keys seen, as 53-bit hashes: 10M orders fit in memory; two of them collide with odds of 1 in 180. */
class SeenKeys {
  private readonly shards = Array.from({ length: SHARDS }, () => new Set<number>());

  /** Whether the key is new. */
  add(key: string): boolean {
    const hash = hash53(key);
    const shard = this.shards[hash % SHARDS]!;
    const before = shard.size;
    shard.add(hash);
    return shard.size > before;
  }
}

/** cyrb53: 53 well-mixed bits of a string, as a number. */
function hash53(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return 4294967296 * (2097151 & low) + (high >>> 0);
}
