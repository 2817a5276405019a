/** How long each step of a start took: for the log, and for whoever wants a start to be quick. */

/** Milliseconds, by the clock and of the processor. */
export interface StepTimes {
  readonly ms: number;
  readonly cpuMs: number;
}

export class StartTimes {
  readonly #steps: Record<string, StepTimes> = {};
  #ms = 0;
  #cpuMs = 0;

  /** Ends a step; the first one began with the process. */
  end(step: string): void {
    const ms = performance.now();
    const { user, system } = process.cpuUsage();
    const cpuMs = (user + system) / 1000;
    this.#steps[step] = { ms: Math.round(ms - this.#ms), cpuMs: Math.round(cpuMs - this.#cpuMs) };
    this.#ms = ms;
    this.#cpuMs = cpuMs;
  }

  /** In the order they ended. */
  steps(): Readonly<Record<string, StepTimes>> {
    return this.#steps;
  }
}
