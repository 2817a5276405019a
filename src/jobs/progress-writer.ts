/** Writes the latest progress of a run, at most a few times a second, one write at a time. */
import type { JobProgress } from "./queues.js";

const INTERVAL_MS = 250;

export class ProgressWriter {
  private latest: JobProgress | undefined;
  private pause: NodeJS.Timeout | undefined;
  private writing: Promise<unknown> | undefined;
  private ended = false;

  constructor(private readonly write: (progress: JobProgress) => Promise<unknown>) {}

  /** `percent` is cut to 0 … 100. */
  set(percent: number, text: string): void {
    this.latest = { percent: Math.min(100, Math.max(0, Math.round(percent))), text };
    if (this.writing === undefined && this.pause === undefined) this.flush();
  }

  /** After this nothing is written any more. */
  async end(): Promise<void> {
    this.ended = true;
    clearTimeout(this.pause);
    await this.writing;
  }

  private flush(): void {
    this.pause = undefined;
    if (this.ended || this.latest === undefined) return;
    const next = this.latest;
    this.latest = undefined;
    // Progress is a courtesy: a write that fails is not worth a job.
    const written = this.write(next).catch(() => undefined);
    this.writing = written.finally(() => {
      this.writing = undefined;
      if (!this.ended) this.pause = setTimeout(() => this.flush(), INTERVAL_MS);
    });
  }
}
