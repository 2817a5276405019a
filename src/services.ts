/** The Services HTTP asks for, over the core: thin adapters, no decisions of their own. */
import { setTimeout as sleep } from "node:timers/promises";
import { catalogServices } from "./catalog-services.js";
import type { Core, Followed } from "./core.js";
import type { RecommendationRequest } from "./decision/answer.js";
import { decide } from "./decision/decide.js";
import type { LastScores } from "./decision/last-scores.js";
import type { DecisionRecorder } from "./decision/recorder.js";
import { score } from "./decision/score.js";
import { decideDependencies, decisionLogOf, decisionService } from "./decision-services.js";
import { CuecardError } from "./errors.js";
import { followComponent, readComponent } from "./events/replay.js";
import { timelineOf } from "./events/timeline.js";
import { stageOf } from "./features/stage.js";
import { decodeState } from "./features/state.js";
import { metricsText } from "./http/metrics.js";
import type {
  MemberRecord as AnsweredMember,
  MemberService,
  ModelSummary,
  ReportService,
  Services,
  SuppressionAnswer,
} from "./http/services.js";
import type { JobQueue } from "./jobs/queue.js";
import { leadService } from "./lead-services.js";
import { listMembers } from "./members/list-members.js";
import type { MemberRecord } from "./members/member-store.js";
import { suppressionIdentityOf } from "./members/suppression-identity.js";
import { unmerge } from "./members/unmerge.js";
import { type PopParts, pop, popFallback } from "./pop/pop.js";
import { type ApiKeys, KEYS_FOLLOW_MS } from "./redis/api-keys.js";
import { withDeadline } from "./redis/clients.js";
import { responseServices } from "./response-services.js";

const DAY_MS = 86_400_000;
/** Share of a pop's time for asking whether an id it brought is one of ours. */
const KNOWN_SHARE = 0.3;

export interface ServiceParts {
  readonly core: Core;
  readonly followed: Followed;
  readonly queue: JobQueue;
  readonly keys: ApiKeys;
  readonly recorder: DecisionRecorder;
  readonly reports: ReportService;
  readonly clock?: () => number;
  /** false while starting and stopping. */
  ready(): boolean;
}

export function createServices(parts: ServiceParts): Services {
  const { core, keys } = parts;
  const dependencies = decideDependencies(parts);
  const { lastScores, reader } = dependencies;
  const decisions = decisionLogOf(parts);
  const recommend = (request: RecommendationRequest) => decide(request, dependencies);
  const popParts: PopParts = {
    config: core.config,
    recommend,
    async isKnown(member) {
      const { pop: own, budgetMs } = core.config;
      const timeoutMs = (own.budgetMs ?? budgetMs) * KNOWN_SHARE;
      const record = await withDeadline(reader.readRef(member), timeoutMs).catch(() => null);
      return record !== null;
    },
    onError: (error) => core.logger.error({ err: error }, "a card was made without an answer"),
  };
  return {
    recommend,
    pop: (fields) => pop(fields, popParts),
    popFallback: (fields) => popFallback(fields, core.config.pop),
    score: (request) => score(request, dependencies),
    async ingestEvents(events) {
      requireRoom(core);
      return core.ingest.ingest(events);
    },
    decisions: decisionService(parts, decisions, dependencies),
    ...responseServices({
      core,
      reader,
      find: (id) => decisions.find(id),
      requireRoom: () => requireRoom(core),
    }),
    leads: leadService(parts, dependencies),
    members: memberService(core, lastScores),
    ...catalogServices(core),
    reports: parts.reports,
    suppressions: suppressionService(core),
    models: modelService(parts),
    jobs: jobService(parts.queue),
    keys: {
      async create(input) {
        const created = await keys.create(input);
        await sleep(KEYS_FOLLOW_MS);
        return created;
      },
      list: () => keys.list(),
      async revoke(id) {
        await keys.revoke(id);
        await sleep(KEYS_FOLLOW_MS);
      },
    },
    health: {
      ready: async () => ({ ready: parts.ready(), store: core.watch.up ? "up" : "down" }),
    },
    metricsText,
  };
}

/** Refuses before Redis would: reads and care go on while there is room to breathe. */
function requireRoom({ watch, config }: Core): void {
  if (watch.fullness < config.storeFullRatio) return;
  const percent = Math.round(watch.fullness * 100);
  throw new CuecardError("store_full", `the store is ${percent} % full`, { retryAfterSeconds: 5 });
}

