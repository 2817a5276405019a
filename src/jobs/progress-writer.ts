/** Writes the latest progress of a run, at most a few times a second, one write at a time. */
import { setTimeout as sleep } from "node:timers/promises";
import type { JobProgress } from "./queues.js";

const INTERVAL_MS = 250;

export class ProgressWriter {
  private latest: JobProgress | undefined;
  private writing: Promise<void> | undefined;
  private ended = false;

  constructor(private readonly write: (progress: JobProgress) => Promise<unknown>) {}

  /** `percent` is cut to 0 … 100. */
  set(percent: number, text: string): void {
    if (this.ended) return;
    this.latest = { percent: Math.min(100, Math.max(0, Math.round(percent))), text };
    this.writing ??= this.drain().finally(() => {
      this.writing = undefined;
    });
  }

  /** After this nothing is written any more. */
  async end(): Promise<void> {
    this.ended = true;
    await this.writing;
  }

  private async drain(): Promise<void> {
    while (this.latest !== undefined) {
      const next = this.latest;
      this.latest = undefined;
      // Progress is a courtesy: a write that fails is not worth a job.
      await this.write(next).catch(() => undefined);
      if (!this.ended) await sleep(INTERVAL_MS);
    }
  }
}
