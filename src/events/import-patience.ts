/** Waiting out a store that is full, away or busy, instead of losing rows. */
import { setTimeout as sleep } from "node:timers/promises";
import { isCuecardError } from "../errors.js";

export interface Patience {
  /** How long one write is tried before the import ends with its error. Default 10 minutes. */
  readonly giveUpMs?: number;
  readonly signal?: AbortSignal;
  /** Told when it begins to wait, and why. */
  readonly say?: (message: string) => void;
}

const GIVE_UP_MS = 600_000;
const MAX_PAUSE_MS = 5_000;

const WAITING: Readonly<Record<string, string>> = {
  store_full:
    "the store is out of room: waiting for the archive job to trim it, or for more memory",
  store_unavailable: "the store cannot be reached: waiting for it",
  write_contended: "members are being written by others: trying again",
};

/** Repeats `work`, which must be safe to repeat, while the store asks to wait. */
export async function patiently<T>(work: () => Promise<T>, patience: Patience): Promise<T> {
  const giveUpAt = Date.now() + (patience.giveUpMs ?? GIVE_UP_MS);
  let said = "";
  for (let attempt = 1; ; attempt++) {
    patience.signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      const message = isCuecardError(error) ? WAITING[error.code] : undefined;
      if (message === undefined || Date.now() >= giveUpAt) throw error;
      if (message !== said) patience.say?.(message);
      said = message;
      await sleep(Math.min(200 * attempt, MAX_PAUSE_MS));
    }
  }
}
