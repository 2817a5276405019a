/** POST /v1/events: validate → resolve the member → fold and write atomically → acknowledge. */
import { randomUUID } from "node:crypto";
import { CuecardError, isCuecardError } from "../errors.js";
import { metrics } from "../telemetry.js";
import type { EventInput, Line, MemberEvent, MemberRef } from "./event.js";
import type { MemberWriter, PendingEvent, WriteGroup } from "./member-writer.js";
import type { OptOut } from "./opt-out.js";
import type { Redeem } from "./redeem-coupon.js";
import type { ResponseEffects } from "./response-effects.js";
import { type Rejection, validateEvent } from "./validate-event.js";

interface SeenInEvent {
  id: string;
  /** Major unit. */
  unitPrice?: number;
  /** Epoch milliseconds. */
  at: number;
}

/** What ingest asks of the catalog: facts to write into the record, so that a replay needs none. */
export interface ProductFacts {
  categoryOf(product: string): string | undefined;
  /** Major unit. */
  priceOf(product: string): number | undefined;
  /** Makes products known that were never recorded. */
  registerSeen(products: readonly SeenInEvent[]): Promise<void>;
  isKnown(product: string): boolean;
}

export interface IngestMembers {
  resolveOrCreate(ref: MemberRef): Promise<string>;
  /** Carries the visitor's history over to the member. */
  login(memberId: string, visitor: string): Promise<void>;
}

export interface IngestLimits {
  readonly maxEventAgeYears: number;
  readonly maxFutureSeconds: number;
}

export interface IngestResult {
  accepted: number;
  duplicates: number;
  rejected: ({ index: number } & Rejection)[];
}

const DAY_MS = 86_400_000;
const YEAR_MS = 365.25 * DAY_MS;

interface Arrival {
  index: number;
  input: EventInput;
  pending: PendingEvent;
}

export class Ingest {
  constructor(
    private readonly writer: MemberWriter,
    private readonly members: IngestMembers,
    private readonly products: ProductFacts,
    private readonly limits: IngestLimits,
    private readonly optOut: OptOut,
    private readonly redeem: Redeem = async () => null,
    private readonly responseEffects: ResponseEffects = async () => {},
  ) {}

  /**
   * Takes at most EVENT_LIMITS.eventsPerRequest raw events; the good ones are kept whatever the bad
   * ones are. On return every accepted event is durable and visible. Throws `store_unavailable`,
   * `store_full`, `write_contended`: the whole batch may be sent again, nothing counts twice.
   */
  async ingest(raw: readonly unknown[]): Promise<IngestResult> {
    const result: IngestResult = { accepted: 0, duplicates: 0, rejected: [] };
    const arrivals = await this.redeemed(await this.admit(raw, result), result);
    await this.registerProducts(arrivals);
    const bySubject = new Map<string, PendingEvent[]>();
    for (const { pending } of arrivals) {
      const events = bySubject.get(pending.subject);
      if (events === undefined) bySubject.set(pending.subject, [pending]);
      else events.push(pending);
    }
    const groups: WriteGroup[] = [...bySubject.values()].map((events) => ({ events }));
    await this.writer.write(groups);
    for (const { index, input, pending } of arrivals) {
      count(result, index, pending);
      const holds = pending.outcome === "accepted" || pending.outcome === "duplicate";
      if (holds) await this.optOut(pending.subject, pending.event);
      if (holds) await this.responseEffects(pending.subject, pending.event);
      if (holds && input.visitor !== undefined) await this.login(pending.subject, input.visitor);
    }
    metrics.events.inc({ result: "accepted" }, result.accepted);
    metrics.events.inc({ result: "duplicate" }, result.duplicates);
    metrics.events.inc({ result: "rejected" }, result.rejected.length);
    result.rejected.sort((a, b) => a.index - b.index);
    return result;
  }

