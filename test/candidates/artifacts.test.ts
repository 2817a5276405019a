import { describe, expect, it } from "vitest";
import { emptyArtifacts } from "../../src/candidates/artifacts.js";
import { decodeArtifacts, encodeArtifacts } from "../../src/candidates/artifacts-codec.js";
import { buildArtifacts } from "../../src/candidates/build-artifacts.js";
import { fingerprint40 } from "../../src/redis/keys.js";
import { aPurchase, daysAgo, learnt, NOW } from "./builders.js";

const past = [
  aPurchase("a", 60, "tea", "cup"),
  aPurchase("a", 40, "tea"),
  aPurchase("b", 50, "tea", "cup"),
  aPurchase("", 45, "tea"),
];
const walks = [{ at: daysAgo(30), products: ["tea", "cup", "tea"] }];

describe("artifacts", () => {
  it("are the same whatever happens at or after their instant", () => {
    const asOf = daysAgo(20);
    const before = buildArtifacts(past, walks, { asOf });
    const future = [
      { ...aPurchase("a", 20, "cup", "new"), at: asOf },
      aPurchase("b", 10, "cup", "tea"),
      aPurchase("c", 1, "new"),
    ];
    const later = [...walks, { at: daysAgo(5), products: ["cup", "new"] }];
    expect(buildArtifacts([...past, ...future], later, { asOf })).toEqual(before);
    expect(buildArtifacts([...past, ...future], later, { asOf: NOW })).not.toEqual(before);
  });

  it("are the same in whatever order purchases come", () => {
    const shuffled = [past[3], past[1], past[2], past[0]];
    const a = learnt(past);
    const b = learnt(shuffled);
    expect(Array.from(b.products)).toEqual(Array.from(a.products));
    expect(b.coPurchase).toEqual(a.coPurchase);
    expect(b.cadenceDays).toEqual(a.cadenceDays);
  });

  it("stand by falling popularity, recent orders counting more, returns taken off", () => {
    const artifacts = learnt([
      aPurchase("a", 1, "tea"),
      aPurchase("b", 1, "tea"),
      aPurchase("c", 1, "cup"),
      aPurchase("d", 300, "lamp"),
      aPurchase("e", 300, "lamp"),
      aPurchase("f", 1, "sock"),
      aPurchase("g", 1, "sock"),
      aPurchase("h", 1, "sock"),
      { member: "f", at: daysAgo(1), lines: [{ product: "sock", quantity: -1 }] },
      { member: "g", at: daysAgo(1), lines: [{ product: "sock", quantity: -1 }] },
      { member: "h", at: daysAgo(1), lines: [{ product: "sock", quantity: -1 }] },
    ]);
    const names = new Map(["tea", "cup", "lamp", "sock"].map((id) => [fingerprint40(id), id]));
    expect(Array.from(artifacts.products, (fingerprint) => names.get(fingerprint))).toEqual([
      "tea",
      "cup",
      "lamp",
      "sock",
    ]);
    expect(artifacts.popularity[3]).toBeCloseTo(0);
  });

  it("know how long a product lasts and how often it is bought again", () => {
    const artifacts = learnt(past);
    const at = (id: string) => artifacts.products.indexOf(fingerprint40(id));
    expect(artifacts.cadenceDays[at("tea")]).toBeCloseTo(20);
    expect(artifacts.cadenceCount[at("tea")]).toBe(1);
    expect(artifacts.cadenceDays[at("cup")]).toBeNaN();
    expect(artifacts.repeatRate[at("tea")]).toBeGreaterThan(artifacts.repeatRate[at("cup")]);
  });

  it("keep at most so many neighbours a product", () => {
    const everything = Array.from({ length: 50 }, (_, i) => `p${i}`);
    const artifacts = buildArtifacts([aPurchase("a", 3, ...everything)], [], {
      asOf: NOW,
      neighboursPerProduct: 7,
    });
    const { offsets } = artifacts.coPurchase;
    for (let i = 0; i < 50; i++) expect(offsets[i + 1] - offsets[i]).toBe(7);
  });

  it("learn neighbours from the latest members and sessions where there are too many", () => {
    const purchases = [
      aPurchase("late", 40, "oil"),
      aPurchase("early", 60, "tea", "cup"),
      aPurchase("late", 2, "lamp", "sock"),
      aPurchase("later", 1, "lamp", "sock"),
    ];
    const sessions = [
      { at: daysAgo(1), products: ["sock", "oil"] },
      { at: daysAgo(9), products: ["tea", "cup"] },
    ];
    const artifacts = buildArtifacts(purchases, sessions, {
      asOf: NOW,
      maxMembers: 2,
      maxSessions: 1,
    });
    const at = (id: string) => artifacts.products.indexOf(fingerprint40(id));
    const known = ({ offsets }: { offsets: Uint32Array }, id: string) =>
      offsets[at(id) + 1] - offsets[at(id)];
    expect(known(artifacts.coPurchase, "lamp")).toBe(2);
    expect(known(artifacts.coPurchase, "oil")).toBe(2);
    expect(known(artifacts.coPurchase, "tea")).toBe(0);
    expect(known(artifacts.sessions, "sock")).toBe(1);
    expect(known(artifacts.sessions, "tea")).toBe(0);
  });

  it("keep the latest sessions whole, each product once, the latest first", () => {
    const at = (days: number, ...products: string[]) => ({ at: daysAgo(days), products });
    const sessions = [
      at(3, "old", "tea"),
      at(1, "tea", "cup", "tea"),
      at(2, "pot", "pot"),
      at(2, "pot", "cup"),
    ];
    const { walks, products } = buildArtifacts([], sessions, { asOf: NOW, maxWalks: 2 });
    const names = new Map(["old", "tea", "cup", "pot"].map((id) => [fingerprint40(id), id]));
    const kept = Array.from({ length: walks.offsets.length - 1 }, (_, i) =>
      Array.from(walks.product.subarray(walks.offsets[i], walks.offsets[i + 1]), (product) =>
        names.get(products[product]),
      ),
    );
    expect(kept).toEqual([
      ["tea", "cup"],
      ["pot", "cup"],
    ]);
  });

  it("tell what is bought lately from what was bought all along", () => {
    const often = Array.from({ length: 6 }, (_, i) => aPurchase(`m${i}`, 60, "classic"));
    const lately = Array.from({ length: 3 }, (_, i) => aPurchase(`n${i}`, 1, "hit"));
    const { popularity, recentPopularity, products } = learnt([...often, ...lately]);
    const of = (values: Float32Array, id: string) => values[products.indexOf(fingerprint40(id))];
    expect(of(popularity, "classic")).toBeGreaterThan(of(popularity, "hit"));
    expect(of(recentPopularity, "hit")).toBeGreaterThan(10 * of(recentPopularity, "classic"));
  });

  it("let nobody's purchases count for popularity, not for neighbours", () => {
    const artifacts = learnt([aPurchase("", 3, "tea", "cup"), aPurchase("", 2, "tea")]);
    expect(artifacts.popularity[0]).toBeGreaterThan(artifacts.popularity[1]);
    expect(artifacts.coPurchase.neighbour).toHaveLength(0);
  });
});

describe("the bytes of artifacts", () => {
  const artifacts = buildArtifacts(
    past.map((purchase) => ({ ...purchase, segment: "新客" })),
    walks,
    { asOf: NOW },
  );

  it("come back as what they were", () => {
    expect(decodeArtifacts(encodeArtifacts(artifacts))).toEqual(artifacts);
    expect(decodeArtifacts(encodeArtifacts(emptyArtifacts(5)))).toEqual(emptyArtifacts(5));
  });

  it("come back from inside a larger buffer", () => {
    const bytes = encodeArtifacts(artifacts);
    const larger = Buffer.concat([Buffer.from("abc"), bytes]);
    expect(decodeArtifacts(larger.subarray(3))).toEqual(artifacts);
  });

  it("are refused when cut short, altered, or something else", () => {
    const bytes = encodeArtifacts(artifacts);
    const altered = Buffer.from(bytes);
    altered[altered.length - 9] ^= 1;
    const cut = [0, 4, 11, 40, bytes.length - 8].map((length) => bytes.subarray(0, length));
    for (const bad of [...cut, altered, Buffer.from("something else altogether")]) {
      expect(() => decodeArtifacts(bad)).toThrow(
        expect.objectContaining({ code: "model_invalid" }),
      );
    }
  });
});
