import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.js";
import { popCallOf } from "../../src/pop/pop-call.js";

const { pop: config } = loadConfig({ PORT: "0" });
const callOf = (query: string) => popCallOf(Object.fromEntries(new URLSearchParams(query)), config);

describe("what a telephone system sends", () => {
  it.each([
    ["VICIdial", "phone=2125550100&cc=1&member=m_7&uid=V1.2&agent=6666", "+12125550100", "V1.2"],
    ["Asterisk", "fmt=kv&ani=%2B8613800000000&dnis=95000&uid=17.5", "+8613800000000", "17.5"],
    ["Amazon Connect", "fmt=flat&phone_number=%2B14155550100&contactId=c-1", "+14155550100", "c-1"],
    ["FreePBX", "fmt=cid&number=13800000000&uniqueid=9", "13800000000", "9"],
    ["Twilio", "from=%2B442071838750&conversationId=CA1", "+442071838750", "CA1"],
  ])("by %s is understood under its own names", (_, query, caller, call) => {
    expect(callOf(query)).toMatchObject({ caller, call });
  });

  it("names the format, and JSON where it names none we know", () => {
    expect(["fmt=KV", "fmt=cid", "fmt=xml", ""].map((query) => callOf(query).format)).toEqual([
      "kv",
      "cid",
      "json",
      "json",
    ]);
  });

  it("may leave the placeholder of a field it has no value for", () => {
    const query =
      "phone=--A--phone_number--B--&uid=%7B%7BScripter.Interaction ID%7D%7D&ani=[NUMBER]";
    expect(callOf(query)).toMatchObject({ caller: null, call: null });
  });

  it("may say the country apart from the number, once or twice", () => {
    const callers = [
      ["cc=1&phone=12125550100", "+12125550100"],
      ["cc=44&phone=02071838750", "+442071838750"],
      ["cc=%2B86&phone=138 0000 0000", "+8613800000000"],
      ["cc=1&phone=%2B442071838750", "+442071838750"],
      ["cc=US&phone=2125550100", "2125550100"],
      ["cc=86&phone=anonymous", "anonymous"],
    ];
    for (const [query, caller] of callers)
      expect([query, callOf(query!).caller]).toEqual([query, caller]);
  });

  it("is never a fault: lists, objects, numbers and novels are taken or left", () => {
    const long = "9".repeat(1_000);
    expect(
      popCallOf({ phone: ["", "13800000000"], uid: { a: 1 }, agent: long }, config),
    ).toMatchObject({ caller: "13800000000", call: null, agent: null });
    expect(popCallOf({ phone: 13800000000 }, config).caller).toBe("13800000000");
  });

  it("can be given other names by the configuration", () => {
    const aliases = { ...config.aliases, caller: ["PhoneNo"] };
    expect(popCallOf({ PhoneNo: "13800000000", ani: "1" }, { ...config, aliases }).caller).toBe(
      "13800000000",
    );
  });
});
