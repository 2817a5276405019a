/** What every role shares: the store, members, catalog, log and models, wired once. */
import type { CandidateArtifacts } from "./candidates/artifacts.js";
import { CANDIDATE_FEATURES } from "./candidates/features.js";
import { readInThread } from "./candidates/read-in-thread.js";
import { Catalog } from "./catalog/catalog.js";
import { CouponLedger, isLimited } from "./catalog/coupon-ledger.js";
import type { Config } from "./config.js";
import { HEADS } from "./decision/member-scores.js";
import { withDemoWindows } from "./demo/windows.js";
import { CuecardError } from "./errors.js";
import { EventLog } from "./events/event-log.js";
import { Ingest } from "./events/ingest.js";
import { encodeRecord } from "./events/log-record.js";
import { MemberWriter, type StateCodec } from "./events/member-writer.js";
import { createOptOut, type OptOut } from "./events/opt-out.js";
import { createRedeem } from "./events/redeem-coupon.js";
import { createResponseEffects, type ResponseEffects } from "./events/response-effects.js";
import type { AliveModel } from "./features/alive.js";
import {
  createFeatureSchema,
  type FeatureSchema,
  schemaHashOf,
} from "./features/feature-schema.js";
import { decodeState, encodeState, fold, merge } from "./features/state.js";
import { ContactEvents } from "./members/contact-events.js";
import { ContactStore } from "./members/contact-store.js";
import { IdentityStore } from "./members/identity.js";
import { MemberStore } from "./members/member-store.js";
import { Members } from "./members/members.js";
import { OfferStore } from "./members/offer-store.js";
import { parsePhone } from "./members/phone.js";
import { Suppressions } from "./members/suppressions.js";
import { ContactPolicy } from "./policy/contact-policy.js";
import { addressOf } from "./policy/guards.js";
import {
  closeRedis,
  connectRedis,
  type RedisClient,
  type RedisRole,
  whenReady,
} from "./redis/clients.js";
import { readStamp } from "./redis/store-stamp.js";
import { StoreWatch } from "./redis/store-watch.js";
import { ArtifactRegistry, ArtifactSlot } from "./scoring/artifact-registry.js";
import { ModelRegistry } from "./scoring/model-registry.js";
import { ModelSlot } from "./scoring/model-slot.js";
import type { Logger } from "./telemetry.js";

export interface Core {
  /** As given; over the demo world completed by what its operator would have set. */
  readonly config: Config;
  readonly isDemo: boolean;
  readonly logger: Logger;
  readonly client: RedisClient;
  readonly watch: StoreWatch;
  readonly catalog: Catalog;
  readonly store: MemberStore;
  readonly members: Members;
  readonly suppressions: Suppressions;
  readonly contactPolicy: ContactPolicy;
  readonly contacts: ContactStore;
  readonly contactEvents: ContactEvents;
  readonly couponLedger: CouponLedger;
  readonly offers: OfferStore;
  readonly codec: StateCodec;
  readonly writer: MemberWriter;
  readonly ingest: Ingest;
  readonly optOut: OptOut;
  readonly responseEffects: ResponseEffects;
  readonly log: EventLog;
  readonly schema: FeatureSchema;
  readonly models: ModelRegistry;
  readonly artifacts: ArtifactRegistry;
  close(): Promise<void>;
}

const CONNECT_MS = 10_000;

async function connectStore(target: string, role: RedisRole, logger: Logger): Promise<RedisClient> {
  const client = connectRedis(target, role, { logger, name: `cuecard-${role}` });
  await whenReady(client, CONNECT_MS).catch((error: unknown) => {
    if (role === "work") {
      // An open client would keep a one-off command from ending.
      closeRedis(client);
      throw error;
    }
    logger.error("the store is out of reach at start: answers are degraded until it is back");
  });
  return client;
}

/** `target`: what `connectRedis` takes. A store out of reach is no error for a serve process. */
export async function openCore(
  given: Config,
  target: string,
  role: RedisRole,
  logger: Logger,
): Promise<Core> {
  const core = await connectCore(given, target, role, logger);
  await core.catalog.start();
  return core;
}

/** The same before the catalog is loaded: its `start` is the caller's to call. */
export async function connectCore(
  given: Config,
  target: string,
  role: RedisRole,
  logger: Logger,
): Promise<Core> {
  const client = await connectStore(target, role, logger);
  const stamp = await readStamp(client).catch(() => null);
  const isDemo = stamp?.world === "demo";
  const config = isDemo ? withDemoWindows(given) : given;
  const catalog = new Catalog(client, { logger });
  const watch = await new StoreWatch(client).start();
  const store = new MemberStore(client, config.dedupeDays, encodeRecord);
  const suppressions = new Suppressions({
    client,
    store,
    secret: config.suppressionSecret,
    logger,
  });
  await suppressions.start();
  const mergeStates = (a: Buffer | null, b: Buffer | null): Buffer | null =>
    a === null && b === null ? null : encodeState(merge(decodeState(a), decodeState(b)));
  const members = new Members(
    store,
    new IdentityStore(client),
    mergeStates,
    config.defaultRegion,
    suppressions,
  );
  const contact = contactParts(client, members, config);
  const codec = { decode: decodeState, fold, encode: encodeState };
  const finishMerge = finishMergeOf(members);
  const { contactEvents } = contact;
  const writer = new MemberWriter(store, codec, finishMerge, suppressions, contactEvents);
  return {
    config,
    isDemo,
    logger,
    client,
    watch,
    catalog,
    store,
    members,
    suppressions,
    ...contact,
    codec,
    writer,
    ...ingestParts({ config, client, catalog, store, members, suppressions, writer }),
    log: new EventLog(client, config.dataDir, (id) => suppressions.isErased("member", id)),
    schema: createFeatureSchema(config.attributes),
    models: new ModelRegistry(client),
    artifacts: new ArtifactRegistry(client),
    async close() {
      catalog.close();
      watch.close();
      suppressions.close();
      closeRedis(client);
    },
  };
}

