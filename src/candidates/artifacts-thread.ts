/** A thread that reads candidate artifacts, and what follows from them alone. */
import { answerAsked } from "../thread.js";
import { type ArtifactOrders, ordersOf } from "./artifact-orders.js";
import type { CandidateArtifacts } from "./artifacts.js";
import { decodeArtifacts } from "./artifacts-codec.js";

export interface ArtifactsAnswer {
  readonly artifacts: CandidateArtifacts;
  readonly orders: ArtifactOrders;
}

await answerAsked<Uint8Array, ArtifactsAnswer>(async (shared) => {
  // What is handed over cannot be shared memory, nor a view of it.
  const artifacts = decodeArtifacts(new Uint8Array(shared));
  const answer = { artifacts, orders: ordersOf(artifacts) };
  return { answer, transfer: [...buffersIn(answer)] };
});

/** Of all arrays in there, each once. */
function buffersIn(value: object, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  for (const one of Object.values(value)) {
    if (ArrayBuffer.isView(one)) found.add(one.buffer as ArrayBuffer);
    else if (typeof one === "object" && one !== null) buffersIn(one, found);
  }
  return found;
}
