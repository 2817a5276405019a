/**
 * Imports a file of events: rows → chunks → one atomic write a partition and chunk, with its ledger
 * entry in the same script, so that a second run, or one after a crash, changes nothing twice.
 */
import { createHash } from "node:crypto";
import { CuecardError, isCuecardError } from "../errors.js";
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { hash32, importLedgerKey, PARTITIONS, partitionOf } from "../redis/keys.js";
import { ServedWatch } from "../redis/served.js";
import type { Line } from "./event.js";
import {
  type AnonymousLine,
  type GroupedEvent,
  groupRows,
  type ImportChunk,
  type SeenProduct,
} from "./import-group.js";
import { ImportLanes } from "./import-lanes.js";
import {
  columnsOfMapping,
  createEventMapper,
  type EventMapOptions,
  type ImportedRow,
  type RejectedRow,
} from "./import-map.js";
import { type Patience, patiently } from "./import-patience.js";
import { fileHash16, type ReadOptions, readBatches } from "./import-read.js";
import {
  emptySummary,
  type ImportProgress,
  type ImportSummary,
  RejectFile,
  rejectFileOf,
} from "./import-report.js";
import type { LogRecord } from "./log-record.js";
import type { MemberWriter, PendingEvent, WriteGroup } from "./member-writer.js";
import type { OptOut } from "./opt-out.js";

/** A file names members by id (target `member`), or by one identity (`phone` or `email`). */
export interface ImportEventsOptions
  extends EventMapOptions,
    Pick<ReadOptions, "encoding" | "separator" | "header"> {
  readonly file: string;
  /** Default `<file>.rejects.csv`. */
  readonly rejectFile?: string;
  readonly signal?: AbortSignal;
  readonly giveUpMs?: number;
  /** Rows of one chunk; another number is another import of the same file. Default 50,000. */
  readonly chunkRows?: number;
}

export interface ImportEventsDependencies {
  readonly client: RedisClient;
  readonly writer: Pick<MemberWriter, "write" | "knowErasures">;
  /**
   * Member id of an identity, made where nobody has it; null: the value cannot be one. Throws
   * `member_erased` for one who was erased: their rows are refused, the others are not.
   */
  readonly resolve: (kind: "phone" | "email", value: string) => Promise<string | null>;
  readonly optOut: OptOut;
  /** Makes products known; a product comes again when a later row completes it. */
  readonly registerSeen: (
    products: readonly {
      id: string;
      name?: string;
      category?: string;
      unitPrice?: number;
      /** Epoch milliseconds of the earliest row seen. */
      at: number;
    }[],
  ) => Promise<void>;
  /** Category of a product the file gives none for. */
  readonly categoryOf?: (product: string) => string | undefined;
}

/**
 * Large enough that a partition's share of a chunk makes one script call worth its cost, and that a
 * member's events of some days are folded and written at once; small enough for memory.
 */
const CHUNK_ROWS = 50_000;
const RESOLVE_AT_ONCE = 64;
const DONE = 1;
const ERASED = Symbol("erased");

/**
 * Throws `file_invalid` and `usage` before anything is written; `store_full`, `store_unavailable`
 * when it gave up waiting: the same command again goes on where it stopped.
 */
export async function importEvents(
  options: ImportEventsOptions,
  dependencies: ImportEventsDependencies,
  progress?: ImportProgress,
): Promise<ImportSummary> {
  const run = new EventImport(options, dependencies, progress);
  return run.run();
}

/** A chunk on its way into the store. */
interface BegunChunk {
  readonly chunk: ImportChunk;
  readonly events: readonly PendingEvent[];
  /** Rows of each event. */
  readonly rows: readonly number[];
  readonly rejected: RejectedRow[];
  readonly written: Promise<void>;
}

