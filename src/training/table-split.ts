/** How a flat table is divided into rows to train on and rows to measure on. */
import { CuecardError } from "../errors.js";
import { seededRandom, shuffle, stratifiedFolds } from "./random.js";
import { dealGroups, groupedFolds } from "./table-groups.js";

export interface Split {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/** @throws CuecardError `usage` */
export function parseSplit(split: string): { kind: string; size: number } {
  const [, kind, text] = /^(kfold|random|order):([\d.]+)$/.exec(split) ?? [];
  const size = Number(text);
  const fits =
    kind === "kfold" ? Number.isInteger(size) && size >= 2 && size <= 100 : size > 0 && size < 1;
  if (kind === undefined || !fits) {
    throw new CuecardError(
      "usage",
      `${split} is no split; give kfold:5, random:0.2 (held out) or order:0.8 (trained on)`,
    );
  }
  return { kind, size };
}

/**
 * `strata` holds one small integer a row of `rows`; rows equal in `groups` stay together, but for
 * `order`, which parts them by time.
 */
export function splitRows(
  rows: Uint32Array,
  strata: ArrayLike<number>,
  split: string,
  seed: number,
  groups?: ArrayLike<number>,
): Split[] {
  const { kind, size } = parseSplit(split);
  if (kind === "kfold") {
    const folds =
      groups === undefined
        ? stratifiedFolds(strata, size, seed)
        : groupedFolds(groups, strata, size, seed);
    return Array.from({ length: size }, (_, fold) => ({
      train: rows.filter((_row, index) => folds[index] !== fold),
      test: rows.filter((_row, index) => folds[index] === fold),
    }));
  }
  if (kind === "order") {
    const cut = Math.round(rows.length * size);
    return [{ train: rows.slice(0, cut), test: rows.slice(cut) }];
  }
  const heldOut =
    groups === undefined
      ? stratifiedShare(strata, size, seed)
      : dealGroups(groups, strata, [1 - size, size], seed);
  return [
    {
      train: rows.filter((_, index) => heldOut[index] === 0),
      test: rows.filter((_, index) => heldOut[index] === 1),
    },
  ];
}

/** 1 for a random share of each stratum, else 0. */
function stratifiedShare(strata: ArrayLike<number>, share: number, seed: number): Uint8Array {
  const random = seededRandom(seed);
  const members = new Map<number, number[]>();
  for (let index = 0; index < strata.length; index++) {
    const list = members.get(strata[index]);
    if (list === undefined) members.set(strata[index], [index]);
    else list.push(index);
  }
  const chosen = new Uint8Array(strata.length);
  for (const list of members.values()) {
    for (const index of shuffle(list, random).slice(0, Math.round(list.length * share))) {
      chosen[index] = 1;
    }
  }
  return chosen;
}
