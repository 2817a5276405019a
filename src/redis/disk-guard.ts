/**
 * Redis ends itself when a write of its log fails under `appendfsync always`. So writes are refused
 * while there is still room: with a memory limit of one byte it answers them OOM (`store_full`),
 * goes on serving reads and deletions, and takes writes again as soon as room was made.
 */
import type { Logger } from "../telemetry.js";
import { freeBytes, MIN_FREE_BYTES } from "./data-dir.js";

const CHECK_EVERY_MS = 500;

export interface DiskGuardOptions {
  readonly dir: string;
  readonly logger: Pick<Logger, "info" | "error">;
  /** Told when the state changed; a rejection is tried again at the next look. */
  readonly onChange: (low: boolean) => Promise<unknown>;
  /** How much room there is, in bytes; tests give their own. */
  readonly free?: (path: string) => Promise<number>;
}

export class DiskGuard {
  private low = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: DiskGuardOptions) {}

  get isLow(): boolean {
    return this.low;
  }

  /** Looks once, and from then on twice a second. */
  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.apply(), CHECK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async apply(): Promise<void> {
    const before = this.low;
    await this.look();
    if (this.low === before) return;
    // When Redis is away just now its next start asks `isLow`; when it only was slow we try again.
    await this.options.onChange(this.low).catch(() => {
      this.low = before;
    });
  }

  /** Brings `isLow` up to date. */
  async look(): Promise<void> {
    const { dir, free = freeBytes, logger } = this.options;
    const bytes = await free(dir).catch(() => undefined);
    if (bytes === undefined) return;
    // Twice the bound to come back, so that it does not flicker.
    const low = bytes < (this.low ? 2 * MIN_FREE_BYTES : MIN_FREE_BYTES);
    if (low === this.low) return;
    this.low = low;
    if (low) logger.error({ freeBytes: bytes }, "the disk is almost full: writes are refused");
    else logger.info({ freeBytes: bytes }, "the disk has room again: writes are accepted");
  }
}
