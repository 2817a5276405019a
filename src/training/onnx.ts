/**
 * Turns XGBoost's trees into ONNX graphs: input `features` float[N, F] with NaN for missing, output
 * `margins` float[N, H] (raw, for ranking) and, for heads, `probabilities` float[N, H]
 * (calibrated).
 *
 * The sigmoid is a node of its own because onnxruntime ignores post_transform=LOGISTIC on
 * regressors.
 */
import { CuecardError } from "../errors.js";
import {
  encodeOnnx,
  floatsAttribute,
  floatVector,
  intAttribute,
  intsAttribute,
  ML_DOMAIN,
  type OnnxNode,
  stringAttribute,
  stringsAttribute,
} from "./onnx-proto.js";
import type { ParsedModel, Tree } from "./xgboost-json.js";

/** probability = sigmoid(slope · margin + intercept) */
export interface Calibration {
  readonly slope: number;
  readonly intercept: number;
}

export interface Head {
  readonly name: string;
  readonly model: ParsedModel;
  readonly calibration: Calibration;
}

/**
 * One graph for several heads over the same features; column h of each output is `heads[h]`. All
 * trees stand in one node with H targets: measured as fast as one node a head (54 and 53 µs a row,
 * three heads of 200 trees of depth 6) and simpler.
 * @throws CuecardError `model_invalid` when a head was trained on another number of features.
 */
export function fuseHeads(heads: readonly Head[], featureCount: number): Uint8Array {
  const models = heads.map((head) => head.model);
  const trees = ensembleNode(models, featureCount);
  const columns = heads.length;
  return encodeOnnx({
    name: heads.map((head) => head.name).join("+"),
    nodes: [
      trees,
      { op_type: "Mul", name: "scale", input: ["margins", "slope"], output: ["scaled"] },
      { op_type: "Add", name: "shift", input: ["scaled", "intercept"], output: ["shifted"] },
      { op_type: "Sigmoid", name: "squash", input: ["shifted"], output: ["probabilities"] },
    ],
    constants: [
      floatVector(
        "slope",
        heads.map((head) => head.calibration.slope),
      ),
      floatVector(
        "intercept",
        heads.map((head) => head.calibration.intercept),
      ),
    ],
    inputs: [{ name: "features", columns: featureCount }],
    outputs: [
      { name: "margins", columns },
      { name: "probabilities", columns },
    ],
  });
}

/** The graph of a ranker: `margins` float[N, 1] only, since a ranking score is no probability. */
export function rankerGraph(model: ParsedModel, featureCount = model.featureCount): Uint8Array {
  return encodeOnnx({
    name: "ranker",
    nodes: [ensembleNode([model], featureCount)],
    constants: [],
    inputs: [{ name: "features", columns: featureCount }],
    outputs: [{ name: "margins", columns: 1 }],
  });
}

const MODE_BRANCH = Buffer.from("BRANCH_LT");
const MODE_LEAF = Buffer.from("LEAF");

/** The columns of a TreeEnsembleRegressor: one entry a node, then one entry a leaf. */
class Ensemble {
  readonly treeIds: number[] = [];
  readonly nodeIds: number[] = [];
  readonly featureIds: number[] = [];
  readonly thresholds: number[] = [];
  readonly modes: Uint8Array[] = [];
  readonly trueIds: number[] = [];
  readonly falseIds: number[] = [];
  readonly missingTrue: number[] = [];
  /** Weight of the training rows that reached the node: what SHAP values are told by. */
  readonly hitRates: number[] = [];
  readonly leafTrees: number[] = [];
  readonly leafNodes: number[] = [];
  readonly leafTargets: number[] = [];
  readonly leafWeights: number[] = [];
  #trees = 0;

  /** XGBoost sends a row left when value < threshold, which is BRANCH_LT's true branch. */
  add(tree: Tree, target: number): void {
    const treeId = this.#trees++;
    for (let node = 0; node < tree.left.length; node++) {
      const isLeaf = tree.left[node] === -1;
      this.treeIds.push(treeId);
      this.nodeIds.push(node);
      this.featureIds.push(tree.feature[node]);
      this.thresholds.push(isLeaf ? 0 : tree.value[node]);
      this.modes.push(isLeaf ? MODE_LEAF : MODE_BRANCH);
      this.trueIds.push(isLeaf ? 0 : tree.left[node]);
      this.falseIds.push(isLeaf ? 0 : tree.right[node]);
      this.missingTrue.push(isLeaf ? 0 : tree.defaultLeft[node]);
      this.hitRates.push(tree.cover[node]);
      if (isLeaf) {
        this.leafTrees.push(treeId);
        this.leafNodes.push(node);
        this.leafTargets.push(target);
        this.leafWeights.push(tree.value[node]);
      }
    }
  }
}

/** One node with a target a model, from `features` to `margins`. */
export function ensembleNode(models: readonly ParsedModel[], featureCount: number): OnnxNode {
  const ensemble = new Ensemble();
  models.forEach((model, target) => {
    if (model.featureCount !== featureCount) {
      throw new CuecardError(
        "model_invalid",
        `a head was trained on ${model.featureCount} features, the graph has ${featureCount}`,
      );
    }
    for (const tree of model.trees) ensemble.add(tree, target);
  });
  return {
    op_type: "TreeEnsembleRegressor",
    domain: ML_DOMAIN,
    name: "trees",
    input: ["features"],
    output: ["margins"],
    attribute: [
      intAttribute("n_targets", models.length),
      floatsAttribute(
        "base_values",
        models.map((model) => model.baseMargin),
      ),
      stringAttribute("aggregate_function", "SUM"),
      stringAttribute("post_transform", "NONE"),
      intsAttribute("nodes_treeids", ensemble.treeIds),
      intsAttribute("nodes_nodeids", ensemble.nodeIds),
      intsAttribute("nodes_featureids", ensemble.featureIds),
      floatsAttribute("nodes_values", ensemble.thresholds),
      stringsAttribute("nodes_modes", ensemble.modes),
      intsAttribute("nodes_truenodeids", ensemble.trueIds),
      intsAttribute("nodes_falsenodeids", ensemble.falseIds),
      intsAttribute("nodes_missing_value_tracks_true", ensemble.missingTrue),
      intsAttribute("target_treeids", ensemble.leafTrees),
      intsAttribute("target_nodeids", ensemble.leafNodes),
      intsAttribute("target_ids", ensemble.leafTargets),
      floatsAttribute("target_weights", ensemble.leafWeights),
      // Trees taken out of an older graph have none.
      ...(ensemble.hitRates.some((cover) => cover > 0)
        ? [floatsAttribute("nodes_hitrates", ensemble.hitRates)]
        : []),
    ],
  };
}