function memberService(core: Core, lastScores: LastScores): MemberService {
  const { members, config, log } = core;
  const dependencies = { ...core, identities: members.identities, readComponent, followComponent };
  const { offers } = core;
  const answered = (record: MemberRecord): AnsweredMember => ({
    ...(record.profile ?? { id: record.id, createdAt: 0, updatedAt: 0 }),
    id: record.id,
    stage: stageOf(decodeState(record.state), Date.now(), config.stages),
  });
  const get = async (id: string): Promise<AnsweredMember> => answered(await members.get(id));
  const after = async (id: string, change: Promise<unknown>): Promise<AnsweredMember> => {
    await change;
    return get(id);
  };
  return {
    get,
    put: (id, input) => after(id, members.put(id, input)),
    patch: (id, input) => after(id, members.patch(id, input)),
    async erase(id) {
      const parts = (await members.get(id)).profile?.merged ?? [];
      const { id: erased, erasedAt } = await members.erase(id);
      lastScores.forget(erased);
      // Behind the tombstone, where no answer is kept for them any more.
      for (const part of new Set([erased, ...parts.map((one) => one.id)])) {
        await offers.forgetCalls(part);
      }
      return { id: erased, erasedAt, completeBy: erasedAt + config.erasureDeadlineDays * DAY_MS };
    },
    async list(page) {
      const wanted = (record: MemberRecord): boolean =>
        page.stage === undefined || answered(record).stage === page.stage;
      const found = await listMembers(core.client, core.store, page, wanted);
      return { items: found.records.map(answered), nextCursor: found.nextCursor };
    },
    merge: (id, from) => after(id, members.merge(id, from)),
    unmerge: (id, from) => after(id, unmerge(dependencies, id, from)),
    async timeline(id, page) {
      const record = await members.get(id);
      return timelineOf(log, record, page);
    },
    async export(id) {
      const record = await members.get(id);
      // One page: each further one would read the whole log of the member again.
      const { items: events } = await timelineOf(log, record, { limit: Number.POSITIVE_INFINITY });
      return { member: record.profile ?? { id: record.id, createdAt: 0, updatedAt: 0 }, events };
    },
  };
}

function suppressionService(core: Core): Services["suppressions"] {
  const { suppressions, store, config } = core;
  const parse = (text: string) => suppressionIdentityOf(text, config.defaultRegion);
  const get = async (text: string): Promise<SuppressionAnswer> => {
    const identity = parse(text);
    const found = await suppressions.get(identity);
    if (found === null) throw new CuecardError("suppression_unknown", "it is not on the list");
    return { identity: `${identity.kind}:${identity.value}`, ...found };
  };
  return {
    get,
    async put(text, { source, reason = "do_not_contact" }) {
      await suppressions.put(parse(text), { source, reason, at: Date.now() });
      return get(text);
    },
    async delete(text, source) {
      const identity = parse(text);
      const { kind, value } = identity;
      if (kind === "member" && (await store.read(value)).erased) {
        throw new CuecardError("conflict", "the bytes of this erased member are not all gone yet");
      }
      if (!(await suppressions.remove(identity, source))) {
        throw new CuecardError("suppression_unknown", "it is not on the list");
      }
    },
    list: (page) => suppressions.list(page),
  };
}

const MODEL_NAMES = ["heads", "ranker"] as const;

function modelService({ core, followed, queue }: ServiceParts): Services["models"] {
  const requireName = (name: string): (typeof MODEL_NAMES)[number] => {
    const known = MODEL_NAMES.find((one) => one === name);
    if (known === undefined) throw new CuecardError("model_unknown", "there are heads and ranker");
    return known;
  };
  const summary = (name: (typeof MODEL_NAMES)[number]): ModelSummary => {
    const manifest = followed[name].manifest();
    return { name, version: manifest?.version ?? null, trainedAt: manifest?.createdAt ?? null };
  };
  const moved = async (
    name: string,
    move: (known: (typeof MODEL_NAMES)[number]) => Promise<unknown>,
  ): Promise<ModelSummary> => {
    const known = requireName(name);
    await move(known);
    await followed[known].refresh();
    return summary(known);
  };
  return {
    list: async () => MODEL_NAMES.map(summary),
    async report(name) {
      const manifest = followed[requireName(name)].manifest();
      if (manifest === null) throw new CuecardError("model_unknown", "it was not trained yet");
      return { ...manifest };
    },
    train: (name) => queue.enqueue("train", { model: requireName(name) }),
    promote: (name, version) => moved(name, (known) => core.models.promote(known, version)),
    rollback: (name) => moved(name, (known) => core.models.rollback(known)),
  };
}

function jobService(queue: JobQueue): Services["jobs"] {
  return {
    async list(page) {
      const { items, nextCursor } = await queue.list(page);
      return {
        items: items.map((job) => ({
          id: job.id,
          name: job.name,
          state: job.state,
          progress: job.progress.percent / 100,
          step: job.progress.text,
          attempts: job.attempts,
          createdAt: job.createdAt,
          startedAt: job.startedAt,
          endedAt: job.finishedAt,
          failure: job.failedReason,
          result: job.result,
        })),
        nextCursor,
      };
    },
    cancel: (id) => queue.cancel(id),
    start: (name) => queue.enqueue(name),
  };
}
