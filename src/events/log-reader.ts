/** How the log is read back: by rebuild, un-merge, timelines and training alike. */
import type { LogRecord } from "./log-record.js";

export interface LoggedRecord {
  readonly partition: number;
  /** Stream id `ms-seq`: the order of writes within the partition. */
  readonly logId: string;
  readonly record: LogRecord;
}

export interface ReadOptions {
  /** Absent: all. */
  readonly partitions?: readonly number[];
  /** Partition → log id already read: only what was written later comes. */
  readonly after?: ReadonlyMap<number, string>;
  /** Only records that name one of these, as holder, subject or merged. */
  readonly members?: readonly string[];
  /** Of the archive, nothing written after this millisecond; the stream goes on to its end. */
  readonly archivedUntilMs?: number;
  /** Absent: all but `erasure`, which comes only when it is asked for. */
  readonly kinds?: readonly LogRecord["kind"][];
}

export interface LogReader {
  /**
   * Archive and stream together, each record once, partition after partition in ascending order, in
   * log order within one. Records of erased members do not appear.
   */
  read(options?: ReadOptions): AsyncIterable<LoggedRecord>;
}
