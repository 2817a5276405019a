/**
 * Ten decisions of the demo world, explained in two languages: asked of the product over HTTP, on
 * the shipped models and at one fixed instant, so that a run on another day writes the same but for ids.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { loadConfig } from "../src/config.js";
import { openCore } from "../src/core.js";
import type { RecommendationResponse } from "../src/decision/answer.js";
import { fillWorld } from "../src/demo/fill.js";
import { createDemoWorld, type DemoWorld } from "../src/demo/world.js";
import { LAYOUT_VERSION } from "../src/features/state.js";
import { fitDeps } from "../src/job-functions.js";
import { createLogger } from "../src/logger.js";
import { openStore, writeStamp } from "../src/redis/store-stamp.js";
import { parseManifest } from "../src/scoring/manifest.js";
import { startServer } from "../src/server.js";
import { fitArtifacts } from "../src/training/train-command.js";
import { projectRoot } from "./support/compile.js";
import {
  type Asked,
  documentOf,
  type Explained,
  type Language,
} from "./support/explained-document.js";
import {
  type Ask,
  createSituations,
  LANGUAGES,
  memberOf,
  type Situation,
} from "./support/explained-situations.js";
import type { CouponTold } from "./support/explained-words.js";
import type { BenchOptions } from "./support/options.js";
import { openPrivateStore, type PrivateStore } from "./support/private-store.js";

const KEY = "explain-admin-key";
/** Tuesday, 10:30 in Shanghai. */
const NOW = Date.parse("2026-06-16T02:30:00Z");
const FILES: Readonly<Record<Language, string>> = {
  en: "docs/explained-decisions.md",
  zh: "docs/explained-decisions.zh-CN.md",
};
const logger = createLogger("error");

export async function explainDecisions({ members, seed }: BenchOptions): Promise<void> {
  if (Date.now() < NOW)
    throw new Error("this machine's clock is behind the decisions' own instant");
  const clock = { now: NOW };
  Date.now = () => clock.now;
  const world = createDemoWorld({ now: NOW, members, seed });
  const situations = createSituations(world, NOW);
  const store = await openPrivateStore(1024);
  try {
    process.stderr.write("filling the demo world\n");
    await fill(store, world, situations);
    const config = loadConfig({
      REDIS_URL: store.target,
      DATA_DIR: store.dataDir,
      ADMIN_API_KEY: KEY,
      HOST: "127.0.0.1",
      PORT: "0",
      LOG_LEVEL: "error",
    });
    // Nothing is drawn, and nothing given up for a busy machine.
    const calm = { ...config, budgetMs: 10_000, exploration: { ...config.exploration, share: 0 } };
    const server = await startServer(calm, store.target, logger);
    try {
      const session = new Session(`http://127.0.0.1:${server.port}`, world, clock);
      await session.suppress(situations);
      for (const language of LANGUAGES) {
        const explained: Explained[] = [];
        for (const one of situations) explained.push(await session.explain(one, language));
        writeFileSync(`${projectRoot}${FILES[language]}`, documentOf(explained, language));
        process.stdout.write(`${FILES[language]}\n`);
      }
    } finally {
      await server.close();
    }
  } finally {
    await store.close();
  }
}

/** The demo world with the shipped models, and the members of the situations among its own. */
async function fill(
  { target, dataDir }: PrivateStore,
  world: DemoWorld,
  situations: readonly Situation[],
): Promise<void> {
  const config = loadConfig({ REDIS_URL: target, DATA_DIR: dataDir });
  const core = await openCore(config, target, "work", logger);
  try {
    const stamp = await openStore(core.client, "demo", LAYOUT_VERSION);
    await writeStamp(core.client, { ...stamp, worldNow: NOW, filled: true });
    const { catalog, members, ingest } = core;
    await fillWorld(
      world,
      {
        catalog: catalog.store,
        refreshCatalog: () => catalog.refresh(),
        putMember: (id, input) => members.put(id, input),
        ingest: (events) => ingest.ingest(events),
      },
      () => undefined,
    );
    await fitArtifacts(fitDeps(core));
    for (const name of ["heads", "ranker"]) {
      const bytes = readFileSync(`${projectRoot}models/demo-${name}.onnx`);
      const manifest = parseManifest(
        readFileSync(`${projectRoot}models/demo-${name}.json`, "utf8"),
      );
      await core.models.publish(name, bytes, manifest, { alias: "champion" });
    }
    for (const [index, situation] of situations.entries()) {
      for (const language of LANGUAGES) {
        const { record, events } = memberOf(situation, language, index);
        const { id, ...input } = record;
        await members.put(id, input);
        const { rejected } = await ingest.ingest(events);
        if (rejected.length > 0) throw new Error(`${id}: ${rejected[0]!.code}`);
      }
    }
  } finally {
    await core.close();
  }
}

