/** What was taken for an answer that has not left yet. */
import { isCuecardError } from "../errors.js";
import { withDeadline } from "../redis/clients.js";

type GiveBack = () => Promise<unknown>;

export class Taken {
  private taken: GiveBack[] = [];

  constructor(private readonly timeLeftMs: () => number) {}

  /** What `taking` took, or may have taken, is given back by `giveBack`; after it, however late. */
  async take<T>(taking: Promise<T>, giveBack: GiveBack): Promise<T> {
    this.taken.push(() => taking.catch(() => undefined).then(giveBack));
    return withDeadline(taking, Math.max(1, this.timeLeftMs()));
  }

  /**
   * The last step, which makes all of it the answer's own. Who cannot wait for it any longer learns
   * nothing of it, but what was taken is given back only when it ends otherwise than `done`; `late` is
   * told when it is done after all. Nothing is given back while nobody knows: it expires.
   */
  async commit<T>(
    committing: Promise<T>,
    done: (result: T) => boolean,
    late: () => void,
  ): Promise<T> {
    let isOver = false;
    const over = (): void => {
      isOver = true;
    };
    committing.then(over, over);
    try {
      return await withDeadline(committing, Math.max(1, this.timeLeftMs()));
    } catch (error) {
      const isUnknown = isCuecardError(error) && error.code === "store_unavailable";
      if (!isOver || isUnknown) this.leaveTo(isOver ? null : committing.then(done), late);
      throw error;
    }
  }

  private leaveTo(isDone: Promise<boolean> | null, late: () => void): void {
    const left = new Taken(this.timeLeftMs);
    left.taken = this.taken.splice(0);
    isDone?.then(
      (yes) => (yes ? late() : void left.giveBack()),
      () => undefined,
    );
  }

  /** Never fails, and waits no longer than there is time; what is not given back expires. */
  async giveBack(): Promise<void> {
    if (this.taken.length === 0) return;
    const all = Promise.allSettled(this.taken.splice(0).map((giveBack) => giveBack()));
    await withDeadline(all, Math.max(1, this.timeLeftMs())).catch(() => undefined);
  }
}