class EventImport {
  private readonly started = Date.now();
  private readonly summary = emptySummary();
  private readonly members = new Set<string>();
  /** Product → how complete it was when it was registered. */
  private readonly products = new Map<string, number>();
  private readonly resolved = new Map<string, string | typeof ERASED | null>();
  private readonly said = new Set<string>();
  private readonly patience: Patience;
  private readonly lanes: ImportLanes;
  private readonly by: "id" | "phone" | "email";

  constructor(
    private readonly options: ImportEventsOptions,
    private readonly dependencies: ImportEventsDependencies,
    private readonly progress: ImportProgress | undefined,
  ) {
    const { signal, giveUpMs, mapping } = options;
    this.patience = { signal, giveUpMs, say: (message) => this.say(message) };
    const served = new ServedWatch(dependencies.client);
    this.lanes = new ImportLanes(
      (groups) =>
        patiently(() => dependencies.writer.write(groups, { erasuresKnown: true }), this.patience),
      () => patiently(() => served.isServed(), this.patience),
    );
    const kinds = (["phone", "email"] as const).filter((kind) => mapping[kind] !== undefined);
    if (kinds.length > 1 || (kinds.length === 1 && mapping.member !== undefined)) {
      throw new CuecardError("usage", "--map: name members by one of member, phone, email");
    }
    this.by = kinds[0] ?? "id";
  }

  async run(): Promise<ImportSummary> {
    const { options, summary } = this;
    const mapping = this.mapping();
    const mapper = createEventMapper({ ...options, mapping });
    const hash = await fileHash16(options.file);
    const field = `${hash}-${this.mappingHash()}`;
    const isDone = await this.isDone(field);
    const rejects = new RejectFile(options.rejectFile ?? (await rejectFileOf(options.file)));
    try {
      const chunks = groupRows(this.rows(mapper, mapping), {
        fileHash16: hash,
        chunkRows: options.chunkRows ?? CHUNK_ROWS,
      });
      // One chunk is read while the one before it is written.
      let begun: BegunChunk | undefined;
      for await (const chunk of chunks) {
        options.signal?.throwIfAborted();
        const next = await this.begin(chunk, field, isDone);
        await rejects.add(await this.finish(begun));
        begun = next;
      }
      await rejects.add(await this.finish(begun));
      if (!isDone) await this.markDone(field);
    } finally {
      // Nothing may still be writing when this returns.
      await this.lanes.settled();
      summary.rejectFile = await rejects.close();
      this.progress?.stop();
    }
    summary.members = this.members.size;
    summary.products = this.products.size;
    summary.seconds = (Date.now() - this.started) / 1000;
    return summary;
  }

  /** Once a chunk: its parts wait for the same reason. */
  private say(message: string): void {
    if (!this.said.has(message)) this.progress?.say(message);
    this.said.add(message);
  }

  private mapping(): EventMapOptions["mapping"] {
    if (this.by === "id") return this.options.mapping;
    const { [this.by]: column, ...rest } = this.options.mapping;
    return { ...rest, member: column! };
  }

  /** Whatever decides how rows become events; another mapping is another import. */
  private mappingHash(): string {
    const { mapping, type, negativeQuantity, idFrom, timezone, dateOrder } = this.options;
    const { encoding, separator, header, chunkRows = CHUNK_ROWS } = this.options;
    const sorted = Object.entries(mapping).sort(([a], [b]) => (a < b ? -1 : 1));
    const shape = [sorted, type, negativeQuantity, idFrom, timezone, dateOrder];
    const reading = [encoding, separator, header, chunkRows];
    const text = JSON.stringify([shape, reading]);
    return createHash("sha256").update(text).digest("hex").slice(0, 8);
  }

  private async *rows(
    mapper: ReturnType<typeof createEventMapper>,
    mapping: EventMapOptions["mapping"],
  ): AsyncGenerator<(ImportedRow | RejectedRow)[]> {
    const { file, encoding, separator, header, idFrom } = this.options;
    const columns = columnsOfMapping(mapping, idFrom);
    const batches = readBatches(file, { encoding, separator, header, columns });
    for await (const batch of batches) yield batch.map(mapper);
  }

