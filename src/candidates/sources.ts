/** The registry: every source, in the order of SOURCE_NAMES. */
import { categoryAffinity } from "./category-affinity.js";
import { coPurchase } from "./co-purchase.js";
import { newArrivals } from "./new-arrivals.js";
import { personalFrequency } from "./personal-frequency.js";
import { popularity } from "./popularity.js";
import { replenishment } from "./replenishment.js";
import { sessionNeighbours } from "./session-neighbours.js";
import { type CandidateSource, SOURCE_NAMES } from "./source.js";
import { successors } from "./successors.js";

const all: readonly CandidateSource[] = [
  personalFrequency,
  replenishment,
  coPurchase,
  sessionNeighbours,
  successors,
  categoryAffinity,
  popularity,
  newArrivals,
];

export const candidateSources: readonly CandidateSource[] = SOURCE_NAMES.map((name) => {
  const source = all.find((candidate) => candidate.name === name);
  if (source === undefined) throw new Error(`no source is called ${name}`);
  return source;
});
