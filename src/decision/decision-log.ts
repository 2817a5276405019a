/** Finds the record of a decision: in this process's queue, in the stream, in the archive. */
import { setTimeout as sleep } from "node:timers/promises";
import { CuecardError } from "../errors.js";
import { parseLogId } from "../events/log-id.js";
import type { LogReader } from "../events/log-reader.js";
import { decodeRecord } from "../events/log-record.js";
import { type DecisionPlace, placeOfDecision } from "../members/decision-id.js";
import type { DecisionRecord } from "./record.js";
import { unpackRecord } from "./record-codec.js";
import type { DecisionRecorder } from "./recorder.js";

/** The store's clock may run behind ours by so much. */
const BEFORE_MS = 60_000;
/** A record waits for a store out of reach; what is written later than this is not looked for. */
const AFTER_MS = 3_600_000;
/** Another process may be about to write a decision so young: looked for once more. */
const YOUNG_MS = 500;
const ONCE_MORE_MS = 100;

export class DecisionLog {
  constructor(
    private readonly log: LogReader,
    private readonly recorder: Pick<DecisionRecorder, "waiting">,
    /** Whether this member was erased: their decisions are gone from that instant on. */
    private readonly isErased: (member: string) => Promise<boolean>,
  ) {}

  /** @throws `decision_unknown`, `store_unavailable` */
  async find(id: string): Promise<DecisionRecord> {
    const place = placeOfDecision(id);
    if (place === null) throw unknown();
    const waiting = this.recorder.waiting(id);
    if (waiting !== null) {
      const record = decoded(waiting);
      if (record.member !== null && (await this.isErased(record.member))) throw unknown();
      return record;
    }
    const isYoung = Date.now() - place.at < YOUNG_MS;
    const written = await this.#written(id, place);
    if (written !== null) return written;
    if (!isYoung) throw unknown();
    await sleep(ONCE_MORE_MS);
    const late = await this.#written(id, place);
    if (late === null) throw unknown();
    return late;
  }

  async #written(id: string, { partition, at }: DecisionPlace): Promise<DecisionRecord | null> {
    const entries = this.log.read({
      partitions: [partition],
      kinds: ["decision"],
      after: new Map([[partition, `${Math.max(0, at - BEFORE_MS)}-0`]]),
      archivedUntilMs: at + AFTER_MS,
    });
    for await (const { logId, record } of entries) {
      if (record.kind !== "decision") continue;
      if (record.decision.id === id) return unpackRecord(record);
      if (parseLogId(logId).ms > at + AFTER_MS) break;
    }
    return null;
  }
}

function decoded(text: string): DecisionRecord {
  const record = decodeRecord(text);
  if (record.kind !== "decision") throw new Error("a queue of decisions held something else");
  return unpackRecord(record);
}

const unknown = (): CuecardError =>
  new CuecardError("decision_unknown", "no decision has this id, or its member was erased");
