/** Decisions wired to the core: what decides now, and what is known of earlier ones. */
import { createHash } from "node:crypto";
import type { Config } from "./config.js";
import type { Core, Followed } from "./core.js";
import type { DecideDependencies } from "./decision/decide.js";
import { DecisionLog } from "./decision/decision-log.js";
import { LastScores } from "./decision/last-scores.js";
import { MemberReader } from "./decision/member-reader.js";
import type { DecisionRecord } from "./decision/record.js";
import type { DecisionRecorder } from "./decision/recorder.js";
import { replay } from "./decision/replay.js";
import { whyNot } from "./decision/why-not.js";
import type { DecisionAnswer, DecisionService } from "./http/services.js";
import { metrics } from "./telemetry.js";

export interface DecisionParts {
  readonly core: Core;
  readonly followed: Followed;
  readonly recorder: DecisionRecorder;
  /** The real time where it is not Date.now. */
  readonly clock?: () => number;
}

/** Hash of the part of the configuration that a decision depends on. */
function decidingHash(config: Config): string {
  const { currency, timezone, locale, attributes, channels, placements, stages, coupons } = config;
  const { callingWindows, contactPolicy, experiments, exploration } = config;
  const shown = { currency, timezone, locale, attributes, channels, placements, stages, coupons };
  const part = JSON.stringify({
    ...shown,
    callingWindows,
    contactPolicy,
    experiments,
    exploration,
  });
  return createHash("sha256").update(part).digest("hex").slice(0, 8);
}

export function decideDependencies({
  core,
  followed,
  recorder,
  clock,
}: DecisionParts): DecideDependencies {
  const { config, schema, store, members, catalog, logger, suppressions, contacts } = core;
  const { couponLedger } = core;
  const hash = decidingHash(config);
  return {
    config,
    schema,
    suppressions,
    contacts,
    clock,
    couponLedger,
    rules: { config, contactPolicy: core.contactPolicy },
    onGuardStop(guard) {
      metrics.guardStops.inc({ guard });
      logger.error({ guard }, "a guard stopped at the last look what should not have come so far");
    },
    reader: new MemberReader(store, members),
    lastScores: new LastScores((id) => core.suppressions.isErased("member", id)),
    heads: followed.heads,
    ranker: followed.ranker,
    alive: () => followed.alive.current(),
    artifacts: () => followed.candidates.current(),
    snapshot: () => catalog.current(),
    onModelError: (error) => logger.error({ err: error }, "a model failed while serving"),
    offers: core.offers,
    versions: () => ({
      alive: followed.alive.meta()?.version ?? null,
      candidates: followed.candidates.meta()?.version ?? null,
      config: hash,
    }),
    record: (decision) => recorder.add(decision),
  };
}

export function decisionLogOf({ core, recorder }: DecisionParts): DecisionLog {
  const { store, log } = core;
  return new DecisionLog(log, recorder, async (member) => (await store.read(member)).erased);
}

export function decisionService(
  { core, followed }: DecisionParts,
  decisions: DecisionLog,
  deciding: DecideDependencies,
): DecisionService {
  const { store } = core;
  const dependencies = {
    ...deciding,
    past: {
      heads: (version: string) => followed.heads.leaseOf(version),
      ranker: (version: string) => followed.ranker.leaseOf(version),
      alive: (version: string) => followed.alive.at(version),
      candidates: (version: string) => followed.candidates.at(version),
      config: () => deciding.versions().config,
      nameOf: async (member: string) => (await store.readThrough(member)).profile?.name ?? null,
    },
  };
  return {
    async get(id, product) {
      const record = await decisions.find(id);
      const answer = answeredRecord(record);
      if (product === undefined) return answer;
      return { ...answer, fate: await whyNot(record, product, dependencies) };
    },
    replay: async (id) => replay(await decisions.find(id), dependencies),
  };
}

const answeredRecord = ({ held, ...record }: DecisionRecord): DecisionAnswer => ({
  ...record,
  held: held.map(([product, price, coupon]) => ({ product, price, coupon })),
});
