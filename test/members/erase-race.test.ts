import { describe, expect, it } from "vitest";
import { encodeRecord } from "../../src/events/log-record.js";
import { IdentityStore } from "../../src/members/identity.js";
import { MemberStore } from "../../src/members/member-store.js";
import { Members } from "../../src/members/members.js";
import { type RedisClient, scanKeys } from "../../src/redis/clients.js";
import { identityKeyPattern } from "../../src/redis/keys.js";
import { useClient } from "../support/client.js";
import { DEDUPE_DAYS, openTestCore } from "../support/core.js";
import { mergeStates } from "../support/world.js";

let client: RedisClient;
useClient((connected) => {
  client = connected;
});

/** A store on which something else happens right before the next writes, one after the other. */
class Interrupted extends MemberStore {
  readonly before: (() => Promise<unknown>)[] = [];
  override async commit(
    ...args: Parameters<MemberStore["commit"]>
  ): ReturnType<MemberStore["commit"]> {
    await this.before.shift()?.();
    return super.commit(...args);
  }
}

/** Identities of a writer that stood still before its first link. */
class Late extends IdentityStore {
  before: (() => Promise<unknown>) | undefined;
  override async link(...args: Parameters<IdentityStore["link"]>): Promise<void> {
    const interrupt = this.before;
    this.before = undefined;
    await interrupt?.();
    return super.link(...args);
  }
}

const interrupted = () => new Interrupted(client, DEDUPE_DAYS, encodeRecord);

async function identityKeys(): Promise<string[]> {
  const found: string[] = [];
  for await (const keys of scanKeys(client, identityKeyPattern)) found.push(...keys);
  return found;
}

describe("an identity of an erased member", () => {
  it("stays gone when a write that names it only from before loses against the erasure", async () => {
    const { members, suppressions } = openTestCore(client);
    await members.put("m1", { phone: "13800138001", visitors: ["v1"] });
    const late = new Late(client);
    late.before = () => members.erase("m1");
    const writer = new Members(interrupted(), late, mergeStates, "CN", suppressions);
    await expect(writer.patch("m1", { name: "Late" })).rejects.toMatchObject({
      code: "member_erased",
    });
    expect(await identityKeys()).toEqual([]);
  });

  it("stays gone when the write met the member before a merge and the erasure after it", async () => {
    const { members } = openTestCore(client);
    await members.put("m2", { name: "Two" });
    await members.put("m3", { name: "Three" });
    const store = interrupted();
    store.before.push(
      () => members.merge("m3", "m2"),
      () => members.erase("m3"),
    );
    const writer = openTestCore(client, undefined, store).members;
    await expect(writer.patch("m2", { accounts: ["a1"] })).rejects.toMatchObject({
      code: "member_erased",
    });
    expect(await identityKeys()).toEqual([]);
  });

  it("stays gone when a login comes with the erasure", async () => {
    const { members } = openTestCore(client);
    await members.put("m4", { email: "four@example.com" });
    const store = interrupted();
    store.before.push(() => members.erase("m4"));
    const writer = openTestCore(client, undefined, store).members;
    await expect(writer.login("m4", "v4")).rejects.toMatchObject({ code: "member_erased" });
    expect(await identityKeys()).toEqual([]);
  });
});
