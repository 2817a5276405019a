/** Asks a serve process's own questions before its port opens, so that no caller pays for a cold start. */
import type { Core } from "./core.js";
import type { Caller, Services } from "./http/services.js";
import { listMembers } from "./members/list-members.js";

/** Twice as many make the first answers no faster. */
const MEMBERS = 5;
/**
 * Times each member is asked about in each placement. The first round costs three times what a later
 * one does, and from the second on they cost the same.
 */
const ROUNDS = 2;
const WARM_UP_MS = 1_000;
/** Ample: what is warmed must not be left out for want of time. */
const BUDGET_MS = 1_000;

const CALLER: Caller = { name: "warm-up", scopes: new Set(["admin"]) };

/**
 * Recommends to some of the store's members and scores them, as dry runs. Takes 1 s at most, and no
 * time while the store is out of reach. Never rejects: a server that is slow at first still serves.
 */
export async function warmUp(
  { client, store, watch, config, logger }: Core,
  services: Pick<Services, "recommend" | "score">,
): Promise<void> {
  if (!watch.up) return;
  const until = performance.now() + WARM_UP_MS;
  try {
    const { records } = await listMembers(client, store, { limit: MEMBERS }, () => true);
    const members = [...records.slice(0, MEMBERS).map(({ id }) => id), "nobody yet"];
    for (let round = 0; round < ROUNDS; round++) {
      for (const member of members) {
        for (const { id: placement } of config.placements) {
          if (performance.now() > until) return;
          const context = { now: Date.now() };
          await services.recommend({ member, placement, budgetMs: BUDGET_MS, context }, CALLER);
        }
      }
      await services.score({ members });
    }
  } catch (error) {
    logger.warn({ err: error }, "the warm-up was cut short: the first answers may be slow");
  }
}
