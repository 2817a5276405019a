/** Reads members as references name them: ids in one pipeline, identities by their two reads. */
import type { MemberRef } from "../events/event.js";
import { exists, type MemberRecord, type MemberStore } from "../members/member-store.js";
import type { Members } from "../members/members.js";

export class MemberReader {
  constructor(
    private readonly store: MemberStore,
    private readonly members: Members,
  ) {}

  /** null: nobody is known under the reference. */
  async readRef(ref: MemberRef): Promise<MemberRecord | null> {
    if (typeof ref !== "string") return (await this.members.resolve(ref))?.record ?? null;
    const record = await this.store.readThrough(ref);
    return exists(record) ? record : null;
  }

  async readRefs(refs: readonly MemberRef[]): Promise<(MemberRecord | null)[]> {
    if (refs.length === 1) return [await this.readRef(refs[0]!)];
    const ids = refs.filter((ref) => typeof ref === "string");
    const read = await this.store.readMany(ids);
    const byId = new Map(read.map((record) => [record.id, record]));
    return Promise.all(
      refs.map(async (ref) => {
        const record = typeof ref === "string" ? byId.get(ref)! : null;
        if (record === null || record.redirect !== null) return this.readRef(ref);
        return exists(record) ? record : null;
      }),
    );
  }
}
