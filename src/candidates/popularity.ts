/** What is bought most now: in the member's segment and by everyone. */
import type { BoundArtifacts } from "./bind-artifacts.js";
import type { CandidateSource } from "./source.js";

const PROPOSED = 60;
/** Some of the most popular may be excluded, sold out or bought: look this far down the list. */
const LOOKED_AT = 200;

/** Popularity relative to the most popular product, the mean of everyone's and the segment's; 0..1. */
export function popularityOf(bound: BoundArtifacts, segment: string, artifact: number): number {
  const { popularity, segments, segmentPopularity, products } = bound.artifacts;
  if (artifact === -1 || !(popularity[0] > 0)) return 0;
  const overall = popularity[artifact] / popularity[0];
  const row = segments.indexOf(segment);
  const top = row === -1 ? undefined : bound.segmentTop[row][0];
  if (top === undefined) return overall;
  const start = row * products.length;
  const within = segmentPopularity[start + artifact] / segmentPopularity[start + top];
  return (overall + within) / 2;
}

export const popularity: CandidateSource = {
  name: "popularity",
  weight: 1,
  propose({ bound, request }, sink) {
    const { segments, popularity: overall } = bound.artifacts;
    const row = segments.indexOf(request.segment);
    const score = (artifact: number) => popularityOf(bound, request.segment, artifact);
    const ranked: { artifact: number; score: number }[] = [];
    const length = Math.min(LOOKED_AT, overall.length);
    for (let artifact = 0; artifact < length && overall[artifact] > 0; artifact++) {
      ranked.push({ artifact, score: score(artifact) });
    }
    if (row !== -1) {
      for (const artifact of bound.segmentTop[row]) {
        if (artifact >= length) ranked.push({ artifact, score: score(artifact) });
      }
      ranked.sort((a, b) => b.score - a.score || a.artifact - b.artifact);
    }
    let proposed = 0;
    for (const { artifact, score: value } of ranked) {
      const index = bound.toCatalog[artifact];
      if (index === -1 || !(value > 0)) continue;
      sink.add(index, value);
      if (++proposed === PROPOSED) return;
    }
  },
  scoreOf({ bound, request }, index) {
    return popularityOf(bound, request.segment, bound.toArtifact[index]);
  },
};
