/**
 * Reads the tree ensemble out of an ONNX file, as far as it is of the shape our training writes:
 * one TreeEnsembleRegressor, and behind it, for heads, scale, shift and sigmoid.
 */
import protobuf from "protobufjs";

/**
 * The part of onnx.proto3 that is read. Whole numbers there are int64, of the same encoding as int32;
 * ours are all small, and as int32 they are read several times faster.
 */
const SCHEMA = `
syntax = "proto3";
package onnx;
message AttributeProto {
  string name = 1;
  int32 i = 3;
  bytes s = 4;
  repeated float floats = 7;
  repeated int32 ints = 8;
  repeated bytes strings = 9;
}
message NodeProto {
  repeated string input = 1;
  repeated string output = 2;
  string op_type = 4;
  repeated AttributeProto attribute = 5;
}
message TensorProto { repeated float float_data = 4; string name = 8; }
message Dimension { int32 dim_value = 1; }
message TensorShapeProto { repeated Dimension dim = 1; }
message TensorTypeProto { TensorShapeProto shape = 2; }
message TypeProto { TensorTypeProto tensor_type = 1; }
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message GraphProto {
  repeated NodeProto node = 1;
  repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11;
}
message ModelProto { GraphProto graph = 7; }
`;

const modelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("onnx.ModelProto");

interface Attribute {
  readonly name: string;
  readonly i: number;
  readonly s: Uint8Array;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
  readonly strings: readonly Uint8Array[];
}

interface Node {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly op_type: string;
  readonly attribute: readonly Attribute[];
}

interface Graph {
  readonly node: readonly Node[];
  readonly initializer: readonly {
    readonly name: string;
    readonly float_data: readonly number[];
  }[];
  readonly input: readonly {
    readonly type?: { tensor_type?: { shape?: { dim: { dim_value: number }[] } } };
  }[];
}

export interface ReadTree {
  /** Column of the margins that its leaves add to. */
  readonly target: number;
  /** Per node; a leaf has −1. */
  readonly left: readonly number[];
  readonly right: readonly number[];
  readonly feature: readonly number[];
  /** A row goes left when its value is below this; of a leaf what it adds. */
  readonly value: readonly number[];
  /** Whether a missing value goes left. */
  readonly missingLeft: readonly boolean[];
  /** Weight of the training rows that reached the node; absent or empty: the graph does not say. */
  readonly cover?: readonly number[];
}

export interface ReadEnsemble {
  readonly featureCount: number;
  /** One a column of the margins. */
  readonly base: readonly number[];
  readonly trees: readonly ReadTree[];
  /** probability = sigmoid(slope × margin + intercept), one pair a column; null: margins only. */
  readonly calibration: { slope: readonly number[]; intercept: readonly number[] } | null;
}

/** null: a graph of another shape. @throws Error when the bytes are cut short */
export function readTrees(bytes: Uint8Array): ReadEnsemble | null {
  const { graph } = modelProto.decode(bytes) as unknown as { readonly graph: Graph | null };
  if (graph?.input.length !== 1) return null;
  const [ensemble, ...rest] = graph.node;
  const featureCount = graph.input[0]!.type?.tensor_type?.shape?.dim[1]?.dim_value ?? 0;
  if (ensemble?.op_type !== "TreeEnsembleRegressor" || featureCount < 1) return null;
  const attributes = attributesOf(ensemble);
  if (attributes === null) return null;
  const targets = attributes.get("n_targets")?.i ?? 1;
  const base = attributes.get("base_values")?.floats ?? new Array<number>(targets).fill(0);
  const trees = treesOf(attributes);
  if (trees === null || base.length !== targets) return null;
  if (rest.length === 0) return { featureCount, base, trees, calibration: null };
  const calibration = calibrationOf(graph, rest, targets);
  return calibration === null ? null : { featureCount, base, trees, calibration };
}

const KNOWN = new Set([
  "n_targets",
  "base_values",
  "aggregate_function",
  "post_transform",
  "nodes_treeids",
  "nodes_nodeids",
  "nodes_featureids",
  "nodes_values",
  "nodes_modes",
  "nodes_truenodeids",
  "nodes_falsenodeids",
  "nodes_missing_value_tracks_true",
  "nodes_hitrates",
  "target_treeids",
  "target_nodeids",
  "target_ids",
  "target_weights",
]);

