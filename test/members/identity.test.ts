import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  IdentityStore,
  identitiesOf,
  identityOf,
  idFromIdentity,
  inputOf,
  isNamed,
  requirePhone,
} from "../../src/members/identity.js";
import { closeRedis, connectRedis, type RedisClient, whenReady } from "../../src/redis/clients.js";
import { type TestStore, testTarget } from "../support/redis.js";

describe("what a reference names", () => {
  it("is an id, one normalised identity, or nobody", () => {
    const phone = { identity: { kind: "phone", value: "+8613812345678" } };
    expect(identityOf("m_1", "CN")).toEqual({ id: "m_1" });
    expect(identityOf({ phone: "138 1234 5678" }, "CN")).toEqual(phone);
    expect(identityOf({ phone: "0044 20 7946 0958" }, "CN")).toMatchObject({
      identity: { value: "+442079460958" },
    });
    expect(identityOf({ phone: "withheld" }, "CN")).toBeNull();
    expect(identityOf({ email: " Ann@X.org " }, "CN")).toEqual({
      identity: { kind: "email", value: "ann@x.org" },
    });
    expect(identityOf({ account: "A b" }, "CN")).toEqual({
      identity: { kind: "account", value: "A b" },
    });
    expect(identityOf({ visitor: "v" }, "CN")).toEqual({
      identity: { kind: "visitor", value: "v" },
    });
  });

  it("is refused where a number has to be dialled", () => {
    expect(requirePhone("13812345678", "CN")).toBe("+8613812345678");
    expect(() => requirePhone("anonymous", "CN")).toThrow(/invalid_phone/);
  });
});

describe("the id of somebody met through an identity", () => {
  it("is the same everywhere, and another one for every identity and attempt", () => {
    expect(idFromIdentity({ kind: "phone", value: "+8613812345678" })).toBe(
      idFromIdentity({ kind: "phone", value: "+8613812345678" }),
    );
    const ids = new Set<string>();
    for (const kind of ["phone", "email", "account", "visitor"] as const) {
      for (let i = 0; i < 2000; i++) ids.add(idFromIdentity({ kind, value: `${i}` }));
      ids.add(idFromIdentity({ kind, value: "1" }, 1));
    }
    expect(ids.size).toBe(8004);
    expect(idFromIdentity({ kind: "visitor", value: "1" })).toMatch(/^v_[0-9a-z]+$/);
    expect(idFromIdentity({ kind: "account", value: "1" })).toMatch(/^m_[0-9a-z]+$/);
  });
});

describe("the identities of a profile", () => {
  it("are all it names, each once", () => {
    const profile = {
      id: "m",
      createdAt: 1,
      updatedAt: 1,
      phone: "+1",
      phones: ["+1", "+2"],
      email: "a@x",
      emails: ["b@x"],
      accounts: ["A"],
      visitors: ["v"],
    };
    expect(identitiesOf(profile).map(({ kind, value }) => `${kind} ${value}`)).toEqual([
      "phone +1",
      "phone +2",
      "email a@x",
      "email b@x",
      "account A",
      "visitor v",
    ]);
    expect(isNamed(profile, { kind: "email", value: "b@x" })).toBe(true);
    expect(isNamed(profile, { kind: "account", value: "b@x" })).toBe(false);
    expect(identitiesOf(null)).toEqual([]);
  });

  it("begin with the one a member was met by", () => {
    for (const kind of ["phone", "email", "account", "visitor"] as const) {
      const identity = { kind, value: "x" };
      const profile = { id: "m", createdAt: 1, updatedAt: 1, ...inputOf(identity) };
      expect(identitiesOf(profile)).toEqual([identity]);
    }
  });
});

describe("identity records", () => {
  let redis: TestStore;
  let client: RedisClient;
  beforeAll(async () => {
    redis = await testTarget();
    client = connectRedis(redis.target, "work");
    await whenReady(client, 10_000);
  });
  afterAll(async () => {
    closeRedis(client);
    await redis.stop();
  });

  it("lead to every member linked and not unlinked, the latest first, whatever the value", async () => {
    const identities = new IdentityStore(client);
    for (const value of ["+8613812345678", "}{", "%7d", "茶 🍵", "{p1}"]) {
      const identity = { kind: "account", value } as const;
      await identities.link(identity, "m1");
      await new Promise((resolve) => setTimeout(resolve, 2));
      await identities.link(identity, "m2");
      expect(await identities.lookup(identity)).toEqual(["m2", "m1"]);
      await identities.unlink(identity, "m2", "nobody");
      expect(await identities.lookup(identity)).toEqual(["m1"]);
      await identities.unlink(identity, "m1");
      expect(await identities.lookup(identity)).toEqual([]);
    }
    expect(await identities.lookup({ kind: "email", value: "}{" })).toEqual([]);
  });

  it("say so when the store is away", async () => {
    const nowhere = connectRedis("/tmp/no-such-cuecard.sock", "serve");
    const identities = new IdentityStore(nowhere);
    const identity = { kind: "phone", value: "+1" } as const;
    try {
      const unavailable = { code: "store_unavailable" };
      await expect(identities.lookup(identity)).rejects.toMatchObject(unavailable);
      await expect(identities.link(identity, "m")).rejects.toMatchObject(unavailable);
      await expect(identities.unlink(identity, "m")).rejects.toMatchObject(unavailable);
    } finally {
      closeRedis(nowhere);
    }
  });
});
