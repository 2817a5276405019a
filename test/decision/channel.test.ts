import { describe, expect, it } from "vitest";
import { chooseChannel, openChannels, withResponseRates } from "../../src/decision/channel.js";
import { anEvent } from "../support/builders.js";
import { foldAll } from "../support/core.js";
import { config } from "./a-decider.js";

describe("the channels the guards left open", () => {
  it("cost nothing where the member came to us", () => {
    const [phone] = openChannels(config.channels, "inbound", ["phone"]);
    expect(phone).toMatchObject({ id: "phone", cost: 0, minimumReturn: 0 });
  });

  it("cost what they cost where we begin, in the order of the configuration", () => {
    const open = openChannels(config.channels, "outbound", ["email", "phone"]);
    expect(open.map(({ id, cost }) => [id, cost])).toEqual([
      ["phone", 1.5],
      ["email", 0.01],
    ]);
  });
});

describe("the channel of a suggestion", () => {
  const [phone, sms] = config.channels;
  const chosen = (
    open: Parameters<typeof withResponseRates>[0],
    habits: Parameters<typeof withResponseRates>[1],
    value: number,
  ) => chooseChannel(withResponseRates(open, habits), value);

  it("is worth its cost, or there is none", () => {
    expect(chosen([phone!], [], 2.25)?.id).toBe("phone");
    expect(chosen([phone!], [], 2.24)).toBeNull();
    expect(chosen([phone!, sms!], [], 2)?.id).toBe("sms");
    expect(chosen([], [], 1e9)).toBeNull();
  });

  it("is the one the member answers, where the value pays for it", () => {
    const calls = [1, 2, 3, 4].map((n) =>
      anEvent({ id: `call ${n}`, type: "call_outbound", properties: { answered: true } }),
    );
    const messages = [1, 2, 3, 4].map((n) =>
      anEvent({ id: `sms ${n}`, type: "message_sent", channel: "sms" }),
    );
    const { channelHabits } = foldAll([...calls, ...messages]);
    expect(chosen([phone!, sms!], channelHabits, 100)).toMatchObject({
      id: "phone",
      cost: 1.5,
    });
    expect(chosen([phone!, sms!], channelHabits, 0.5)?.id).toBe("sms");
    expect(chosen([phone!, sms!], [], 100)?.id).toBe("sms");
  });
});