const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

function attributesOf({ attribute }: Node): Map<string, Attribute> | null {
  const byName = new Map(attribute.map((one) => [one.name, one]));
  if (![...byName.keys()].every((name) => KNOWN.has(name))) return null;
  const aggregate = textOf(byName.get("aggregate_function")?.s) || "SUM";
  const transform = textOf(byName.get("post_transform")?.s) || "NONE";
  return aggregate === "SUM" && transform === "NONE" ? byName : null;
}

const MODE_LEAF = Buffer.from("LEAF");
const MODE_BRANCH = Buffer.from("BRANCH_LT");

/** Nodes of a tree must stand together, numbered from 0, and leaves in the order of the nodes. */
function treesOf(attributes: ReadonlyMap<string, Attribute>): ReadTree[] | null {
  const ints = (name: string): readonly number[] => attributes.get(name)?.ints ?? [];
  const floats = (name: string): readonly number[] => attributes.get(name)?.floats ?? [];
  const modes = attributes.get("nodes_modes")?.strings ?? [];
  const [treeIds, nodeIds, features] = [
    ints("nodes_treeids"),
    ints("nodes_nodeids"),
    ints("nodes_featureids"),
  ];
  const [trueIds, falseIds] = [ints("nodes_truenodeids"), ints("nodes_falsenodeids")];
  const missingTrue = ints("nodes_missing_value_tracks_true");
  const values = floats("nodes_values");
  const covers = floats("nodes_hitrates");
  const [leafTrees, leafNodes] = [ints("target_treeids"), ints("target_nodeids")];
  const [leafTargets, weights] = [ints("target_ids"), floats("target_weights")];
  const trees: ReadTree[] = [];
  let leaf = 0;
  for (let start = 0, end = 0; start < treeIds.length; start = end) {
    while (end < treeIds.length && treeIds[end] === treeIds[start]) end++;
    const left: number[] = [];
    const right: number[] = [];
    const value: number[] = [];
    const target = leafTargets[leaf]!;
    for (let node = start; node < end; node++) {
      if (nodeIds[node] !== node - start) return null;
      const mode = modes[node];
      if (mode === undefined) return null;
      const isLeaf = MODE_LEAF.equals(mode);
      if (!isLeaf && !MODE_BRANCH.equals(mode)) return null;
      left.push(isLeaf ? -1 : trueIds[node]!);
      right.push(isLeaf ? -1 : falseIds[node]!);
      value.push(isLeaf ? weights[leaf]! : values[node]!);
      if (!isLeaf) continue;
      const isNext = leafTrees[leaf] === treeIds[node] && leafNodes[leaf] === nodeIds[node];
      if (!isNext || leafTargets[leaf++] !== target) return null;
    }
    trees.push({
      target,
      left,
      right,
      feature: features.slice(start, end),
      value,
      missingLeft: Array.from(left, (_, node) => missingTrue[start + node] === 1),
      cover: covers.slice(start, end),
    });
  }
  return leaf === weights.length ? trees : null;
}

/** Exactly `margins` → Mul slope → Add intercept → Sigmoid → `probabilities`. */
function calibrationOf(
  { initializer }: Graph,
  nodes: readonly Node[],
  targets: number,
): ReadEnsemble["calibration"] {
  const [scale, shift, squash] = nodes;
  if (nodes.map((node) => node.op_type).join() !== "Mul,Add,Sigmoid") return null;
  const isChain =
    scale!.input[0] === "margins" &&
    shift!.input[0] === scale!.output[0] &&
    squash!.input[0] === shift!.output[0] &&
    squash!.output[0] === "probabilities";
  const constant = (name: string | undefined): readonly number[] =>
    initializer.find((one) => one.name === name)?.float_data ?? [];
  const slope = constant(scale!.input[1]);
  const intercept = constant(shift!.input[1]);
  const fits = slope.length === targets && intercept.length === targets;
  return isChain && fits ? { slope, intercept } : null;
}
