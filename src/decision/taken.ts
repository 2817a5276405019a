/** What was taken for an answer that has not left yet. */
import { withDeadline } from "../redis/clients.js";

type GiveBack = () => Promise<unknown>;

export class Taken {
  private readonly taken: GiveBack[] = [];

  constructor(private readonly timeLeftMs: () => number) {}

  /** What `taking` took, or may have taken, is given back by `giveBack`; after it, however late. */
  async take<T>(taking: Promise<T>, giveBack: GiveBack): Promise<T> {
    this.taken.push(() => taking.catch(() => undefined).then(giveBack));
    return withDeadline(taking, Math.max(1, this.timeLeftMs()));
  }

  /** Never fails, and waits no longer than there is time; what is not given back expires. */
  async giveBack(): Promise<void> {
    if (this.taken.length === 0) return;
    const all = Promise.allSettled(this.taken.splice(0).map((giveBack) => giveBack()));
    await withDeadline(all, Math.max(1, this.timeLeftMs())).catch(() => undefined);
  }
}
