/**
 * Contacts made and reserved, by member and by phone number. A reservation takes its place at the
 * phone first, then at the member; each step is one script in one slot that counts and writes at
 * once. Between two slots there is no transaction but a protocol: every step is idempotent by token,
 * what was taken is released on failure and else comes back by expiry. Fewer contacts than allowed may
 * be made so, never more.
 *
 * Times are the caller's clock (epoch ms): two servers whose clocks differ by a second see a
 * reservation expire a second apart. Keep clocks in step, and `reservationSeconds` far above the rest.
 */
import { CuecardError, isCuecardError } from "../errors.js";
import { type RedisClient, toStoreError } from "../redis/clients.js";
import { groupedPipeline } from "../redis/grouped.js";
import { memberKey, phoneContactsKey } from "../redis/keys.js";
import { runReplicated } from "../redis/replicated.js";
import { runScript } from "../redis/scripts.js";
import { barOf, type ContactBar, type ContactLimit } from "./contact-limits.js";
import {
  type ContactOperation,
  type ContactReply,
  memberContactsScript,
  packOperation,
  phoneContactsScript,
} from "./contact-scripts.js";
import { type Contact, type ContactOutcome, decodeContacts, NOT_COUNTED } from "./contacts.js";

export interface ContactAddress {
  /** An id; merges are followed. */
  readonly member: string;
  /** E.164 of the number used; null where the channel uses none. */
  readonly phone: string | null;
  /** Names the contact: the decision's id. */
  readonly token: string;
  readonly channel: string;
  readonly offer: string | null;
}

export interface ReserveRequest extends ContactAddress {
  readonly limits: {
    readonly member: readonly ContactLimit[];
    readonly phone: readonly ContactLimit[];
  };
  readonly nowMs: number;
  /** End of the reservation. */
  readonly untilMs: number;
}

export type ReserveResult =
  | { readonly status: "ok" }
  | ({ readonly status: "barred" } & ContactBar);

export interface MadeContact extends ContactAddress {
  /** Epoch milliseconds. */
  readonly at: number;
}

export interface ContactAnswer extends ContactAddress {
  readonly outcome: ContactOutcome;
  readonly outcomeAt: number;
  /** Of a "later": not before this instant. */
  readonly again?: number;
  /** It answers a contact we started, which counts then; false: an answer to a call that came in. */
  readonly counts: boolean;
}

export interface ContactStoreOptions {
  /** Finishes a merge that was cut off between its two members. */
  readonly finishMerge: (from: string) => Promise<unknown>;
  /** What is older no limit looks at (`ContactPolicy.keptMs`). */
  readonly keptMs: number;
}

const MAX_HOPS = 24;

/** Every method throws `store_unavailable`, `store_full`; with a member also `member_erased`,
 * `member_unknown`, `write_contended`. */
export class ContactStore {
  constructor(
    private readonly client: RedisClient,
    private readonly options: ContactStoreOptions,
  ) {}

  /**
   * Takes a place under all limits, or says what bars it. The same token again: still one place, held
   * until the later of the two ends. On a failure nothing is held for longer than the reservation.
   */
  async reserve(request: ReserveRequest): Promise<ReserveResult> {
    const { phone, limits, nowMs } = request;
    const contact = { ...contactOf(request, nowMs), until: request.untilMs };
    // Only what this call took is given back: an earlier one with this token may hold its places.
    let tookPhone = false;
    try {
      if (phone !== null) {
        const reply = await this.atPhone("reserve", phone, contact, limits.phone, nowMs);
        if (isBarred(reply)) return barred(reply, limits.phone, nowMs);
        tookPhone = !stood(reply);
      }
      const reply = await this.atMember("reserve", request.member, contact, limits.member, nowMs);
      if (!isBarred(reply)) return { status: "ok" };
      if (tookPhone) await this.atPhone("release", phone!, contact, [], nowMs);
      return barred(reply, limits.member, nowMs);
    } catch (error) {
      // The failure that counts is the first; what cannot be released expires.
      if (tookPhone) await this.release(request, nowMs).catch(() => undefined);
      throw error;
    }
  }

  /**
   * The contact was made, whether a place was reserved for it or not. false: no reservation of this
   * token stood any more, so that the place may have gone to another as well.
   */
  async confirm(made: MadeContact, nowMs: number = Date.now()): Promise<boolean> {
    const { member, phone, at } = made;
    const contact = contactOf(made, at);
    const now = Math.max(at, nowMs);
    // The member first: of one who was erased no trace is left at the number.
    const reply = await this.atMember("record", member, contact, [], now);
    if (phone !== null) await this.atPhone("record", phone, contact, [], now);
    return stood(reply);
  }

  /** A contact made without a reservation; idempotent by token. */
  async record(made: MadeContact, nowMs: number = Date.now()): Promise<void> {
    await this.confirm(made, nowMs);
  }

