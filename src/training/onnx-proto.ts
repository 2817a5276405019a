/**
 * The part of ONNX's protobuf schema that tree graphs need, with the field numbers of onnx.proto
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3), and small builders over it.
 */
import protobuf from "protobufjs";

const SCHEMA = `
syntax = "proto3";
package onnx;
message AttributeProto {
  string name = 1;
  int64 i = 3;
  bytes s = 4;
  repeated float floats = 7;
  repeated int64 ints = 8;
  repeated bytes strings = 9;
  int32 type = 20;
}
message ValueInfoProto { string name = 1; TypeProto type = 2; }
message NodeProto {
  repeated string input = 1;
  repeated string output = 2;
  string name = 3;
  string op_type = 4;
  repeated AttributeProto attribute = 5;
  string domain = 7;
}
message ModelProto {
  int64 ir_version = 1;
  string producer_name = 2;
  GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8;
}
message GraphProto {
  repeated NodeProto node = 1;
  string name = 2;
  repeated TensorProto initializer = 5;
  repeated ValueInfoProto input = 11;
  repeated ValueInfoProto output = 12;
}
message TensorProto {
  repeated int64 dims = 1;
  int32 data_type = 2;
  repeated float float_data = 4;
  string name = 8;
}
message TensorShapeProto {
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
  repeated Dimension dim = 1;
}
message TypeProto {
  message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
  oneof value { Tensor tensor_type = 1; }
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
`;

const modelProto = protobuf.parse(SCHEMA, { keepCase: true }).root.lookupType("onnx.ModelProto");

/** Values of TensorProto.DataType and AttributeProto.AttributeType. */
const FLOAT = 1;
const ATTRIBUTE = { int: 2, string: 3, floats: 6, ints: 7, strings: 8 } as const;

/**
 * IR 8 and opset 17 are read by onnxruntime 1.12 and later; ai.onnx.ml 3 holds the tree ensembles.
 */
const IR_VERSION = 8;
const OPSETS = [
  { domain: "", version: 17 },
  { domain: "ai.onnx.ml", version: 3 },
];
export const ML_DOMAIN = "ai.onnx.ml";

export interface OnnxAttribute {
  readonly name: string;
  readonly type: number;
  readonly i?: number;
  readonly s?: Uint8Array;
  readonly floats?: readonly number[];
  readonly ints?: readonly number[];
  readonly strings?: readonly Uint8Array[];
}

export interface OnnxNode {
  readonly op_type: string;
  readonly name: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly domain?: string;
  readonly attribute?: readonly OnnxAttribute[];
}

export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data_type: number;
  readonly float_data: readonly number[];
}

/** A float matrix that goes in or out: any number of rows, `columns` wide. */
export interface OnnxMatrix {
  readonly name: string;
  readonly columns: number;
}

export const intAttribute = (name: string, i: number): OnnxAttribute => ({
  name,
  type: ATTRIBUTE.int,
  i,
});
export const stringAttribute = (name: string, text: string): OnnxAttribute => ({
  name,
  type: ATTRIBUTE.string,
  s: Buffer.from(text),
});
export const floatsAttribute = (name: string, floats: readonly number[]): OnnxAttribute => ({
  name,
  type: ATTRIBUTE.floats,
  floats,
});
export const intsAttribute = (name: string, ints: readonly number[]): OnnxAttribute => ({
  name,
  type: ATTRIBUTE.ints,
  ints,
});
export const stringsAttribute = (name: string, strings: readonly Uint8Array[]): OnnxAttribute => ({
  name,
  type: ATTRIBUTE.strings,
  strings,
});

/** A constant row vector of float32. */
export const floatVector = (name: string, values: readonly number[]): OnnxTensor => ({
  name,
  dims: [values.length],
  data_type: FLOAT,
  float_data: values,
});

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxTensor[];
  readonly inputs: readonly OnnxMatrix[];
  readonly outputs: readonly OnnxMatrix[];
}

const matrixInfo = (matrix: OnnxMatrix) => ({
  name: matrix.name,
  type: {
    tensor_type: {
      elem_type: FLOAT,
      shape: { dim: [{ dim_param: "N" }, { dim_value: matrix.columns }] },
    },
  },
});

export function encodeOnnx(graph: OnnxGraph): Uint8Array {
  const message = modelProto.create({
    ir_version: IR_VERSION,
    producer_name: "cuecard",
    opset_import: OPSETS,
    graph: {
      name: graph.name,
      node: graph.nodes,
      initializer: graph.constants,
      input: graph.inputs.map(matrixInfo),
      output: graph.outputs.map(matrixInfo),
    },
  });
  return modelProto.encode(message).finish();
}

/** Nodes and constants of a graph `encodeOnnx` wrote; numbers are plain numbers. */
export function decodeOnnx(bytes: Uint8Array): Pick<OnnxGraph, "nodes" | "constants"> {
  const message = modelProto.decode(bytes);
  const { graph } = modelProto.toObject(message, { longs: Number, arrays: true }) as {
    graph: { node: OnnxNode[]; initializer: OnnxTensor[] };
  };
  return { nodes: graph.node, constants: graph.initializer };
}
