import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { getCountries, getExampleNumber, parsePhoneNumber } from "libphonenumber-js/max";
import mobileExamples from "libphonenumber-js/mobile/examples";
import { describe, expect, it } from "vitest";
import { isZone, utcOffsetMs } from "../../src/members/clock.js";
import { WORLD_PLAN } from "../../src/members/phone-plan.js";
import { AMERICAN_PLAN, AMERICAN_ZONES } from "../../src/members/phone-plan-america.js";
import { regionOfPhone, zonesOfPhone } from "../../src/members/phone-zones.js";
import { NOW } from "../support/builders.js";

const examples = getCountries().map((country) => ({
  country,
  e164: getExampleNumber(country, mobileExamples)!.number as string,
}));
/** An American or Canadian number of an area code. */
const inArea = (code: number | string): string => `+1${code}5550123`;

describe("the zones of a number", () => {
  it("are known for every country there is", () => {
    const unknown = examples.filter(({ e164 }) => zonesOfPhone(e164).length === 0);
    expect(unknown.map(({ country }) => country)).toEqual([]);
  });

  it("are one where a country has one", () => {
    const cases: [string, string][] = [
      ["+8613812345678", "Asia/Shanghai"],
      ["+85223456789", "Asia/Hong_Kong"],
      ["+442079460958", "Europe/London"],
      ["+919812345678", "Asia/Kolkata"],
      ["+9779841234567", "Asia/Kathmandu"],
      ["+4915123456789", "Europe/Berlin"],
      ["+33612345678", "Europe/Paris"],
      ["+541123456789", "America/Argentina/Buenos_Aires"],
    ];
    for (const [e164, zone] of cases) expect(zonesOfPhone(e164), e164).toEqual([zone]);
  });

  it("are those of the area where the number tells it", () => {
    const cases: [string, string[]][] = [
      [inArea(212), ["America/New_York"]],
      [inArea(213), ["America/Los_Angeles"]],
      [inArea(602), ["America/Phoenix"]],
      [inArea(305), ["America/New_York"]],
      [inArea(850), ["America/New_York", "America/Chicago"]],
      [inArea(208), ["America/Boise", "America/Los_Angeles"]],
      [inArea(915), ["America/Denver"]],
      [inArea(709), ["America/St_Johns", "America/Halifax"]],
      [inArea(604), ["America/Vancouver"]],
      [inArea(876), ["America/Jamaica"]],
      ["+74951234567", ["Europe/Moscow"]],
      ["+74232123456", ["Asia/Vladivostok"]],
      ["+61212345678", ["Australia/Sydney"]],
      ["+61891234567", ["Australia/Perth"]],
      ["+61891621234", ["Indian/Cocos"]],
      ["+5592912345678", ["America/Manaus"]],
      ["+529841234567", ["America/Cancun"]],
      ["+351295123456", ["Atlantic/Azores"]],
      ["+34928123456", ["Atlantic/Canary"]],
      ["+62361123456", ["Asia/Makassar"]],
      ["+5697123456", ["America/Santiago", "America/Punta_Arenas", "Pacific/Easter"]],
    ];
    for (const [e164, zones] of cases) expect(zonesOfPhone(e164), e164).toEqual(zones);
  });

  it("are all of the country where the number does not tell: mobiles of Russia, Australia, Brazil's rest", () => {
    expect(zonesOfPhone("+79161234567")).toContain("Europe/Kaliningrad");
    expect(zonesOfPhone("+79161234567")).toContain("Asia/Kamchatka");
    expect(zonesOfPhone("+61412345678")).toEqual(
      expect.arrayContaining(["Australia/Sydney", "Australia/Perth", "Australia/Adelaide"]),
    );
    expect(zonesOfPhone("+5523912345678")).toEqual(
      expect.arrayContaining(["America/Noronha", "America/Rio_Branco"]),
    );
    expect(zonesOfPhone("+77012345678")).toContain("Asia/Almaty");
    const anywhere = zonesOfPhone("+18005550123");
    for (const zone of ["America/New_York", "Pacific/Honolulu", "America/St_Johns"]) {
      expect(anywhere).toContain(zone);
    }
  });

  it("are none for numbers of no country, of nobody, and for what is no number", () => {
    for (const text of [
      "+80012345678",
      "+870773111632",
      "+21012345",
      "",
      "+",
      "13812345678",
      "+x",
    ]) {
      expect(zonesOfPhone(text), text).toEqual([]);
      expect(regionOfPhone(text), text).toBeNull();
    }
  });

  it("exist, every one, and are told once a prefix", () => {
    const world = WORLD_PLAN.trim().split(/\n+/);
    const zones = new Set([
      ...world.flatMap((line) => line.split(" ").slice(2)),
      ...Object.values(AMERICAN_ZONES),
      ...AMERICAN_PLAN.match(/\b[A-Z]\w+\/\w+/g)!,
    ]);
    expect([...zones].filter((zone) => !isZone(zone))).toEqual([]);
    expect([...zones].every((zone) => Number.isFinite(utcOffsetMs(zone, NOW)))).toBe(true);
    const prefixes = [
      ...world.flatMap((line) => line.split(" ")[0]!.split(",")),
      ...AMERICAN_PLAN.trim()
        .split(/\n+/)
        .flatMap((line) =>
          line
            .split(": ")[1]!
            .split(" ")
            .map((code) => `1${code}`),
        ),
    ];
    expect(prefixes.filter((one, i) => prefixes.indexOf(one) < i || !/^\d+$/.test(one))).toEqual(
      [],
    );
  });
});

