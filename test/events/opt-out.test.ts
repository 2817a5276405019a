import { beforeEach, describe, expect, it } from "vitest";
import type { RedisClient } from "../../src/redis/clients.js";
import { DAY_MS } from "../support/builders.js";
import { useClient } from "../support/client.js";
import { flush, openTestCore, type TestCore } from "../support/core.js";

let client: RedisClient;
let core: TestCore;
useClient((connected) => {
  client = connected;
});
beforeEach(async () => {
  await flush(client);
  core = openTestCore(client);
});

const at = Date.now() - DAY_MS;
const optOut = (properties: Record<string, unknown> = {}, over: Record<string, unknown> = {}) => ({
  id: "o1",
  type: "opt_out",
  member: "m1",
  at,
  properties,
  ...over,
});
const ingest = (...events: unknown[]) => core.ingest.ingest(events);
const consentsOf = async (id: string) => (await core.members.get(id)).profile?.consents;

describe("an opt-out", () => {
  it("revokes the consent of its channel with source and time before it is acknowledged", async () => {
    await core.members.put("m1", {
      consents: [{ channel: "sms", purpose: "marketing", status: "granted", at: at - 1 }],
    });
    expect(await ingest(optOut({ channel: "sms", route: "unsubscribe" }))).toMatchObject({
      accepted: 1,
    });
    expect(await consentsOf("m1")).toEqual([
      {
        channel: "sms",
        purpose: "marketing",
        status: "revoked",
        at,
        source: "opt_out:unsubscribe",
      },
    ]);
    await core.suppressions.refresh();
    expect(core.suppressions.reasonFor("member", "m1")).toBeNull();
  });

  it("of all channels revokes each and puts the member on the list", async () => {
    await ingest(
      optOut({ channel: "all", route: "keypress" }, { member: { phone: "13900001111" } }),
    );
    const { record } = (await core.members.resolve({ phone: "13900001111" }))!;
    const said = (await consentsOf(record.id))!.map(
      ({ channel, status }) => `${channel} ${status}`,
    );
    expect(said).toEqual(["email revoked", "phone revoked", "sms revoked"]);
    const entry = await core.suppressions.get({ kind: "member", value: record.id });
    expect(entry).toMatchObject({ reason: "opt_out", source: "opt_out:keypress", at });
  });

  it("names its channel on the event, or means all", async () => {
    await ingest(optOut({}, { channel: "email" }), optOut({}, { id: "o2", member: "m2" }));
    expect(await consentsOf("m1")).toMatchObject([{ channel: "email", source: "opt_out" }]);
    expect(await consentsOf("m2")).toHaveLength(3);
    expect(core.suppressions.reasonFor("member", "m2")).toBe("opt_out");
  });

  it.each(["PHONE", "phone ", "telephone", " Call", "tel"])(
    "of %j revokes the phone alone",
    async (channel) => {
      await core.members.put("m1", {
        consents: [{ channel: "phone", purpose: "marketing", status: "granted", at: at - 1 }],
      });
      await ingest(optOut({ channel }));
      expect(await consentsOf("m1")).toMatchObject([{ channel: "phone", status: "revoked" }]);
      await core.suppressions.refresh();
      expect(core.suppressions.reasonFor("member", "m1")).toBeNull();
    },
  );

  it.each(["ALL", "any", "*", "pigeon", "phone, sms", "mobile", "  ", "constructor"])(
    "of %j is unclear, and so a no to everything",
    async (channel) => {
      for (const [i, event] of [optOut({ channel }), optOut({}, { channel })].entries()) {
        await ingest({ ...event, id: `o${i}`, member: `m${i}` });
        const said = (await consentsOf(`m${i}`))!.map(({ channel, status }) => [channel, status]);
        expect(said).toEqual(["email", "phone", "sms"].map((one) => [one, "revoked"]));
        await core.suppressions.refresh();
        expect(core.suppressions.reasonFor("member", `m${i}`)).toBe("opt_out");
      }
    },
  );

  it.each(["all", "Marketing", " MARKETING ", "sales", "any"])(
    "for the purpose %j is one to marketing",
    async (purpose) => {
      await ingest(optOut({ channel: "sms", purpose }));
      expect(await consentsOf("m1")).toContainEqual({
        channel: "sms",
        purpose: "marketing",
        status: "revoked",
        at,
        source: "opt_out",
      });
    },
  );

  it("sent again changes nothing, and leaves a consent that was given since", async () => {
    const event = optOut({ channel: "phone", purpose: "survey", route: "agent" });
    await ingest(event);
    const consents = await consentsOf("m1");
    expect(await ingest(event)).toMatchObject({ accepted: 0, duplicates: 1 });
    expect(await consentsOf("m1")).toEqual(consents);
    expect(consents!.map(({ purpose }) => purpose)).toEqual(["marketing", "survey"]);
    const granted = { channel: "phone", purpose: "survey", status: "granted", at: at + 1 } as const;
    await core.members.patch("m1", { consents: [granted] });
    await ingest(event);
    expect(await consentsOf("m1")).toEqual([consents![0], granted]);
  });

  it("whose record could not be written is recorded when it is sent again", async () => {
    const { patch } = core.members;
    core.members.patch = async () => {
      throw new Error("the process died here");
    };
    await expect(ingest(optOut({ channel: "sms" }))).rejects.toThrow("died");
    core.members.patch = patch;
    expect(await ingest(optOut({ channel: "sms" }))).toMatchObject({ duplicates: 1 });
    expect(await consentsOf("m1")).toMatchObject([{ channel: "sms", status: "revoked" }]);
  });

  it.each([{ channel: 7 }, { channel: "" }, { route: "pigeon" }, { purpose: null }])(
    "that says %j is refused",
    async (properties) => {
      expect(await ingest(optOut(properties))).toMatchObject({
        accepted: 0,
        rejected: [{ index: 0, code: "invalid_request" }],
      });
    },
  );
});
