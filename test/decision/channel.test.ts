import { describe, expect, it } from "vitest";
import type { PlacementConfig } from "../../src/config.js";
import { chooseChannel, openChannels } from "../../src/decision/channel.js";
import type { Consent, Profile } from "../../src/members/profile.js";
import { anEvent } from "../support/builders.js";
import { foldAll } from "../support/core.js";
import { config, granted } from "./a-decider.js";

const placement = (id: string): PlacementConfig => config.placements.find((one) => one.id === id)!;
const member = (more: Partial<Profile> = {}): Profile => ({
  id: "m",
  createdAt: 0,
  updatedAt: 0,
  ...more,
});
const ZONE = "Asia/Shanghai";

const open = (
  where: string,
  profile: Profile | null,
  { asked = null, zone = ZONE as string | null } = {},
) => openChannels(config.channels, placement(where), asked, profile, zone).map(({ id }) => id);

describe("channels of an answer", () => {
  it("where the member came to us is the one they came by, at no cost", () => {
    expect(open("screen_pop", null, { zone: null })).toEqual(["phone"]);
    expect(open("home", member({ doNotContact: true }))).toEqual(["web"]);
    const [phone] = openChannels(config.channels, placement("screen_pop"), null, null, null);
    expect(phone).toMatchObject({ cost: 0, minimumReturn: 0 });
  });

  it("we start are those granted, and nothing else", () => {
    expect(open("outbound", member())).toEqual([]);
    expect(open("outbound", member({ consents: granted("sms", "email") }))).toEqual([
      "sms",
      "email",
    ]);
    const refused = (status: Consent["status"]): Consent[] => [
      { channel: "sms", purpose: "marketing", status, at: 1 },
    ];
    expect(open("outbound", member({ consents: refused("denied") }))).toEqual([]);
    expect(open("outbound", member({ consents: refused("revoked") }))).toEqual([]);
    const service: Consent = { channel: "sms", purpose: "service", status: "granted", at: 1 };
    expect(open("outbound", member({ consents: [service] }))).toEqual([]);
    expect(open("outbound", member({ consents: granted("web") }))).toEqual([]);
  });

  it("we start are none for whom we must not contact, do not know, or whose hour we do not know", () => {
    const consents = granted("phone", "sms", "email", "app");
    expect(open("outbound", member({ consents }))).toHaveLength(4);
    expect(open("outbound", member({ consents, doNotContact: true }))).toEqual([]);
    expect(open("outbound", null)).toEqual([]);
    expect(open("outbound", member({ consents }), { zone: null })).toEqual([]);
  });

  it("narrow to the one that was asked for", () => {
    const consents = granted("phone", "sms");
    const asked = (channel: string) =>
      openChannels(config.channels, placement("outbound"), channel, member({ consents }), ZONE);
    expect(asked("sms").map(({ id }) => id)).toEqual(["sms"]);
    expect(asked("email")).toEqual([]);
    expect(asked("pigeon")).toEqual([]);
    expect(
      openChannels(config.channels, placement("screen_pop"), "app", null, null).map(({ id }) => id),
    ).toEqual(["app"]);
  });
});

describe("the channel of a suggestion", () => {
  const [phone, sms] = config.channels;

  it("is worth its cost, or there is none", () => {
    expect(chooseChannel([phone!], [], 2.25)?.id).toBe("phone");
    expect(chooseChannel([phone!], [], 2.24)).toBeNull();
    expect(chooseChannel([phone!, sms!], [], 2)?.id).toBe("sms");
    expect(chooseChannel([], [], 1e9)).toBeNull();
  });

  it("is the one the member answers, where the value pays for it", () => {
    const calls = [1, 2, 3, 4].map((n) =>
      anEvent({ id: `call ${n}`, type: "call_outbound", properties: { answered: true } }),
    );
    const messages = [1, 2, 3, 4].map((n) =>
      anEvent({ id: `sms ${n}`, type: "message_sent", channel: "sms" }),
    );
    const { channelHabits } = foldAll([...calls, ...messages]);
    expect(chooseChannel([phone!, sms!], channelHabits, 100)).toEqual({ id: "phone", cost: 1.5 });
    expect(chooseChannel([phone!, sms!], channelHabits, 0.5)?.id).toBe("sms");
    expect(chooseChannel([phone!, sms!], [], 100)?.id).toBe("sms");
  });
});
