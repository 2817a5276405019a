/** Asks the store every second whether it answers and how full it is; serving reads the result. */
import { metrics } from "../telemetry.js";
import { mastersOf, type RedisClient, withDeadline } from "./clients.js";

const POLL_MS = 1_000;
const DEADLINE_MS = 800;

const numberOf = (info: string, field: string): number =>
  Number(new RegExp(`^${field}:(\\d+)`, "m").exec(info)?.[1] ?? 0);

export class StoreWatch {
  #up = true;
  /** Used share of the fullest node's memory limit; 0 without a limit. */
  #fullness = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly client: RedisClient) {}

  get up(): boolean {
    return this.#up;
  }

  get fullness(): number {
    return this.#fullness;
  }

  async start(): Promise<this> {
    await this.look();
    return this;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  private async look(): Promise<void> {
    try {
      const infos = mastersOf(this.client).map((node) => node.info("memory"));
      const texts = await withDeadline(Promise.all(infos), DEADLINE_MS);
      this.#up = texts.length > 0;
      this.#fullness = Math.max(0, ...texts.map(fullnessOf));
    } catch {
      this.#up = false;
    }
    metrics.storeUp.set(this.#up ? 1 : 0);
    metrics.storeFullness.set(this.#fullness);
    if (!this.#closed) this.#timer = setTimeout(() => void this.look(), POLL_MS).unref();
  }
}

function fullnessOf(info: string): number {
  const limit = numberOf(info, "maxmemory");
  return limit === 0 ? 0 : numberOf(info, "used_memory") / limit;
}