  /** Hands a chunk to the lanes. */
  private async begin(chunk: ImportChunk, field: string, isDone: boolean): Promise<BegunChunk> {
    this.said.clear();
    const rejected = [...chunk.rejected];
    const placed = await this.place(chunk.events, rejected);
    for (const { subject } of placed.events) this.members.add(subject);
    const products = this.freshProducts(chunk.products);
    if (isDone) {
      for (const pending of placed.events) pending.outcome = "duplicate";
      return { chunk, ...placed, rejected, written: Promise.resolve() };
    }
    if (products.length > 0) await this.register(products);
    // Once a chunk: asked for with every group, it would wait behind what other lanes send.
    await patiently(() => this.dependencies.writer.knowErasures(), this.patience);
    const written = this.lanes.write(this.groupsOf(chunk, placed.events, field));
    // An error is met by `finish`; meanwhile it must not count as unhandled.
    written.catch(() => undefined);
    return { chunk, ...placed, rejected, written };
  }

  /** Waits for a chunk and counts it; returns its rejected rows. */
  private async finish(begun: BegunChunk | undefined): Promise<RejectedRow[]> {
    if (begun === undefined) return [];
    const { summary } = this;
    const { chunk, events, rows, rejected } = begun;
    await begun.written;
    for (const { subject, event, outcome } of events) {
      if (event.type !== "opt_out" || outcome === "member_erased") continue;
      await patiently(() => this.dependencies.optOut(subject, event), this.patience);
    }
    for (let i = 0; i < events.length; i++) {
      const pending = events[i]!;
      if (pending.outcome === "member_erased") rejected.push(...refused(pending, rows[i]!));
      else if (pending.outcome === "duplicate") summary.duplicates += rows[i]!;
      else {
        summary.events += 1;
        if (pending.event.type === "return") summary.returns += 1;
      }
    }
    summary.rows += chunk.rows;
    summary.anonymous += chunk.anonymous.length;
    summary.rejected += rejected.length;
    this.progress?.rows(summary.rows);
    return rejected;
  }

  /** Events by member id, and the rows of each; those whose identity leads nowhere are rejected. */
  private async place(
    events: readonly GroupedEvent[],
    rejected: RejectedRow[],
  ): Promise<{ events: PendingEvent[]; rows: number[] }> {
    if (this.by !== "id") await this.resolveAll(events, this.by);
    const placed = { events: [] as PendingEvent[], rows: [] as number[] };
    for (const { member, event, rows } of events) {
      const subject = this.by === "id" ? member : (this.resolved.get(member) ?? null);
      const id = typeof subject === "string" ? subject : member;
      const pending: PendingEvent = { subject: id, event, remember: false };
      if (subject === ERASED) rejected.push(...refused(pending, rows));
      else if (subject !== null) {
        placed.events.push(pending);
        placed.rows.push(rows);
      } else rejected.push(...refused(pending, rows, this.by === "phone"));
      for (const line of event.lines) line.category ??= this.categoryOf(line.product);
    }
    return placed;
  }

  private categoryOf(product: string): string | undefined {
    return this.dependencies.categoryOf?.(product);
  }

  private async resolveAll(
    events: readonly GroupedEvent[],
    kind: "phone" | "email",
  ): Promise<void> {
    const wanted = [...new Set(events.map(({ member }) => member))].filter(
      (value) => !this.resolved.has(value),
    );
    for (let from = 0; from < wanted.length; from += RESOLVE_AT_ONCE) {
      await Promise.all(
        wanted.slice(from, from + RESOLVE_AT_ONCE).map(async (value) => {
          const resolve = () => this.dependencies.resolve(kind, value).catch(unlessErased);
          this.resolved.set(value, await patiently(resolve, this.patience));
        }),
      );
    }
  }

