/** The next order after the cut, by the ranker trained before it, in repeats and in what is new. */
import { replayMembers } from "../../src/events/replay.js";
import type { StoredModel } from "../../src/scoring/model-registry.js";
import { loadOnnxScorer } from "../../src/scoring/onnx-scorer.js";
import { bootstrapMeans, groupRows } from "../../src/training/bootstrap-means.js";
import { ExampleCollector, firstSales } from "../../src/training/ranker-examples.js";
import {
  byGraph,
  byPersonalFrequency,
  byPopularity,
  figuresOfMethod,
  type Method,
  type RankedFigures,
  type RankerSlice,
} from "../../src/training/ranker-figures.js";
import { DAY_MS } from "../../src/training/survey.js";
import { RANKER_HORIZON_DAYS, rankerSlice } from "../../src/training/train-ranker.js";
import { bestOf } from "./baselines.js";
import { counted, type SetFigures, shown, withInterval } from "./result.js";
import type { SetContext } from "./set.js";
import type { Shop } from "./shop-heads.js";

const EXAMPLES_MAX = 3_000;
const OWN = "cuecard";
const FIGURES = ["ndcg", "recall", "recallRepeat", "recallExplore"] as const;

/** The member's latest bought products first, filled up by popularity. */
function byRecency(slice: RankerSlice): Method {
  const popular = byPopularity(slice);
  return async (example, set) => {
    const own = [...set.view.product.subarray(0, set.view.count)];
    const rest = (await popular(example, set)).filter((product) => !own.includes(product));
    return [...own, ...rest];
  };
}

export interface LaterRanker {
  readonly model: StoredModel;
  readonly slices: readonly RankerSlice[];
}

export async function measureRanker(
  { model, slices }: LaterRanker,
  context: SetContext,
): Promise<Omit<SetFigures, "protocol">> {
  const scorer = await loadOnnxScorer(model.bytes);
  const figures: Record<string, RankedFigures[]> = {};
  const members: number[] = [];
  for (const [index, slice] of slices.entries()) {
    context.onProgress(0.86 + 0.13 * (index / slices.length), "ranking products");
    const methods: Record<string, Method> = {
      [OWN]: byGraph(scorer, slice),
      popularity: byPopularity(slice),
      "GP-TopFreq": byPersonalFrequency(slice),
      recency: byRecency(slice),
    };
    for (const [name, method] of Object.entries(methods)) {
      figures[name] = [...(figures[name] ?? []), await figuresOfMethod(slice, method)];
    }
    members.push(...slice.examples.slice(0, EXAMPLES_MAX).map(({ member }) => member));
  }
  await scorer.release();
  return report(figures, members, slices, context.seed);
}

/** Instants a horizon apart, from the cut on. */
export async function laterSlices({ deps, survey, cut }: Shop): Promise<RankerSlice[]> {
  const instants: number[] = [];
  const horizonMs = RANKER_HORIZON_DAYS * DAY_MS;
  for (let at = cut; at + horizonMs <= survey.to; at += horizonMs) instants.push(at);
  const collector = new ExampleCollector(instants, deps.snapshot, deps.stages, {
    horizonDays: RANKER_HORIZON_DAYS,
    perInstantMax: EXAMPLES_MAX,
  });
  for await (const member of replayMembers(deps.reader)) collector.add(member);
  const last = instants.length - 1;
  const slices = { train: [], calibrate: last, promote: last, report: last, shared: false };
  const data = {
    plan: { instants, slices },
    examples: collector.finish(),
    survey,
    snapshot: deps.snapshot,
  };
  const first = firstSales(survey.purchases, deps.snapshot);
  return instants.map((_, index) => rankerSlice(data, index, first));
}

function report(
  figures: Readonly<Record<string, readonly RankedFigures[]>>,
  members: readonly number[],
  slices: readonly RankerSlice[],
  seed: number,
): Omit<SetFigures, "protocol"> {
  const methods = Object.keys(figures);
  const valuesOf = (method: string, figure: (typeof FIGURES)[number]): Float64Array =>
    Float64Array.from(figures[method].flatMap((one) => [...one[figure]]));
  const own = methods.map((method) => FIGURES.map((figure) => valuesOf(method, figure)));
  const gaps = own.map((series) => series[0].map((value, row) => own[0][0][row] - value));
  const means = bootstrapMeans([...own.flat(), ...gaps], groupRows(members), { seed });
  const at = (method: number, figure: number) => means[method * FIGURES.length + figure];
  const gapAt = (method: number) => means[own.length * FIGURES.length + method];
  const baselines = Object.fromEntries(
    methods.slice(1).map((method, index) => [method, at(index + 1, 0).mean]),
  );
  const over = bestOf(baselines);
  const gap = gapAt(methods.indexOf(over));
  const lead = { over, difference: gap.mean, ...gap.interval };
  const days = slices.map(({ instant }) => new Date(instant).toISOString().slice(0, 10)).join(", ");
  return {
    rows: [
      {
        row: "online-retail, next order (product ranker)",
        metric: "NDCG@10",
        ours: at(0, 0).mean,
        interval: at(0, 0).interval,
        baselines,
        lead,
        floor: { text: "beats baselines", reached: lead.difference > 0 },
        target: { text: "lead > 0 at 95 %", reached: lead.low > 0 },
      },
    ],
    tables: [
      {
        caption: `The next order within ${RANKER_HORIZON_DAYS} days, asked on ${days} (${counted(members.length)} orders), ten suggestions:`,
        rows: [
          ["method", "NDCG@10", "Recall@10", "of repeats", "of what is new", "our lead, NDCG@10"],
          ...methods.map((method, index) => [
            method,
            ...FIGURES.map((_, figure) => shown(at(index, figure).mean)),
            index === 0 ? "" : withInterval(gapAt(index).mean, gapAt(index).interval),
          ]),
        ],
      },
    ],
    text: [
      "Recall is parted into products the customer had bought before and products new to them: methods that only repeat reach nothing of the second part.",
    ],
    plots: [],
  };
}
