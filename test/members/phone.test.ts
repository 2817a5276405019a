import fc from "fast-check";
import { type CountryCode, getCountries, getExampleNumber } from "libphonenumber-js/max";
import examples from "libphonenumber-js/mobile/examples";
import { describe, expect, it } from "vitest";
import { parsePhone } from "../../src/members/phone.js";

const MOBILE = "+8613800138000";
const BEIJING = "+861062345678";

describe("parsePhone reads one number written in many ways", () => {
  const written: [string, string, string][] = [
    ["138 0013 8000", "CN", MOBILE],
    ["13800138000", "CN", MOBILE],
    ["138-0013-8000", "CN", MOBILE],
    ["138.0013.8000", "CN", MOBILE],
    ["013800138000", "CN", MOBILE],
    ["8613800138000", "CN", MOBILE],
    ["86 138 0013 8000", "CN", MOBILE],
    ["8613800138000", "US", MOBILE],
    ["008613800138000", "CN", MOBILE],
    ["0086-138-0013-8000", "CN", MOBILE],
    ["+0086 13800138000", "CN", MOBILE],
    ["+86 138 0013 8000", "US", MOBILE],
    ["+8613800138000", "ZZ", MOBILE],
    ["(+86) 13800138000", "CN", MOBILE],
    ["１３８００１３８０００", "CN", MOBILE],
    ["＋８６ １３８－００１３－８０００", "CN", MOBILE],
    ["138–0013—8000", "CN", MOBILE],
    ["\u200e+8613800138000\u202c", "CN", MOBILE],
    ["\t13800138000\r\n", "CN", MOBILE],
    ['"13800138000"', "CN", MOBILE],
    ["sip:13800138000@pbx.example.com", "CN", MOBILE],
    ["sip:+8613800138000@10.0.0.1:5060;user=phone", "CN", MOBILE],
    ["sips:%2B8613800138000@example.com", "CN", MOBILE],
    ['"王芳" <sip:13800138000@pbx.example.com>;tag=8a7', "CN", MOBILE],
    ["SIP:13800138000;phone-context=+86@example.com", "CN", MOBILE],
    ["tel:+86-138-0013-8000", "CN", MOBILE],
    ["tel:13800138000;phone-context=+86", "US", MOBILE],
    ["010-62345678", "CN", BEIJING],
    ["(010) 6234 5678", "CN", BEIJING],
    ["010 6234-5678", "CN", BEIJING],
    ["+86 (010) 6234 5678", "US", BEIJING],
    ["+86 10 62345678", "US", BEIJING],
    ["86-10-62345678", "CN", BEIJING],
    ["021-62345678", "CN", "+862162345678"],
    ["0755-82345678", "CN", "+8675582345678"],
    ["0571 8765 4321", "CN", "+8657187654321"],
    ["400-810-8888", "CN", "+864008108888"],
    ["(415) 555-2671", "US", "+14155552671"],
    ["1-415-555-2671", "US", "+14155552671"],
    ["0014155552671", "CN", "+14155552671"],
    ["0113 496 0000", "GB", "+441134960000"],
    ["+44 (0)20 7946 0018", "CN", "+442079460018"],
    ["+39 06 698 12345", "CN", "+390669812345"],
    ["+852 5123 4567", "CN", "+85251234567"],
    ["0912-345-678", "TW", "+886912345678"],
    ["090-1234-5678", "JP", "+819012345678"],
    ["010-1234-5678", "KR", "+821012345678"],
    ["+800 1234 5678", "CN", "+80012345678"],
  ];
  it.each(written)("%j in %s is %s", (text, region, e164) => {
    expect(parsePhone(text, region)).toMatchObject({ kind: "number", e164 });
  });

  it("names the country, and 001 for numbers of none", () => {
    expect(parsePhone(MOBILE, "US")).toEqual({ kind: "number", e164: MOBILE, country: "CN" });
    expect(parsePhone("+80012345678", "CN")).toMatchObject({ country: "001" });
  });
});

