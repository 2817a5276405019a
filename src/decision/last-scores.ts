/** The scores computed last for each member in this process: the second step of the ladder. */
import type { Stage } from "../features/stage.js";
import type { Scores } from "./answer.js";

interface Remembered {
  readonly stage: Stage;
  readonly scores: Scores;
}

/** Members remembered; about 200 bytes each. */
const LIMIT = 50_000;

export class LastScores {
  readonly #byMember = new Map<string, Remembered>();

  /** `isErased`: asked of the suppression list in memory, so also while the store is away. */
  constructor(private readonly isErased: (member: string) => boolean) {}

  remember(member: string, stage: Stage, scores: Scores): void {
    if (this.#byMember.size >= LIMIT && !this.#byMember.has(member)) {
      const oldest = this.#byMember.keys().next().value;
      if (oldest !== undefined) this.#byMember.delete(oldest);
    }
    this.#byMember.set(member, { stage, scores });
  }

  of(member: string): Remembered | undefined {
    if (this.isErased(member)) this.forget(member);
    return this.#byMember.get(member);
  }

  forget(member: string): void {
    this.#byMember.delete(member);
  }
}
