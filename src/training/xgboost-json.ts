/**
 * Reads XGBoost's JSON model into flat trees. Written against the model schema of XGBoost 1.6 to
 * 3.x; only `gbtree` boosters with numeric splits and one output are accepted.
 */
import { z } from "zod";
import { CuecardError } from "../errors.js";

export type Objective = "binary:logistic" | "rank:ndcg" | "reg:squarederror";

/**
 * One tree as parallel arrays; node 0 is the root. `left[i] === -1` marks a leaf, whose output
 * (already shrunk by the learning rate) is `value[i]`; for a split, `value[i]` is the threshold: a
 * row goes left when `row[feature[i]] < value[i]` in float32, and where `defaultLeft[i]` says when
 * it is missing.
 */
export interface Tree {
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly feature: Int32Array;
  readonly value: Float32Array;
  readonly defaultLeft: Uint8Array;
  /** Sum of hessians of the training rows that reached the node: the weights TreeSHAP needs. */
  readonly cover: Float32Array;
}

export interface ParsedModel {
  readonly objective: string;
  readonly trees: readonly Tree[];
  /** What every row's margin starts from, on the margin scale. */
  readonly baseMargin: number;
  readonly featureCount: number;
}

const flags = z.array(z.union([z.number(), z.boolean()]));
const treeSchema = z.object({
  left_children: z.array(z.number()),
  right_children: z.array(z.number()),
  split_indices: z.array(z.number()),
  split_conditions: z.array(z.number()),
  default_left: flags,
  sum_hessian: z.array(z.number()),
  split_type: z.array(z.number()).optional(),
});

const modelSchema = z.object({
  learner: z.object({
    gradient_booster: z.object({
      name: z.literal("gbtree"),
      model: z.object({ trees: z.array(treeSchema) }),
    }),
    learner_model_param: z.object({ base_score: z.string(), num_feature: z.string() }),
    objective: z.object({ name: z.string() }),
  }),
});

type RawTree = z.infer<typeof treeSchema>;

/** @throws CuecardError `model_invalid` when the bytes are not such a model. */
export function parseXgboostJson(bytes: Uint8Array): ParsedModel {
  let raw: unknown;
  try {
    raw = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"),
    );
  } catch (cause) {
    throw new CuecardError("model_invalid", "the XGBoost model is not JSON", { cause });
  }
  const parsed = modelSchema.safeParse(raw);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new CuecardError(
      "model_invalid",
      `the XGBoost model lacks ${issue.path.join(".")}: ${issue.message}`,
    );
  }
  const { gradient_booster, learner_model_param, objective } = parsed.data.learner;
  return {
    objective: objective.name,
    trees: gradient_booster.model.trees.map(parseTree),
    baseMargin: baseMarginOf(learner_model_param.base_score, objective.name),
    featureCount: Number(learner_model_param.num_feature),
  };
}

/** 3.1 and later write a list with one entry per output; earlier versions one number. */
function baseMarginOf(text: string, objective: string): number {
  const score = Number(text.replace(/^\[|\]$/g, ""));
  if (!Number.isFinite(score)) {
    throw new CuecardError("model_invalid", `base_score ${text} is not one number`);
  }
  return objective === "binary:logistic" ? Math.log(score / (1 - score)) : score;
}

/** Nodes are numbered anew from the root: pruning leaves deleted nodes behind in the arrays. */
function parseTree(raw: RawTree): Tree {
  if (raw.split_type?.some((type) => type !== 0)) {
    throw new CuecardError("model_invalid", "categorical splits are not supported");
  }
  const order = [0];
  const left: number[] = [];
  const right: number[] = [];
  for (let index = 0; index < order.length; index++) {
    const node = order[index];
    if (raw.left_children[node] === -1) {
      left.push(-1);
      right.push(-1);
    } else {
      left.push(order.push(raw.left_children[node]) - 1);
      right.push(order.push(raw.right_children[node]) - 1);
    }
  }
  const isLeaf = (index: number) => left[index] === -1;
  return {
    left: Int32Array.from(left),
    right: Int32Array.from(right),
    feature: Int32Array.from(order, (node, index) => (isLeaf(index) ? 0 : raw.split_indices[node])),
    value: Float32Array.from(order, (node) => raw.split_conditions[node]),
    defaultLeft: Uint8Array.from(order, (node) => Number(raw.default_left[node])),
    cover: Float32Array.from(order, (node) => raw.sum_hessian[node]),
  };
}
