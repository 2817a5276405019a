/** Takes a fused graph apart again, so that a head of the champion can stand beside new ones. */
import { CuecardError } from "../errors.js";
import type { Head } from "./onnx.js";
import { decodeOnnx, type OnnxNode } from "./onnx-proto.js";
import type { Tree } from "./xgboost-json.js";

/**
 * The heads of a graph made by `fuseHeads`, in order; `names` as in its manifest. Fusing them again
 * gives the same answers; covers (what SHAP needs beside the trees) are 0 where an older graph has none.
 * @throws CuecardError `model_invalid` when it is another kind of graph.
 */
export function readHeads(
  graph: Uint8Array,
  names: readonly string[],
  featureCount: number,
): Head[] {
  const { nodes, constants } = decodeOnnx(graph);
  const node = nodes.find(({ op_type }) => op_type === "TreeEnsembleRegressor");
  const vector = (name: string) => constants.find((tensor) => tensor.name === name)?.float_data;
  const [slopes, intercepts] = [vector("slope"), vector("intercept")];
  if (
    node === undefined ||
    slopes?.length !== names.length ||
    intercepts?.length !== names.length
  ) {
    throw new CuecardError("model_invalid", "not a graph of fused heads");
  }
  const base = floats(node, "base_values");
  const trees = readTrees(node);
  return names.map((name, target) => ({
    name,
    model: {
      objective: "binary:logistic",
      trees: trees.filter((tree) => tree.target === target).map(({ tree }) => tree),
      baseMargin: base[target],
      featureCount,
    },
    calibration: { slope: slopes[target], intercept: intercepts[target] },
  }));
}

const attribute = (node: OnnxNode, name: string) =>
  node.attribute?.find((candidate) => candidate.name === name);
const floats = (node: OnnxNode, name: string) => attribute(node, name)?.floats ?? [];
const ints = (node: OnnxNode, name: string) => attribute(node, name)?.ints ?? [];

/** Nodes of one tree stand together and are numbered from 0, as `fuseHeads` wrote them. */
function readTrees(node: OnnxNode): { readonly tree: Tree; readonly target: number }[] {
  const treeIds = ints(node, "nodes_treeids");
  const thresholds = floats(node, "nodes_values");
  const features = ints(node, "nodes_featureids");
  const covers = floats(node, "nodes_hitrates");
  const missingTrue = ints(node, "nodes_missing_value_tracks_true");
  const [whenTrue, whenFalse] = [ints(node, "nodes_truenodeids"), ints(node, "nodes_falsenodeids")];
  const leaves = readLeaves(node);
  const found: { tree: Tree; target: number }[] = [];
  for (let from = 0; from < treeIds.length; ) {
    const id = treeIds[from];
    let to = from;
    while (to < treeIds.length && treeIds[to] === id) to++;
    const own = leaves.get(id);
    const at = Array.from({ length: to - from }, (_, index) => index);
    const isLeaf = (index: number) => own?.weights.has(index) === true;
    found.push({
      target: own?.target ?? 0,
      tree: {
        left: Int32Array.from(at, (index) => (isLeaf(index) ? -1 : whenTrue[from + index])),
        right: Int32Array.from(at, (index) => (isLeaf(index) ? -1 : whenFalse[from + index])),
        feature: Int32Array.from(at, (index) => features[from + index]),
        value: Float32Array.from(
          at,
          (index) => own?.weights.get(index) ?? thresholds[from + index],
        ),
        defaultLeft: Uint8Array.from(at, (index) => missingTrue[from + index]),
        cover: Float32Array.from(at, (index) => covers[from + index] ?? 0),
      },
    });
    from = to;
  }
  return found;
}

interface Leaves {
  readonly target: number;
  /** Value by node. */
  readonly weights: Map<number, number>;
}

function readLeaves(node: OnnxNode): Map<number, Leaves> {
  const [trees, nodes] = [ints(node, "target_treeids"), ints(node, "target_nodeids")];
  const [targets, weights] = [ints(node, "target_ids"), floats(node, "target_weights")];
  const byTree = new Map<number, Leaves>();
  trees.forEach((tree, index) => {
    const leaves = byTree.get(tree) ?? { target: targets[index], weights: new Map() };
    leaves.weights.set(nodes[index], weights[index]);
    byTree.set(tree, leaves);
  });
  return byTree;
}
