/**
 * A store with as many members as asked, quickly: the demo world's members come in by the doors
 * everybody's data comes in by, then each is copied, packed state and profile, under further ids.
 */
import type { Core } from "../../src/core.js";
import { encodeProfile } from "../../src/members/profile-codec.js";
import type { Progress } from "../../src/progress.js";
import { mastersOf } from "../../src/redis/clients.js";
import { groupedPipeline, type KeyedCommand } from "../../src/redis/grouped.js";
import { memberKey } from "../../src/redis/keys.js";
import { type FilledWorld, fillReferenceWorld } from "./reference-world.js";

const COPIES_AT_ONCE = 2_000;

export interface ManyMembers {
  readonly world: FilledWorld;
  /** Members in the store, those of the demo world included. */
  readonly members: number;
  readonly copySeconds: number;
}

/** `templates`: members of the demo world; `members`: in all. */
export async function fillManyMembers(
  core: Core,
  { templates, members, seed }: { templates: number; members: number; seed: number },
  progress: Progress,
): Promise<ManyMembers> {
  const world = await fillReferenceWorld(core, { members: templates, seed }, progress);
  const found = await core.store.readMany(world.memberIds);
  const models = found.filter(({ redirect, erased }) => redirect === null && !erased);
  // A store of copies is nobody's data: its append-only file would only cost the disk.
  for (const node of mastersOf(core.client)) await node.config("SET", "appendonly", "no");
  const started = performance.now();
  let at = models.length;
  while (at < members) {
    const commands: KeyedCommand[] = [];
    for (let i = 0; i < COPIES_AT_ONCE && at < members; i++, at++) {
      const { state, profile } = models[at % models.length];
      const id = `m_${1_000_000 + at}`;
      const fields: (string | Buffer)[] = ["v", "1"];
      if (state !== null) fields.push("s", state);
      if (profile !== null) fields.push("p", encodeProfile(id, { ...profile, id }));
      commands.push(["hset", memberKey(id), ...fields]);
    }
    for (const { error } of await groupedPipeline(core.client, commands)) {
      if (error !== undefined) throw error;
    }
    progress.update(at / members, `${at} members`);
  }
  return { world, members: at, copySeconds: (performance.now() - started) / 1000 };
}
