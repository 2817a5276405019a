/** Asks for the ten decisions, in a process whose clock stands still. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { loadConfig } from "../../src/config.js";
import { openCore } from "../../src/core.js";
import type { RecommendationResponse } from "../../src/decision/answer.js";
import { fillWorld } from "../../src/demo/fill.js";
import { createDemoWorld, type DemoWorld } from "../../src/demo/world.js";
import { fitDeps } from "../../src/job-functions.js";
import { createLogger } from "../../src/logger.js";
import { parseManifest } from "../../src/scoring/manifest.js";
import { startServer } from "../../src/server.js";
import { fitArtifacts } from "../../src/training/train-command.js";
import { answerCalls } from "./child.js";
import type { Asked, Explained, Language } from "./explained-document.js";
import {
  type Ask,
  createSituations,
  LANGUAGES,
  memberOf,
  type Situation,
} from "./explained-situations.js";
import type { CouponTold } from "./explained-words.js";

const KEY = "explain-admin-key";
/** Tuesday, 10:30 in Shanghai. */
const NOW = Date.parse("2026-06-16T02:30:00Z");
/** The default of `coupons.maxMarginShare`. */
const MAX_MARGIN_SHARE = 0.5;
const TRIES = 5;
const RETRY_MS = 1_000;
const logger = createLogger("error");

export interface ExplainInput {
  readonly target: string;
  readonly dataDir: string;
  /** Where the shipped models lie. */
  readonly modelsDir: string;
  readonly members: number;
  readonly seed: number;
}

async function explain(input: ExplainInput): Promise<Record<Language, Explained[]>> {
  const { target, dataDir, members, seed } = input;
  if (Date.now() < NOW)
    throw new Error("this machine's clock is behind the decisions' own instant");
  const clock = { now: NOW };
  Date.now = () => clock.now;
  const world = createDemoWorld({ now: NOW, members, seed });
  const situations = createSituations(world, NOW);
  await fill(input, world, situations);
  const config = loadConfig({
    REDIS_URL: target,
    DATA_DIR: dataDir,
    ADMIN_API_KEY: KEY,
    HOST: "127.0.0.1",
    PORT: "0",
    LOG_LEVEL: "error",
  });
  // Nothing is drawn, and nothing given up for a busy machine.
  const calm = { ...config, budgetMs: 10_000, exploration: { ...config.exploration, share: 0 } };
  const explained: Record<Language, Explained[]> = { en: [], zh: [] };
  for (const locale of LANGUAGES) {
    // Strangers are spoken to in the shop's own language.
    const server = await startServer({ ...calm, locale }, target, logger);
    try {
      const session = new Session(`http://127.0.0.1:${server.port}`, world, clock);
      await session.suppress(situations, locale);
      for (const one of situations) explained[locale].push(await session.explain(one, locale));
    } finally {
      await server.close();
    }
  }
  return explained;
}

/** The demo world with the shipped models, and the members of the situations among its own. */
async function fill(
  { target, dataDir, modelsDir }: ExplainInput,
  world: DemoWorld,
  situations: readonly Situation[],
): Promise<void> {
  const config = loadConfig({ REDIS_URL: target, DATA_DIR: dataDir });
  const core = await openCore(config, target, "work", logger);
  try {
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
      const bytes = readFileSync(`${modelsDir}/demo-${name}.onnx`);
      const manifest = parseManifest(readFileSync(`${modelsDir}/demo-${name}.json`, "utf8"));
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

  async suppress(situations: readonly Situation[], language: Language): Promise<void> {
    for (const { id } of situations.filter(({ suppressed }) => suppressed === true)) {
      const path = `/v1/suppressions/member:${id}_${language}`;
      await this.send("PUT", path, { source: "call" });
    }
  }

  async explain(situation: Situation, language: Language): Promise<Explained> {
    const { heading, who, zones, asks, laterMs, whyNot = [] } = situation;
    const asked: Asked[] = [];
    let told: Pick<Explained, "whyNot" | "replayedBytes" | "versions"> | null = null;
    for (const ask of asks) {
      const text = await this.ask(situation, ask, language, null);
      const answer = JSON.parse(text) as RecommendationResponse;
      if (answer.degraded.length > 0) {
        throw new Error(`${situation.id}: ${answer.degraded}; run it again on a quieter machine`);
      }
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
      ...{ member: member?.[language] ?? `${id}_${language}`, limit: 3, explain: true },
      ...body,
      context,
    });
  }

  private async send(method: string, path: string, body?: unknown): Promise<string> {
    for (let tries = 1; ; tries++) {
      const answer = await fetch(`${this.url}${path}`, {
        method,
        headers: { "X-API-Key": KEY, ...(body ? { "Content-Type": "application/json" } : {}) },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      const text = await answer.text();
      if (answer.ok) return text;
      // On a busy machine the store may take longer than a request may wait.
      const isLate = answer.status === 503 && tries < TRIES;
      if (!isLate) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      await sleep(RETRY_MS);
    }
  }

  private productOf(id: string): DemoWorld["shop"]["products"][number] {
    return this.world.shop.products.find((one) => one.id === id)!;
  }

  /** The coupon of the first suggestion beside the others that were open to this stage and fit. */
  private couponOf(answer: RecommendationResponse): CouponTold | null {
    const [first] = answer.suggestions;
    if (first?.product == null) return null;
    // Somebody whose features were not looked at is of no stage either.
    const isPersonal = Object.keys(answer.explanation?.features ?? {}).length > 0;
    const stage = (isPersonal ? answer.member.stage : null) ?? "prospect";
    const { record, price } = this.productOf(first.product.id);
    const margin = record.margin!;
    const fitting = this.world.coupons
      .filter(
        ({ stages, categories, products, minimumAmount = 0, validUntil }) =>
          (stages === undefined || stages.includes(stage)) &&
          (categories === undefined || categories.includes(record.category!)) &&
          (products === undefined || products.includes(first.product!.id)) &&
          price >= minimumAmount &&
          Date.parse(validUntil!) > NOW,
      )
      .map(({ id, label, amountOff, percentOff = 0 }) => ({
        id,
        label: label!,
        cost: amountOff ?? percentOff * price,
      }));
    if (fitting.length === 0) return null;
    const chosen = fitting.find(({ id }) => id === first.coupon?.id) ?? null;
    const others = fitting.filter((one) => one !== chosen);
    const [less, tooDear] = [true, false].map((bearable) =>
      others.filter(({ cost }) => cost <= margin * MAX_MARGIN_SHARE === bearable),
    );
    return { chosen, margin, less: less!, tooDear: tooDear! };
  }
}

const withoutTime = (text: string): string => text.replace(/,"tookMs":[\d.]+/, "");

const calls = { explain };
export type ExplainCalls = typeof calls;
answerCalls(calls);
