/**
 * Work that somebody waits for and that would hold up the serving thread for seconds: each piece in a
 * child process of the lowest priority, one at a time. Not a job of the queue: there a training run
 * before it would keep the caller waiting for hours.
 */
import { CuecardError } from "../errors.js";
import type { JobInput, JobResult } from "./job.js";
import { type ChildCommand, runInChild } from "./run-in-child.js";

const WAITING_MAX = 8;
const RETRY_AFTER_SECONDS = 10;
const GRACE_MS = 1_000;

export class OnDemand {
  readonly #command: ChildCommand;
  readonly #stop = new AbortController();
  /** Asked for and not answered yet, by name and question. */
  readonly #open = new Map<string, Promise<JobResult>>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(command: ChildCommand) {
    this.#command = command;
  }

  /**
   * What the child returned. Whoever asks the same question while it is under way gets the same answer.
   * Throws `overloaded` when too much waits, `not_ready` when this process stops, and what the work
   * throws.
   */
  async run(name: string, input: JobInput, question = JSON.stringify(input)): Promise<JobResult> {
    const key = `${name} ${question}`;
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    if (this.#open.size >= WAITING_MAX) {
      throw new CuecardError("overloaded", `${WAITING_MAX} are waited for already`, {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    const running = this.#last
      .then(() => this.#start(name, input))
      .finally(() => this.#open.delete(key));
    this.#open.set(key, running);
    this.#last = running.catch(() => undefined);
    return running;
  }

  /** Ends what is under way. */
  close(): void {
    this.#stop.abort(new CuecardError("not_ready", "the server is stopping"));
  }

  #start(name: string, input: JobInput): Promise<JobResult> {
    return runInChild({
      command: this.#command,
      request: { kind: "run", name, input },
      signal: this.#stop.signal,
      graceMs: GRACE_MS,
      onProgress: () => undefined,
    });
  }
}
