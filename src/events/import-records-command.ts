/** Imports a file of members or products: row → record → the same write as PUT. */

import type { ProductInput } from "../catalog/records.js";
import { type CuecardError, isCuecardError } from "../errors.js";
import type { MemberInput } from "../members/profile.js";
import { columnsOfMapping, type RejectedRow } from "./import-map.js";
import { type Patience, patiently } from "./import-patience.js";
import { type ReadOptions, type ReadRow, readBatches } from "./import-read.js";
import {
  createMemberMapper,
  createProductMapper,
  type RecordMapOptions,
  type RecordRow,
} from "./import-records.js";
import {
  emptySummary,
  type ImportProgress,
  type ImportSummary,
  RejectFile,
  rejectFileOf,
} from "./import-report.js";

export interface ImportRecordsOptions<Record>
  extends RecordMapOptions<Record>,
    Pick<ReadOptions, "encoding" | "separator" | "header"> {
  readonly file: string;
  /** Default `<file>.rejects.csv`. */
  readonly rejects?: string;
  readonly signal?: AbortSignal;
  readonly giveUpMs?: number;
}

const MEMBERS_AT_ONCE = 64;
const PRODUCTS_AT_ONCE = 500;

/** `put` writes one member as PUT does; what it refuses is rejected, what must wait is repeated. */
export function importMembers(
  options: ImportRecordsOptions<MemberInput>,
  put: (id: string, input: MemberInput) => Promise<unknown>,
  progress?: ImportProgress,
): Promise<ImportSummary> {
  const writeAll: WriteAll<MemberInput> = (rows, patience) =>
    Promise.all(
      rows.map(async ({ id, record }) => {
        try {
          await patiently(() => put(id, record), patience);
          return null;
        } catch (error) {
          if (isCuecardError(error) && error.status < 500) return error;
          throw error;
        }
      }),
    );
  const mapper = createMemberMapper(options);
  return run(options, mapper, MEMBERS_AT_ONCE, writeAll, "members", progress);
}

/** `putBatch` writes at most 500 products and returns those it refused, by position. */
export function importProducts(
  options: ImportRecordsOptions<ProductInput>,
  putBatch: (
    batch: readonly (ProductInput & { id: string })[],
  ) => Promise<readonly { readonly index: number; readonly error: CuecardError }[]>,
  progress?: ImportProgress,
): Promise<ImportSummary> {
  const writeAll: WriteAll<ProductInput> = async (rows, patience) => {
    const batch = rows.map(({ id, record }) => ({ ...record, id }));
    const refused = await patiently(() => putBatch(batch), patience);
    const errors = new Map(refused.map(({ index, error }) => [index, error]));
    return rows.map((_, i) => errors.get(i) ?? null);
  };
  const mapper = createProductMapper(options);
  return run(options, mapper, PRODUCTS_AT_ONCE, writeAll, "products", progress);
}

/** Writes records with distinct ids; null for one written, the error for one refused. */
type WriteAll<Record> = (
  rows: readonly RecordRow<Record>[],
  patience: Patience,
) => Promise<(CuecardError | null)[]>;

async function run<Record>(
  options: ImportRecordsOptions<Record>,
  mapper: (row: ReadRow) => RecordRow<Record> | RejectedRow,
  atOnce: number,
  writeAll: WriteAll<Record>,
  counted: "members" | "products",
  progress: ImportProgress | undefined,
): Promise<ImportSummary> {
  const started = Date.now();
  const { file, mapping, encoding, separator, header, signal, giveUpMs } = options;
  const patience = { signal, giveUpMs, say: (line: string) => progress?.say(line) };
  const summary = emptySummary();
  const ids = new Set<string>();
  const rejects = new RejectFile(options.rejects ?? (await rejectFileOf(file)));
  const reject = async (rows: RejectedRow[]): Promise<void> => {
    summary.rejected += rows.length;
    await rejects.add(rows);
  };
  let open = new Map<string, RecordRow<Record>>();
  const flush = async (): Promise<void> => {
    const rows = [...open.values()];
    open = new Map();
    const errors = await writeAll(rows, patience);
    rows.forEach(({ id }, i) => {
      if (errors[i] === null) ids.add(id);
    });
    await reject(rows.flatMap((row, i) => refusedRow(row, errors[i]!)));
    progress?.rows(summary.rows);
  };
  try {
    const columns = columnsOfMapping(mapping);
    for await (const batch of readBatches(file, { encoding, separator, header, columns })) {
      signal?.throwIfAborted();
      summary.rows += batch.length;
      for (const mapped of batch.map(mapper)) {
        if ("code" in mapped) {
          await reject([mapped]);
          continue;
        }
        // The same id twice: the later row counts, so the earlier one must be written first.
        if (open.has(mapped.id)) await flush();
        open.set(mapped.id, mapped);
        if (open.size >= atOnce) await flush();
      }
    }
    await flush();
  } finally {
    summary.rejectFile = await rejects.close();
    progress?.stop();
  }
  summary[counted] = ids.size;
  summary.seconds = (Date.now() - started) / 1000;
  return summary;
}

function refusedRow<Record>(
  { row, id }: RecordRow<Record>,
  error: CuecardError | null,
): RejectedRow[] {
  return error === null ? [] : [{ row, code: error.code, detail: error.detail, raw: id }];
}
