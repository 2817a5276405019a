/**
 * Erasing a member: first keyed hashes of all that names it go on the suppression list, so that no
 * later write brings it back; then the tombstone. The nightly job removes the bytes (see docs/erasure).
 */
import { CuecardError } from "../errors.js";
import type { LogRecord } from "../events/log-record.js";
import { backOff } from "../redis/back-off.js";
import { partitionOf } from "../redis/keys.js";
import { type Identity, type IdentityStore, identitiesOf, isNamed } from "./identity.js";
import { exists, type MemberRecord, type MemberStore, NOTHING_LEFT } from "./member-store.js";
import type { SuppressionIdentity } from "./suppression-identity.js";
import type { Suppressions } from "./suppressions.js";

/** What erasing needs of the members' own ways. */
export interface ErasureParts {
  /** Who holds the subject's profile now. */
  holderOf(subject: string): Promise<MemberRecord>;
  /** Identities of the record lead nowhere any more. */
  settleLinks(before: MemberRecord): Promise<void>;
}

type Linked = Pick<MemberRecord, "id" | "profile">;

const MAX_ROUNDS = 24;
/** As the suppression list and its log records name where an erasure came from. */
const SOURCE = "erasure";

/** The member's id and those of the members merged into it. */
export const idsWithin = ({ id, profile }: Linked): string[] => [
  ...new Set([id, ...(profile?.merged ?? []).map((part) => part.id)]),
];

/** All that names the member and can be on the suppression list: guards ask for each of these. */
export const suppressibleOf = (record: Linked): SuppressionIdentity[] => [
  ...idsWithin(record).map((value) => ({ kind: "member" as const, value })),
  ...identitiesOf(record.profile).flatMap(({ kind, value }) =>
    kind === "visitor" ? [] : [{ kind, value }],
  ),
];

export class MemberErasure {
  constructor(
    private readonly store: MemberStore,
    private readonly identities: IdentityStore,
    private readonly suppressions: Pick<Suppressions, "refresh" | "isErased" | "putAll">,
    private readonly parts: ErasureParts,
  ) {}

  /** Throws `member_unknown`, `member_erased`, `write_contended`, `store_unavailable`. */
  async erase(id: string): Promise<{ id: string; erasedAt: number }> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await backOff(round);
      const record = await this.parts.holderOf(id);
      if (!exists(record)) throw await this.goneOrUnknown(record);
      const erasedAt = Date.now();
      await this.suppress(record, erasedAt);
      // Before the tombstone: behind it nobody knows any more which they were.
      await this.unlinkAll(record);
      if (!(await this.bury(record, erasedAt))) continue;
      await this.parts.settleLinks(record);
      for (const part of idsWithin(record)) if (part !== record.id) await this.eraseRedirect(part);
      return { id: record.id, erasedAt };
    }
    throw contended();
  }

  /** Its target was erased before taking over: whoever was merged into it goes as well. */
  async eraseInto(source: MemberRecord): Promise<void> {
    await this.suppress(source, Date.now());
    await this.unlinkAll(source);
    for (const id of idsWithin(source)) await this.eraseRedirect(id);
  }

  async unlinkAll(record: Linked): Promise<void> {
    for (const identity of identitiesOf(record.profile)) {
      await this.identities.unlink(identity, ...idsWithin(record));
    }
  }

  private async goneOrUnknown(record: MemberRecord): Promise<CuecardError> {
    await this.suppressions.refresh();
    return record.erased || this.suppressions.isErased("member", record.id)
      ? new CuecardError("member_erased", "this member was erased")
      : new CuecardError("member_unknown", "no member has this id");
  }

  private async suppress(record: MemberRecord, at: number): Promise<void> {
    const named = suppressibleOf(record);
    const others = await Promise.all(
      named.map((one) => one.kind !== "member" && this.isHeldByAnother(one as Identity, record)),
    );
    const own = named.filter((_, i) => others[i] === false);
    await this.suppressions.putAll(own, { source: SOURCE, reason: "erasure", at });
    for (const { kind, value } of own) {
      if (kind === "phone") await this.identities.dropContacts(value);
    }
  }

  /** A phone two people share stays: the other one was not erased. */
  private async isHeldByAnother(identity: Identity, record: Linked): Promise<boolean> {
    const own = new Set(idsWithin(record));
    const ids = (await this.identities.lookup(identity)).filter((id) => !own.has(id));
    const records = await Promise.all(ids.map((id) => this.store.readThrough(id)));
    return records.some((one) => !own.has(one.id) && exists(one) && isNamed(one.profile, identity));
  }

  /** A merged-away id becomes a tombstone of its own, with whatever it still holds. */
  private async eraseRedirect(id: string): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await backOff(round);
      if (await this.bury(await this.store.read(id), Date.now())) return;
    }
    throw contended();
  }

  /** false: the record changed since it was read. */
  private async bury({ id, version }: MemberRecord, at: number): Promise<boolean> {
    const erased = new Date(at).toISOString();
    const write = { id, expectedVersion: version, ...NOTHING_LEFT, redirect: null, erased };
    const record: LogRecord = { kind: "erasure", member: id, at };
    const partition = partitionOf(id);
    const commit = { partition, members: [write], records: [record], claims: [] };
    const [result] = await this.store.commit([commit]);
    if (result!.status === "failed") throw result!.error;
    return result!.status === "ok";
  }
}

const contended = (): CuecardError =>
  new CuecardError("write_contended", "this member kept changing", { retryAfterSeconds: 1 });