describe("the country of a number", () => {
  /** Places that share mobile numbers with a neighbour; the neighbour is told. */
  const SHARED: Record<string, string> = {
    AX: "FI",
    BL: "GP",
    CC: "AU",
    CX: "AU",
    EH: "MA",
    MF: "GP",
    SJ: "NO",
    VA: "IT",
  };

  it("is the one the phone library tells, for every country", () => {
    const wrong = examples
      .filter(({ e164 }) => parsePhoneNumber(e164).country !== undefined)
      .map(({ country, e164 }) => [country, regionOfPhone(e164)?.country])
      .filter(([country, told]) => told !== country && told !== SHARED[country!]);
    expect(wrong).toEqual([]);
  });

  it("comes with its state in the United States, for every area code the library knows", () => {
    const { countries } = JSON.parse(
      readFileSync(
        createRequire(import.meta.url).resolve("libphonenumber-js/metadata.max.json"),
        "utf8",
      ),
    ) as {
      countries: Record<
        string,
        [unknown, unknown, unknown, unknown, unknown, unknown, ...unknown[]]
      >;
    };
    const geographic = (country: string): string[] => {
      const pattern = JSON.stringify(countries[country]).match(
        /"(983[^"]*|\(\?:2\(\?:04[^"]*)"/,
      )![1]!;
      const matches = new RegExp(`^(?:${pattern.replaceAll("\\\\", "\\")})$`);
      const codes = Array.from({ length: 800 }, (_, i) => String(200 + i));
      return codes.filter((code) => matches.test(`${code}2345678`));
    };
    const american = geographic("US");
    expect(american.length).toBeGreaterThan(300);
    for (const code of american) {
      expect(regionOfPhone(inArea(code)), code).toMatchObject({
        country: "US",
        state: expect.stringMatching(/^[A-Z]{2}$/),
      });
    }
    for (const code of geographic("CA")) {
      expect(regionOfPhone(inArea(code))?.country, code).toBe("CA");
    }
  });

  it("is told with the state as one name", () => {
    expect(regionOfPhone(inArea(305))).toEqual({
      country: "US",
      state: "FL",
      jurisdiction: "US-FL",
    });
    expect(regionOfPhone(inArea(416))).toEqual({
      country: "CA",
      state: "ON",
      jurisdiction: "CA-ON",
    });
    expect(regionOfPhone(inArea(902))).toEqual({ country: "CA", jurisdiction: "CA" });
    expect(regionOfPhone(inArea(787))).toMatchObject({ country: "PR" });
    expect(regionOfPhone("+8613812345678")).toEqual({ country: "CN", jurisdiction: "CN" });
    expect(regionOfPhone("+77012345678")?.country).toBe("KZ");
    expect(regionOfPhone(inArea(800))).toBeNull();
  });
});