  /** Products not met yet, or met with less than this chunk tells. */
  private freshProducts(products: readonly SeenProduct[]): SeenProduct[] {
    return products.filter(({ id, name, category, unitPrice }) => {
      const facts = (name ? 1 : 0) | (category ? 2 : 0) | (unitPrice === null ? 0 : 4);
      const known = this.products.get(id);
      this.products.set(id, (known ?? 0) | facts);
      return known === undefined || (known | facts) !== known;
    });
  }

  private async register(products: readonly SeenProduct[]): Promise<void> {
    const seen = products.map(({ id, name, category, unitPrice, at }) => ({
      id,
      at,
      ...(name === null ? {} : { name }),
      ...(category === null ? {} : { category }),
      ...(unitPrice === null ? {} : { unitPrice }),
    }));
    try {
      await patiently(() => this.dependencies.registerSeen(seen), this.patience);
    } catch (error) {
      // The others were registered; the product that cannot be told apart keeps its history.
      if (!isCuecardError(error) || error.code !== "product_id_collision") throw error;
      this.progress?.say(`a product was not added to the catalog: ${error.detail}`);
    }
  }

  /** One group a partition, each with the chunk's ledger entry. */
  private groupsOf(
    chunk: ImportChunk,
    placed: readonly PendingEvent[],
    field: string,
  ): WriteGroup[] {
    const ledger = { field, chunk: chunk.chunk };
    const byPartition = new Map<number, PendingEvent[]>();
    for (const pending of placed) {
      const partition = partitionOf(pending.subject);
      const events = byPartition.get(partition);
      if (events === undefined) byPartition.set(partition, [pending]);
      else events.push(pending);
    }
    const records = anonymousRecords(chunk.anonymous);
    const home = hash32(`${field}:${chunk.chunk}`) % PARTITIONS;
    if (records.length > 0 && !byPartition.has(home)) byPartition.set(home, []);
    return [...byPartition].map(([partition, events]) => ({
      events,
      partition,
      ledger,
      ...(partition === home ? { records } : {}),
    }));
  }

  /** The whole file was committed by an earlier run. */
  private async isDone(field: string): Promise<boolean> {
    try {
      const key = importLedgerKey(hash32(field) % PARTITIONS);
      return (await this.dependencies.client.hget(key, `${field}:done`)) !== null;
    } catch (error) {
      throw toStoreError(error);
    }
  }

  private async markDone(field: string): Promise<void> {
    const ledger = { field: `${field}:done`, chunk: DONE };
    const group = { events: [], partition: hash32(field) % PARTITIONS, ledger };
    await patiently(() => this.dependencies.writer.write([group]), this.patience);
  }
}

function unlessErased(error: unknown): typeof ERASED {
  if (isCuecardError(error) && error.code === "member_erased") return ERASED;
  throw error;
}

/** Rows of an event that nobody can be given, for the reject file. */
function refused({ event }: PendingEvent, rows: number, isPhone?: boolean): RejectedRow[] {
  const first = Number(/^[0-9a-f]{16}:(\d+)$/.exec(event.id)?.[1] ?? 0);
  const raw = JSON.stringify({ id: event.id, type: event.type, order: event.order });
  return Array.from({ length: rows }, (_, i) => ({
    row: first === 0 ? 0 : first + i,
    ...(isPhone === undefined
      ? { code: "member_erased" as const, detail: "the member was erased" }
      : isPhone
        ? { code: "invalid_phone" as const, detail: "member: not a number that can be dialled" }
        : { code: "invalid_request" as const, detail: "member: not an e-mail address" }),
    raw,
  }));
}

/** Lines of one instant become one record; a quantity below zero was brought back. */
function anonymousRecords(lines: readonly AnonymousLine[]): LogRecord[] {
  const records: { kind: "anonymous"; at: number; lines: Line[] }[] = [];
  for (const { product, at, quantity } of lines) {
    if (product === null) continue;
    let last = records[records.length - 1];
    if (last === undefined || last.at !== at || last.lines.length >= 500) {
      last = { kind: "anonymous", at, lines: [] };
      records.push(last);
    }
    last.lines.push({ product, quantity, amount: 0 });
  }
  return records;
}
