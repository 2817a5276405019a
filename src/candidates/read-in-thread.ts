/** Reads candidate artifacts without holding up the thread that serves. */
import type { CatalogSnapshot } from "../catalog/snapshot.js";
import { askThread, shared } from "../thread.js";
import { keepOrders } from "./artifact-orders.js";
import type { CandidateArtifacts } from "./artifacts.js";
import type { ArtifactsAnswer } from "./artifacts-thread.js";
import { bindInTurns } from "./bind-artifacts.js";

/**
 * The artifacts, bound to the snapshot of now. `urgent`: nothing serves yet.
 * @throws CuecardError `model_invalid` like `decodeArtifacts`
 */
export async function readInThread(
  bytes: Uint8Array,
  snapshot: () => CatalogSnapshot,
  urgent: boolean,
): Promise<CandidateArtifacts> {
  const { artifacts, orders } = await askThread<Uint8Array, ArtifactsAnswer>(
    "candidates/artifacts-thread.js",
    shared(bytes),
    { urgent },
  );
  keepOrders(artifacts, orders);
  await bindInTurns(artifacts, snapshot());
  return artifacts;
}
