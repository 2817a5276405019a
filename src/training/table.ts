/**
 * Models from flat tables: what the commands `train table`, `score table` and `evaluate table`
 * call. A table is one CSV with a label column; a model directory holds the ONNX graph, its
 * manifest and a report.
 */

export type { BaselineName } from "./table-baselines.js";
export type { TableOptions, TableProgress } from "./table-data.js";
export {
  type BaselineEvaluation,
  type EvaluateTableOptions,
  evaluateTable,
  evaluationJson,
  type TableEvaluation,
} from "./table-evaluate.js";
export type { HeldOut, Metrics } from "./table-held-out.js";
export { type ScoredTable, type ScoreTableOptions, scoreTable } from "./table-score.js";
export { type TrainedTable, type TrainTableOptions, trainTable } from "./table-train.js";
