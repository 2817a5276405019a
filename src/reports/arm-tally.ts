/** Sums over the members of one arm, and what they say beside another arm. */
import { type Difference, differenceOfMeans, differenceOfShares, type Sums } from "./intervals.js";
import type { MemberOutcome } from "./member-outcome.js";

export interface Rate {
  readonly members: number;
  readonly rate: number | null;
}

export interface OrderValue {
  readonly orders: number;
  /** Per order, after returns. */
  readonly meanValue: number | null;
}

export interface ArmFigures {
  readonly members: number;
  readonly contacts: { readonly count: number; readonly perMember: number | null };
  readonly acceptance: {
    readonly answered: number;
    readonly accepted: number;
    readonly rate: number | null;
  };
  readonly conversion: Rate;
  readonly netSales: { readonly total: number; readonly perMember: number | null };
  readonly attributed: {
    readonly offers: number;
    readonly total: number;
    readonly perMember: number | null;
  };
  readonly firstOrders: OrderValue;
  readonly repeatOrders: OrderValue;
  readonly promotion: Rate;
  readonly complaints: Rate;
  readonly optOuts: Rate;
}

/** `relative`: the difference as a share of what the baseline has; null where that is nothing. */
export type Uplift = Difference & { readonly relative: number | null };

export type StopMeasure = "complaints" | "optOuts";

export interface Comparison {
  readonly uplift: {
    readonly netSalesPerMember: Uplift | null;
    readonly conversion: Uplift | null;
  };
  readonly stop: {
    readonly verdict: "stop" | "continue";
    readonly complaints: Difference | null;
    readonly optOuts: Difference | null;
    readonly because: StopMeasure[];
  };
}

const STOP_MEASURES: readonly StopMeasure[] = ["complaints", "optOuts"];

const ratio = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole);

export class ArmTally {
  #members = 0;
  #contacts = 0;
  #answered = 0;
  #accepted = 0;
  #converted = 0;
  #net = 0;
  #netSquares = 0;
  #first = { orders: 0, money: 0 };
  #repeat = { orders: 0, money: 0 };
  #attributed = { orders: 0, money: 0 };
  #promoted = 0;
  #complained = 0;
  #optedOut = 0;

  add(outcome: MemberOutcome): void {
    const { first, repeat, netSales } = outcome;
    this.#members++;
    this.#contacts += outcome.contacts;
    this.#answered += outcome.answered;
    this.#accepted += outcome.accepted;
    this.#converted += first.orders + repeat.orders > 0 ? 1 : 0;
    this.#net += netSales;
    this.#netSquares += netSales ** 2;
    this.#first.orders += first.orders;
    this.#first.money += first.money;
    this.#repeat.orders += repeat.orders;
    this.#repeat.money += repeat.money;
    this.#attributed.orders += outcome.attributed.orders;
    this.#attributed.money += outcome.attributed.money;
    this.#promoted += outcome.promoted ? 1 : 0;
    this.#complained += outcome.complained ? 1 : 0;
    this.#optedOut += outcome.optedOut ? 1 : 0;
  }

  figures(): ArmFigures {
    const members = this.#members;
    const rate = (hits: number): Rate => ({ members: hits, rate: ratio(hits, members) });
    const value = ({ orders, money }: { orders: number; money: number }): OrderValue => ({
      orders,
      meanValue: ratio(money, orders),
    });
    return {
      members,
      contacts: { count: this.#contacts, perMember: ratio(this.#contacts, members) },
      acceptance: {
        answered: this.#answered,
        accepted: this.#accepted,
        rate: ratio(this.#accepted, this.#answered),
      },
      conversion: rate(this.#converted),
      netSales: { total: this.#net, perMember: ratio(this.#net, members) },
      attributed: {
        offers: this.#attributed.orders,
        total: this.#attributed.money,
        perMember: ratio(this.#attributed.money, members),
      },
      firstOrders: value(this.#first),
      repeatOrders: value(this.#repeat),
      promotion: rate(this.#promoted),
      complaints: rate(this.#complained),
      optOuts: rate(this.#optedOut),
    };
  }

  /** Against the arm that is the baseline. */
  against(baseline: ArmTally): Comparison {
    const share = (hits: number, of: ArmTally) => ({ hits, count: of.#members });
    const stop = {
      complaints: differenceOfShares(
        share(this.#complained, this),
        share(baseline.#complained, baseline),
      ),
      optOuts: differenceOfShares(share(this.#optedOut, this), share(baseline.#optedOut, baseline)),
    };
    const because = STOP_MEASURES.filter((measure) => (stop[measure]?.low ?? 0) > 0);
    const converted = differenceOfShares(
      share(this.#converted, this),
      share(baseline.#converted, baseline),
    );
    return {
      uplift: {
        netSalesPerMember: upliftOf(
          differenceOfMeans(this.#netSums, baseline.#netSums),
          ratio(baseline.#net, baseline.#members),
        ),
        conversion: upliftOf(converted, ratio(baseline.#converted, baseline.#members)),
      },
      stop: { verdict: because.length > 0 ? "stop" : "continue", ...stop, because },
    };
  }

  get #netSums(): Sums {
    return { count: this.#members, sum: this.#net, squares: this.#netSquares };
  }
}

const upliftOf = (difference: Difference | null, base: number | null): Uplift | null =>
  difference === null
    ? null
    : { ...difference, relative: base === null ? null : ratio(difference.difference, base) };