  private async admit(raw: readonly unknown[], result: IngestResult): Promise<Arrival[]> {
    const now = Date.now();
    const limits = {
      // State keeps times as unsigned seconds, and 0 says never.
      earliest: Math.max(now - this.limits.maxEventAgeYears * YEAR_MS, DAY_MS),
      latest: now + this.limits.maxFutureSeconds * 1000,
    };
    const arrivals: Arrival[] = [];
    for (let index = 0; index < raw.length; index++) {
      const checked = validateEvent(raw[index], limits);
      if ("rejection" in checked) {
        result.rejected.push({ index, ...checked.rejection });
        continue;
      }
      try {
        const input = checked.event;
        const subject = await this.members.resolveOrCreate(input.member);
        const event = this.normalise(input);
        const content = JSON.stringify(input);
        const byIdentity = typeof input.member !== "string";
        const pending = { subject, event, remember: true, content, byIdentity };
        arrivals.push({ index, input, pending });
      } catch (error) {
        if (!isCuecardError(error) || error.status >= 500) throw error;
        result.rejected.push({ index, code: error.code, detail: error.detail });
      }
    }
    return arrivals;
  }

  /** Without those whose coupon cannot be redeemed; before the write, so that none is acknowledged. */
  private async redeemed(arrivals: readonly Arrival[], result: IngestResult): Promise<Arrival[]> {
    const kept: Arrival[] = [];
    for (const arrival of arrivals) {
      const { subject, event } = arrival.pending;
      const rejection = event.type === "coupon_redeemed" ? await this.redeem(subject, event) : null;
      if (rejection === null) kept.push(arrival);
      else result.rejected.push({ index: arrival.index, ...rejection });
    }
    return kept;
  }

  private normalise(input: EventInput): MemberEvent {
    const { id, type, at, order, channel, properties } = input;
    const items =
      input.items ??
      (input.product === undefined
        ? []
        : [{ product: input.product, quantity: input.quantity ?? 1, amount: input.amount }]);
    const lines = items.map(({ product, quantity, amount }): Line => {
      const category = this.products.categoryOf(product);
      const money = amount ?? (this.products.priceOf(product) ?? 0) * quantity;
      return { product, quantity, amount: money, ...(category === undefined ? {} : { category }) };
    });
    return {
      id: id ?? randomUUID(),
      type: type as MemberEvent["type"],
      at,
      lines,
      ...(order == null ? {} : { order }),
      ...(channel == null ? {} : { channel }),
      ...(properties == null ? {} : { properties }),
    };
  }

  private async registerProducts(arrivals: readonly Arrival[]): Promise<void> {
    const seen = new Map<string, SeenInEvent>();
    for (const { pending } of arrivals) {
      const { at } = pending.event;
      for (const { product, quantity, amount } of pending.event.lines) {
        if (seen.has(product) || this.products.isKnown(product)) continue;
        seen.set(
          product,
          amount > 0 ? { id: product, at, unitPrice: amount / quantity } : { id: product, at },
        );
      }
    }
    if (seen.size === 0) return;
    try {
      await this.products.registerSeen([...seen.values()]);
    } catch (error) {
      // The others are registered; one product that stays unlisted must not hold up the events.
      if (!isCuecardError(error) || error.code !== "product_id_collision") throw error;
    }
  }

  /** The events are written: a refusal here (a member erased meanwhile) takes nothing back. */
  private async login(memberId: string, visitor: string): Promise<void> {
    try {
      await this.members.login(memberId, visitor);
    } catch (error) {
      if (!isCuecardError(error) || error.status >= 500) throw error;
    }
  }
}

function count(result: IngestResult, index: number, { outcome }: PendingEvent): void {
  switch (outcome) {
    case "accepted":
      result.accepted++;
      break;
    case "duplicate":
      result.duplicates++;
      break;
    case "duplicate_differs": {
      const detail = "id: accepted before with other content; the first one counts";
      result.rejected.push({ index, code: "duplicate_differs", detail });
      break;
    }
    case "member_erased":
      result.rejected.push({ index, code: "member_erased", detail: "member: was erased" });
      break;
    case undefined:
      throw new CuecardError("internal", "an event left the writer without an outcome");
  }
}