  /** Gives a reserved place back; a contact made stays made. The member first: it was taken last. */
  async release(
    { member, phone, ...rest }: ContactAddress,
    nowMs: number = Date.now(),
  ): Promise<void> {
    const contact = contactOf({ member, phone, ...rest }, nowMs);
    let failure: unknown;
    await this.atMember("release", member, contact, [], nowMs).catch((error: unknown) => {
      failure = error;
    });
    if (phone !== null) await this.atPhone("release", phone, contact, [], nowMs);
    if (failure !== undefined) throw failure;
  }

  /** What came of a contact; of several answers the latest. A second "later" is kept as a refusal. */
  async outcome(answer: ContactAnswer, nowMs: number = Date.now()): Promise<void> {
    const { member, phone, outcome, outcomeAt, counts } = answer;
    const now = Math.max(outcomeAt, nowMs);
    const contact = {
      ...contactOf(answer, outcomeAt),
      until: counts ? 0 : NOT_COUNTED,
      outcome,
      outcomeAt,
      again: outcome === "later" ? (answer.again ?? outcomeAt) : 0,
    };
    await this.atMember("answer", member, contact, [], now);
    if (counts && phone !== null) {
      await this.atPhone("record", phone, contactOf(answer, outcomeAt), [], now);
    }
  }

  /** Contacts of each number (E.164), in the order asked; one pipeline a node. */
  async phoneContacts(e164: readonly string[]): Promise<Contact[][]> {
    const outcomes = await groupedPipeline<Buffer | null>(
      this.client,
      e164.map((phone) => ["get", phoneContactsKey(phone)]),
    );
    return outcomes.map((outcome) => {
      if (outcome.error !== undefined) throw toStoreError(outcome.error);
      return decodeContacts(outcome.value);
    });
  }

  /** Counts a contact made on a number alone. */
  async recordAtPhone(phone: string, contact: Contact): Promise<void> {
    await this.atPhone("record", phone, contact, [], Math.max(contact.at, Date.now()));
  }

  private async atPhone(
    operation: ContactOperation,
    phone: string,
    contact: Contact,
    limits: readonly ContactLimit[],
    now: number,
  ): Promise<ContactReply> {
    const { keptMs } = this.options;
    const packed = packOperation(operation, contact, limits, now, now - keptMs);
    const args = [packed, String(Math.ceil(keptMs))];
    if (operation === "reserve") {
      return runReplicated(this.client, phoneContactsScript, [phoneContactsKey(phone)], args);
    }
    return this.run(phoneContactsScript, phoneContactsKey(phone), args);
  }

  private async atMember(
    operation: ContactOperation,
    member: string,
    contact: Contact,
    limits: readonly ContactLimit[],
    now: number,
  ): Promise<ContactReply> {
    const args = [packOperation(operation, contact, limits, now, now - this.options.keptMs)];
    let id = member;
    for (let hop = 0; hop < MAX_HOPS; hop++) {
      const key = memberKey(id);
      const reply =
        operation === "reserve"
          ? await runReplicated(this.client, memberContactsScript, [key], args)
          : await this.run(memberContactsScript, key, args);
      const status = reply[0].toString();
      if (status === "erased") throw new CuecardError("member_erased", "this member was erased");
      if (status === "unknown") throw new CuecardError("member_unknown", "no member has this id");
      if (status !== "moved") return reply;
      // Its own contacts must be counted where it went before anything is.
      if (reply[2] === 1) await this.finish(id);
      else id = String(reply[1]);
    }
    throw new CuecardError("write_contended", "this member kept moving", { retryAfterSeconds: 1 });
  }

  /** A refusal says that it was finished, taken back or erased meanwhile: asking again shows it. */
  private async finish(from: string): Promise<void> {
    try {
      await this.options.finishMerge(from);
    } catch (error) {
      if (!isCuecardError(error) || error.status >= 500) throw error;
    }
  }

  private async run(
    script: typeof memberContactsScript,
    key: string,
    args: readonly (string | Buffer)[],
  ): Promise<ContactReply> {
    try {
      return await runScript(this.client, script, [key], args);
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

const contactOf = ({ token, channel, offer }: ContactAddress, at: number): Contact => ({
  token,
  at,
  until: 0,
  channel,
  offer,
  outcome: null,
  outcomeAt: 0,
  again: 0,
});

const isBarred = (reply: ContactReply): boolean => reply[0].toString() === "barred";
const stood = (reply: ContactReply): boolean => reply[1] === 1;

function barred(reply: ContactReply, limits: readonly ContactLimit[], now: number): ReserveResult {
  const bar = barOf(decodeContacts(reply[1] as Buffer), limits, now);
  if (bar === null) throw new CuecardError("internal", "script and code count differently");
  return { status: "barred", ...bar };
}