describe("parsePhone keeps the extension apart", () => {
  const extended: [string, string][] = [
    ["010-62345678 ext. 801", "801"],
    ["010-62345678 ext801", "801"],
    ["010-62345678 EXT: 801", "801"],
    ["010-62345678 extension 801", "801"],
    ["010-62345678转801", "801"],
    ["010-62345678 转 801", "801"],
    ["010-62345678 分机 801", "801"],
    ["010-62345678 分机号：801", "801"],
    ["010-62345678 x801", "801"],
    ["010-62345678x 801", "801"],
    ["010-62345678,801#".replace(",", "#"), "801"],
    ["+86-10-62345678;ext=801", "801"],
    ["tel:+86-10-62345678;ext=801", "801"],
    ["sip:01062345678;ext=801@example.com", "801"],
    ["０１０－６２３４５６７８转８０１", "801"],
  ];
  it.each(extended)("%j has extension %s", (text, extension) => {
    expect(parsePhone(text, "CN")).toEqual({
      kind: "number",
      e164: BEIJING,
      country: "CN",
      extension,
    });
  });
});

describe("parsePhone tells a withheld number from a wrong one", () => {
  it.each([
    "",
    "   ",
    "anonymous",
    "Anonymous",
    "UNKNOWN",
    "Restricted",
    "private",
    "Private Number",
    "no_caller_id",
    "unavailable",
    "withheld",
    "0",
    "0000",
    "+0000000000",
    "00-00-00",
    "+266696687",
    "266696687",
    "+86282452253",
    "sip:anonymous@anonymous.invalid",
    '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1',
    "sip:+266696687@carrier.example",
    "未知",
    "隐藏号码",
    "<>",
  ])("%j is withheld", (text) => {
    expect(parsePhone(text, "CN")).toEqual({ kind: "withheld" });
  });

  it.each([
    "12",
    "110",
    "10086",
    "62345678",
    "138001380",
    "138001380001",
    "+86138001380001",
    "+86 238 0013 8000",
    "+999123456789",
    "hello",
    "call 13800138000 now",
    "13800138000 13900139000",
    "1-800-FLOWERS",
    "sip:1001@pbx.example.com",
    "sip:alice@example.com",
    "tel:",
    "ext. 12",
    "转801",
    "+",
    "++8613800138000",
    "13800138000".repeat(40),
    "💐",
    "{13800138000}",
    "%",
  ])("%j is invalid or withheld, never a number", (text) => {
    expect(parsePhone(text, "CN").kind).not.toBe("number");
  });
});

describe("parsePhone is stable", () => {
  const regions = fc.constantFrom<CountryCode>(...getCountries());

  it("gives the same number when it reads its own E.164, whatever the region", () => {
    fc.assert(
      fc.property(regions, regions, (country, region) => {
        const example = getExampleNumber(country, examples);
        if (example === undefined) return;
        for (const text of [
          example.number,
          example.formatNational(),
          example.formatInternational(),
        ]) {
          const first = parsePhone(text, country);
          if (first.kind !== "number") continue;
          const again = parsePhone(first.e164, region);
          expect(again).toEqual({ kind: "number", e164: first.e164, country: first.country });
        }
        expect(parsePhone(example.number, region)).toMatchObject({ e164: example.number });
      }),
      { numRuns: 300 },
    );
  });

  it("is stable on digits with noise, and never throws on anything", () => {
    const noise = fc.string({
      unit: fc.constantFrom(..."0123456789+-(). x#;转８,".split(""), "ext"),
      maxLength: 30,
    });
    fc.assert(
      fc.property(fc.oneof(noise, fc.string({ maxLength: 300 })), regions, (text, region) => {
        const first = parsePhone(text, region);
        if (first.kind !== "number") return;
        expect(first.e164).toMatch(/^\+[1-9]\d{4,14}$/);
        const again = parsePhone(first.e164, region);
        expect(again).toMatchObject({ kind: "number", e164: first.e164 });
      }),
      { numRuns: 2000 },
    );
  });
});
