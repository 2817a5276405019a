/** The members and products a serving bench asks about: the demo world, in a Redis of its own. */
import type {
  CandidateArtifacts,
  PurchaseRecord,
  SessionRecord,
} from "../../src/candidates/artifacts.js";
import { encodeArtifacts } from "../../src/candidates/artifacts-codec.js";
import { buildArtifacts } from "../../src/candidates/build-artifacts.js";
import type { Core } from "../../src/core.js";
import { fillWorld } from "../../src/demo/fill.js";
import { createDemoWorld } from "../../src/demo/world.js";
import type { EventInput } from "../../src/events/event.js";
import type { AliveModel } from "../../src/features/alive.js";
import type { Stage } from "../../src/features/stage.js";
import type { Progress } from "../../src/progress.js";

export interface FilledWorld {
  readonly now: number;
  readonly memberIds: readonly string[];
  readonly products: number;
  readonly events: number;
  readonly artifacts: CandidateArtifacts;
  readonly alive: AliveModel;
}

/** Typical of shops; P(alive) costs the same whatever they are. */
const ALIVE: AliveModel = { r: 0.9, alpha: 40, a: 0.4, b: 2.5 };
const SESSION_GAP_MS = 30 * 60_000;

export async function fillReferenceWorld(
  core: Core,
  options: { members: number; seed: number },
  progress: Progress,
): Promise<FilledWorld> {
  const now = Date.now();
  const world = createDemoWorld({ ...options, now });
  const { catalog, members, ingest } = core;
  const target = {
    catalog: catalog.store,
    refreshCatalog: () => catalog.refresh(),
    putMember: (id: string, input: Parameters<typeof members.put>[1]) => members.put(id, input),
    ingest: (events: readonly unknown[]) => ingest.ingest(events),
  };
  const filled = await fillWorld(world, target, (share, text) => progress.update(share, text));
  const events = [...world.events()];
  const artifacts = buildArtifacts(purchasesOf(events), sessionsOf(events), { asOf: now });
  await core.artifacts.publish("candidates", encodeArtifacts(artifacts));
  await core.artifacts.publish("alive", Buffer.from(JSON.stringify(ALIVE)));
  return {
    now,
    memberIds: world.members.map(({ id }) => id),
    products: world.products.length,
    events: filled.events,
    artifacts,
    alive: ALIVE,
  };
}

const memberOf = ({ member }: EventInput): string => (typeof member === "string" ? member : "");

/** Segments as serving asks for them, roughly: the stage an order count alone would give. */
const segmentAfter = (orders: number): Stage =>
  orders === 1 ? "new" : orders < 4 ? "growth" : "mature";

function* purchasesOf(events: readonly EventInput[]): Generator<PurchaseRecord> {
  const orders = new Map<string, number>();
  for (const event of events) {
    if (event.type !== "purchase") continue;
    const member = memberOf(event);
    const count = (orders.get(member) ?? 0) + 1;
    orders.set(member, count);
    const lines = (event.items ?? []).map(({ product, quantity }) => ({
      product,
      quantity: quantity ?? 1,
    }));
    yield { member, at: event.at, segment: segmentAfter(count), lines };
  }
}

/** Products viewed or carted by one member, cut where they paused. */
function* sessionsOf(events: readonly EventInput[]): Generator<SessionRecord> {
  const open = new Map<string, { at: number; last: number; products: string[] }>();
  for (const event of events) {
    if ((event.type !== "view" && event.type !== "cart_add") || event.product === undefined)
      continue;
    const member = memberOf(event);
    const session = open.get(member);
    if (session !== undefined && event.at - session.last < SESSION_GAP_MS) {
      session.products.push(event.product);
      session.last = event.at;
      continue;
    }
    if (session !== undefined) yield session;
    open.set(member, { at: event.at, last: event.at, products: [event.product] });
  }
  yield* open.values();
}