class Session {
  constructor(
    private readonly url: string,
    private readonly world: DemoWorld,
    private readonly clock: { now: number },
  ) {}

  async suppress(situations: readonly Situation[]): Promise<void> {
    for (const [index, situation] of situations.entries()) {
      if (situation.suppressed !== true) continue;
      for (const language of LANGUAGES) {
        const { record } = memberOf(situation, language, index);
        await this.send("PUT", `/v1/suppressions/phone:${record.phone}`, { source: "call" });
      }
    }
  }

  async explain(situation: Situation, language: Language): Promise<Explained> {
    const { heading, who, zones, asks, laterMs, whyNot = [] } = situation;
    const asked: Asked[] = [];
    let told: Pick<Explained, "whyNot" | "replayedBytes" | "versions"> | null = null;
    for (const ask of asks) {
      const text = await this.ask(situation, ask, language, null);
      const answer = JSON.parse(text) as RecommendationResponse;
      // Before anybody else of this partition is asked: the log's clock is Redis's own, and not ours.
      told ??= await this.lookBack(answer.decisionId, text, whyNot);
      this.clock.now = NOW + laterMs;
      const laterText = await this.ask(situation, ask, language, this.clock.now);
      const later = { at: this.clock.now, answer: JSON.parse(laterText) as RecommendationResponse };
      this.clock.now = NOW;
      asked.push({ said: ask.said[language], answer, later, coupon: this.couponOf(answer) });
    }
    return { heading: heading[language], who: who[language], zones, at: NOW, asked, ...told! };
  }

  private async lookBack(
    id: string,
    text: string,
    whyNot: readonly string[],
  ): Promise<Pick<Explained, "whyNot" | "replayedBytes" | "versions">> {
    const { versions } = JSON.parse(await this.send("GET", `/v1/decisions/${id}`));
    const fates: { name: string; text: string }[] = [];
    for (const product of whyNot) {
      const asked = await this.send("GET", `/v1/decisions/${id}?product=${product}`);
      fates.push({ name: this.productOf(product).record.name!, text: JSON.parse(asked).fate.text });
    }
    const again = withoutTime(await this.send("POST", `/v1/decisions/${id}/replay`));
    if (again !== withoutTime(text)) throw new Error(`${id}: replayed to other bytes`);
    return { whyNot: fates, replayedBytes: Buffer.byteLength(again), versions };
  }

  private ask(
    { id }: Situation,
    { body, member }: Ask,
    language: Language,
    now: number | null,
  ): Promise<string> {
    const context = { ...body.context, ...(now === null ? {} : { now }) };
    return this.send("POST", "/v1/recommendations", {
      ...{ member: member ?? `${id}_${language}`, limit: 3, explain: true },
      ...body,
      context,
    });
  }

  private async send(method: string, path: string, body?: unknown): Promise<string> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { "X-API-Key": KEY, ...(body ? { "Content-Type": "application/json" } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text;
  }

  private productOf(id: string): DemoWorld["shop"]["products"][number] {
    return this.world.shop.products.find((one) => one.id === id)!;
  }

  /** The coupon of the first suggestion beside the others that were open to this stage and fit. */
  private couponOf({ member, suggestions: [first] }: RecommendationResponse): CouponTold | null {
    if (first?.product == null || first.coupon === null) return null;
    const { record, price } = this.productOf(first.product.id);
    const fitting = this.world.coupons
      .filter(
        ({ stages, categories, products, minimumAmount = 0, validUntil }) =>
          (stages === undefined || stages.includes(member.stage ?? "prospect")) &&
          (categories === undefined || categories.includes(record.category!)) &&
          (products === undefined || products.includes(first.product!.id)) &&
          price >= minimumAmount &&
          Date.parse(validUntil!) > NOW,
      )
      .map((one) => ({
        id: one.id!,
        label: one.label!,
        cost: one.amountOff ?? (one.percentOff ?? 0) * price,
      }));
    const chosen = fitting.find(({ id }) => id === first.coupon!.id)!;
    const others = fitting.filter((one) => one !== chosen && one.cost <= chosen.cost);
    return { ...chosen, margin: record.margin!, others };
  }
}

const withoutTime = (text: string): string => text.replace(/,"tookMs":[\d.]+/, "");
