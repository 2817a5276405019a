/** What the log says a member's record should be, and what that changes about the record stored. */
import type { FeatureState } from "../features/state.js";
import type { MemberRecord, MemberWrite } from "../members/member-store.js";
import type { Profile } from "../members/profile.js";
import type { MemberEvent } from "./event.js";
import type { LoggedRecord } from "./log-reader.js";
import type { ContactFold, StateCodec } from "./member-writer.js";
import type { MergeLinks } from "./merge-links.js";

/** `id` seen as all `parts` together. */
export type CombineProfiles = (id: string, parts: readonly Profile[]) => Profile;

/** A member's record as the log gives it, growing with each record read. */
export class Draft {
  private state: FeatureState | null = null;
  /** Subject → latest profile. */
  private readonly parts = new Map<string, Profile>();
  /** Calls and messages that still count. */
  readonly contactEvents: { subject: string; event: MemberEvent }[] = [];
  private contacts: Buffer | null = null;

  constructor(
    private readonly codec: StateCodec,
    private readonly contactFold?: ContactFold,
  ) {}

  add({ record }: LoggedRecord): void {
    if (record.kind === "event") {
      const { subject, event } = record;
      this.state = this.codec.fold(this.state ?? this.codec.decode(null), event);
      const contacts = this.contactFold?.add(this.contacts, subject, event);
      if (contacts !== undefined) {
        this.contacts = contacts;
        this.contactEvents.push({ subject, event });
      }
    } else if (record.kind === "profile") {
      this.parts.set(record.subject, record.profile);
    }
  }

  packed(): Buffer | null {
    return this.state === null ? null : this.codec.encode(this.state);
  }

  /** What the log adds to the contacts stored; reservations are in no log, and stay. */
  contactsWith(stored: Buffer | null): Buffer | undefined {
    return this.contactFold?.merge(stored, this.contacts);
  }

  profile(id: string, combine: CombineProfiles): Profile | null {
    const parts = [...this.parts.values()];
    if (parts.length === 0) return null;
    return parts.length === 1 && parts[0]!.id === id ? parts[0]! : combine(id, parts);
  }
}

/** The write that brings the record in line with the log, or null when there is nothing to do. */
export function writeOf(
  stored: MemberRecord,
  draft: Draft | undefined,
  links: MergeLinks,
  combine: CombineProfiles,
): MemberWrite | null {
  const { id, version, redirect } = stored;
  if (stored.erased) return null;
  if (links.parentOf(id) !== null) {
    // Merging and un-merging finish themselves; only a store that was lost lacks the redirect.
    if (redirect !== null || (version > 0 && links.isLeaving(id))) return null;
    return {
      id,
      expectedVersion: version,
      redirect: links.holderOf(id),
      state: null,
      profile: null,
    };
  }
  const pending = links.pendingRedirectOf(id);
  if (pending !== null && redirect !== null) return null;
  const lost = version === 0 ? pending : null;
  const state = draft?.packed() ?? null;
  const logged = draft?.profile(id, combine) ?? null;
  const newer = logged !== null && (stored.profile?.updatedAt ?? -1) < logged.updatedAt;
  const same = state === null ? stored.state === null : stored.state?.equals(state) === true;
  const contacts = draft?.contactsWith(stored.contacts);
  if (same && !newer && redirect === lost && contacts === undefined) return null;
  return {
    id,
    expectedVersion: version,
    ...(same ? {} : { state }),
    ...(newer ? { profile: logged } : {}),
    ...(redirect === lost ? {} : { redirect: lost }),
    ...(contacts === undefined ? {} : { contacts }),
  };
}
