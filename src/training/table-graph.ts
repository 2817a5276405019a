/**
 * A table model as one ONNX graph: input `features` float[N, F], outputs `margins` and
 * `probabilities` float[N, H]. Each head is a weighted sum of parts; the trees of all heads that see
 * the same features share a node, linear parts become a few element-wise nodes and a MatMul.
 */
import type { LinearModel } from "./linear.js";
import { type Calibration, ensembleNode } from "./onnx.js";
import {
  encodeOnnx,
  floatVector,
  intAttribute,
  type OnnxNode,
  type OnnxTensor,
} from "./onnx-proto.js";
import type { WeightedPart } from "./table-parts.js";

export interface GraphHead {
  readonly name: string;
  readonly parts: readonly WeightedPart[];
  readonly calibration: Calibration;
}

/** TensorProto.DataType of float32. */
const FLOAT = 1;

/** @throws CuecardError `model_invalid` when a part has another number of features. */
export function tableGraph(heads: readonly GraphHead[], featureCount: number): Uint8Array {
  const graph = new GraphBuilder(featureCount);
  const columns = heads.map(({ parts }, head) =>
    graph.sum(
      parts.map((part, index) => graph.part(part, `head${head}_part${index}`)),
      `head${head}_margin`,
    ),
  );
  graph.add("Concat", columns, "margins", [intAttribute("axis", 1)]);
  const slope = graph.vector(
    "slope",
    heads.map(({ calibration }) => calibration.slope),
  );
  const intercept = graph.vector(
    "intercept",
    heads.map(({ calibration }) => calibration.intercept),
  );
  graph.add("Mul", ["margins", slope], "scaled");
  graph.add("Add", ["scaled", intercept], "shifted");
  graph.add("Sigmoid", ["shifted"], "probabilities");
  return encodeOnnx({
    name: heads.map(({ name }) => name).join("+"),
    nodes: graph.nodes,
    constants: graph.constants,
    inputs: [{ name: "features", columns: featureCount }],
    outputs: [
      { name: "margins", columns: heads.length },
      { name: "probabilities", columns: heads.length },
    ],
  });
}

class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly constants: OnnxTensor[] = [];

  constructor(readonly featureCount: number) {}

  add(
    op_type: string,
    input: readonly string[],
    output: string,
    attribute: OnnxNode["attribute"] = [],
  ): string {
    this.nodes.push({ op_type, name: `make_${output}`, input, output: [output], attribute });
    return output;
  }

  vector(name: string, values: ArrayLike<number>): string {
    this.constants.push(floatVector(name, Array.from(values)));
    return name;
  }

  /** A matrix of one column. */
  #column(name: string, values: ArrayLike<number>): string {
    const dims = [values.length, 1];
    this.constants.push({ name, dims, data_type: FLOAT, float_data: Array.from(values) });
    return name;
  }

  sum(terms: readonly string[], output: string): string {
    return terms.reduce((left, right, index) =>
      this.add("Add", [left, right], index === terms.length - 1 ? output : `${output}_${index}`),
    );
  }

  /** Weighted margin of a part, float[N, 1]. */
  part({ trees, linear, shift, weight }: WeightedPart, name: string): string {
    const input =
      shift === undefined
        ? "features"
        : this.add("Sub", ["features", this.vector(`${name}_shift`, shift)], `${name}_input`);
    const margin = linear === undefined ? `${name}_trees` : this.#linear(linear, input, name);
    if (trees !== undefined) {
      const node = ensembleNode([trees], this.featureCount);
      this.nodes.push({ ...node, name: `make_${margin}`, input: [input], output: [margin] });
    }
    return this.add("Mul", [margin, this.vector(`${name}_weight`, [weight])], `${name}_weighted`);
  }

  /** The formula of `LinearModel`, in its order. */
  #linear(model: LinearModel, input: string, name: string): string {
    const { low, high, centre, scale } = model.scaling;
    const at = (what: string) => `${name}_${what}`;
    const constant = (what: string, values: ArrayLike<number>) => this.vector(at(what), values);
    const missing = this.add("IsNaN", [input], at("missing"));
    const centred = constant("centre", centre);
    const filled = this.add("Where", [missing, centred, input], at("filled"));
    const above = this.add("Max", [filled, constant("low", low)], at("above"));
    const clipped = this.add("Min", [above, constant("high", high)], at("clipped"));
    const distance = this.add("Sub", [clipped, centred], at("distance"));
    const z = this.add("Mul", [distance, constant("scale", scale)], at("z"));
    const product = (values: string, weights: ArrayLike<number>, what: string) =>
      this.add("MatMul", [values, this.#column(at(`${what}_weights`), weights)], at(what));
    const flags = this.add("Cast", [missing], at("flags"), [intAttribute("to", FLOAT)]);
    const terms = [product(z, model.weights, "straight"), product(flags, model.flags, "flagged")];
    model.bends.forEach(({ knots, weights }, bend) => {
      if (weights.every((weight) => weight === 0)) return;
      // Where there is no bend the knot is infinite and the weight 0, and 0 does as well.
      const finite = knots.map((knot) => (Number.isFinite(knot) ? knot : 0));
      const beyond = this.add("Sub", [z, constant(`knots${bend}`, finite)], at(`beyond${bend}`));
      const bent = this.add("Relu", [beyond], at(`bent${bend}`));
      terms.push(product(bent, weights, `bend${bend}`));
    });
    const sum = this.sum(terms, at("sum"));
    return this.add("Add", [sum, constant("start", [model.intercept])], at("margin"));
  }
}