const couponsOf = (catalog: Catalog) => (id: string) =>
  catalog.current().coupons.find((coupon) => coupon.id === id);

const finishMergeOf = (members: Members) => (from: string) => members.finishMerge(from);

/** Events as they come in, and what they change beside being counted. */
function ingestParts(
  parts: Pick<
    Core,
    "config" | "client" | "catalog" | "store" | "members" | "suppressions" | "writer"
  >,
): Pick<Core, "couponLedger" | "offers" | "optOut" | "responseEffects" | "ingest"> {
  const { config, client, catalog, store, members, suppressions, writer } = parts;
  const channels = config.channels.map(({ id }) => id);
  const couponLedger = new CouponLedger(client);
  const offers = new OfferStore(client, Math.ceil(config.callHours * 3600));
  const redeem = createRedeem({
    store,
    ledger: couponLedger,
    couponOf: couponsOf(catalog),
    redeemed: async (holder, coupon) => {
      if (isLimited(coupon)) await offers.endCoupon(holder, coupon.id);
    },
  });
  const optOut = createOptOut({ members, suppressions, channels });
  const responseEffects = responseEffectsOf({ members, suppressions, store, config });
  const facts = productFacts(catalog);
  return {
    couponLedger,
    offers,
    optOut,
    responseEffects,
    ingest: new Ingest(writer, members, facts, config, optOut, redeem, responseEffects),
  };
}

/** What a response changes beside contacts: whom and which numbers we leave alone. */
function responseEffectsOf({
  config,
  ...stores
}: Pick<Core, "members" | "suppressions" | "store" | "config">): ResponseEffects {
  return createResponseEffects({
    ...stores,
    addressOf: (id) => addressOf(config.channels.find((one) => one.id === id) ?? { id }),
    phoneOf: (text) => {
      const parsed = parsePhone(text, config.defaultRegion);
      return parsed.kind === "number" ? parsed.e164 : undefined;
    },
  });
}

/** How often somebody may be reached: the limits, what was counted, and what counts. */
function contactParts(
  client: RedisClient,
  members: Members,
  config: Config,
): Pick<Core, "contactPolicy" | "contacts" | "contactEvents"> {
  const contactPolicy = new ContactPolicy(config);
  const { keptMs } = contactPolicy;
  const contacts = new ContactStore(client, { finishMerge: finishMergeOf(members), keptMs });
  const { defaultRegion, channels } = config;
  const phoneChannels = channels.filter((one) => addressOf(one) === "phone").map(({ id }) => id);
  const contactEvents = new ContactEvents(contacts, { keptMs, defaultRegion, phoneChannels });
  return { contactPolicy, contacts, contactEvents };
}

/** What ingest asks of the catalog snapshot; unknown products are registered and seen at once. */
function productFacts(catalog: Catalog): ConstructorParameters<typeof Ingest>[2] {
  const find = (id: string) => {
    const snapshot = catalog.current();
    const index = snapshot.indexOf.get(id);
    return index === undefined ? undefined : snapshot.products[index];
  };
  return {
    categoryOf: (id) => find(id)?.category,
    priceOf: (id) => find(id)?.price,
    isKnown: (id) => find(id) !== undefined,
    async registerSeen(products) {
      await catalog.registerSeen(products);
    },
  };
}

export interface Followed {
  readonly heads: ModelSlot;
  readonly ranker: ModelSlot;
  readonly candidates: ArtifactSlot<CandidateArtifacts>;
  readonly alive: ArtifactSlot<AliveModel>;
  close(): Promise<void>;
}

/** The models and artifacts a serve process follows. */
export async function followModels(core: Core, allowDemo: boolean): Promise<Followed> {
  const { logger, schema, models, artifacts } = core;
  const heads = new ModelSlot("heads", models, {
    logger,
    schema,
    outputs: HEADS,
    probabilities: true,
    allowDemo,
  });
  const ranker = new ModelSlot("ranker", models, {
    logger,
    schema: { names: CANDIDATE_FEATURES, hash: schemaHashOf(CANDIDATE_FEATURES) },
    outputs: ["ranker"],
    probabilities: false,
    allowDemo,
  });
  const candidates: Followed["candidates"] = new ArtifactSlot(
    "candidates",
    artifacts,
    (bytes) => readInThread(bytes, () => core.catalog.current(), candidates.current() === null),
    { logger, verifies: true },
  );
  const alive = new ArtifactSlot("alive", artifacts, decodeAlive, { logger });
  const slots = [heads, ranker, candidates, alive];
  await Promise.all(slots.map((slot) => slot.start()));
  return {
    heads,
    ranker,
    candidates,
    alive,
    async close() {
      await Promise.all(slots.map((slot) => slot.close()));
    },
  };
}

export function decodeAlive(bytes: Buffer): AliveModel {
  const { r, alpha, a, b } = JSON.parse(bytes.toString()) as AliveModel;
  if (![r, alpha, a, b].every((value) => Number.isFinite(value) && value > 0)) {
    throw new CuecardError("model_invalid", "P(alive) parameters must be positive");
  }
  return { r, alpha, a, b };
}
