/**
 * XGBoost through its C interface (koffi). The only file that touches the library. Every call
 * blocks its thread, so training runs in a process of its own; `onRound` is called between rounds.
 * Works with XGBoost 1.6 and later; the functions used are the same up to 3.x.
 */
import { availableParallelism } from "node:os";
import koffi, { type LibraryHandle } from "koffi";
import { setForLibraries } from "../config.js";
import { CuecardError } from "../errors.js";
import { type Objective, type ParsedModel, parseXgboostJson } from "./xgboost-json.js";

export type { Objective, ParsedModel, Tree } from "./xgboost-json.js";

/** Rows for training or evaluation. */
export interface LabelledRows {
  /** Row-major, `rowCount × columnCount`, NaN where a value is missing. */
  readonly rows: Float32Array;
  readonly rowCount: number;
  /** One a row: 0 or 1 for binary:logistic, graded relevance for rank:ndcg. */
  readonly labels: Float32Array;
  /** One a row; one a group for rank:ndcg. */
  readonly weights?: Float32Array;
  /** Sizes of the consecutive groups that are ranked against each other; only for rank:ndcg. */
  readonly groups?: Uint32Array;
}

export interface RoundProgress {
  /** Starts at 1. */
  readonly round: number;
  readonly rounds: number;
  /** Value of the evaluation metric, when there are evaluation rows. */
  readonly metric?: number;
}

export interface TrainOptions extends LabelledRows {
  readonly columnCount: number;
  readonly objective: Objective;
  /** Passed through as they are: max_depth, eta, monotone_constraints "(1,0,-1)", eval_metric … */
  readonly params?: Readonly<Record<string, string | number>>;
  readonly rounds: number;
  /** Default: every core. Recorded in the model, because sums and so trees may differ by it. */
  readonly threads?: number;
  readonly seed?: number;
  readonly evaluation?: LabelledRows;
  /** Stop when the evaluation metric has not improved for so many rounds. */
  readonly earlyStoppingRounds?: number;
  /** Throwing from it ends the training; everything is freed. */
  readonly onRound?: (progress: RoundProgress) => void;
}

export interface TreeModel extends ParsedModel {
  readonly objective: Objective;
  /** XGBoost's own JSON, cut to the best iteration. */
  readonly json: Uint8Array;
  /** Index of the last round kept. */
  readonly bestIteration: number;
  /** Best value of the evaluation metric, when there were evaluation rows. */
  readonly bestMetric?: number;
  readonly libraryVersion: string;
  readonly threads: number;
}

export interface Xgboost {
  /** `major.minor.patch` */
  readonly version: string;
  trainTrees(options: TrainOptions): TreeModel;
  /** Raw margins by XGBoost itself, one a row: the reference the ONNX graph is held to. */
  predictMargins(model: TreeModel, rows: Float32Array, rowCount: number): Float32Array;
  /**
   * Exact SHAP values on the margin scale, `rowCount × (featureCount + 1)`; the last column is the
   * bias, and each row sums to its margin (Lundberg et al. 2018, as XGBoost's pred_contribs).
   */
  predictContributions(model: TreeModel, rows: Float32Array, rowCount: number): Float32Array;
}

type Handle = bigint;
type Library = ReturnType<typeof bind>;

const CANDIDATE_PATHS = [
  "libxgboost.so.0",
  "libxgboost.so",
  "/usr/lib/x86_64-linux-gnu/libxgboost.so.0",
  "/usr/lib/aarch64-linux-gnu/libxgboost.so.0",
  "/opt/homebrew/opt/xgboost/lib/libxgboost.dylib",
  "/usr/local/opt/xgboost/lib/libxgboost.dylib",
];

const DEFAULT_METRIC: Record<Objective, string> = {
  "binary:logistic": "logloss",
  "rank:ndcg": "ndcg@10",
  "reg:squarederror": "rmse",
};
const PREDICT_MARGIN = 1;
const PREDICT_CONTRIBUTIONS = 2;

/**
 * Loads the library: from `libraryPath` when given, else from where Debian and Homebrew put it.
 * @throws CuecardError `xgboost_missing`
 */
export function loadXgboost(libraryPath?: string): Xgboost {
  const library = bind(openLibrary(libraryPath));
  const version = library.version();
  return {
    version,
    trainTrees: (options) => trainTrees(library, version, options),
    predictMargins: (model, rows, rowCount) =>
      predict(library, model, rows, rowCount, PREDICT_MARGIN),
    predictContributions: (model, rows, rowCount) =>
      predict(library, model, rows, rowCount, PREDICT_CONTRIBUTIONS),
  };
}

function openLibrary(libraryPath: string | undefined): LibraryHandle {
  // Read once, when the library is loaded: threads that wait awake burn a core that others need.
  setForLibraries("OMP_WAIT_POLICY", "PASSIVE");
  const paths = libraryPath === undefined ? CANDIDATE_PATHS : [libraryPath];
  let cause: unknown;
  for (const path of paths) {
    try {
      return koffi.load(path);
    } catch (error) {
      cause = error;
    }
  }
  throw new CuecardError("xgboost_missing", `not found as ${paths.join(", ")}`, { cause });
}

/** The C functions, with their status codes turned into exceptions and outputs into results. */
function bind(handle: LibraryHandle) {
  const lastError = handle.func("const char *XGBGetLastError()");
  const declare = (prototype: string) => {
    const call = handle.func(`int ${prototype}`);
    return (...args: unknown[]): void => {
      if (call(...args) !== 0) throw new Error(`XGBoost: ${String(lastError()).split("\n")[0]}`);
    };
  };
  const versionOf = handle.func(
    "void XGBoostVersion(_Out_ int *major, _Out_ int *minor, _Out_ int *patch)",
  );
  return {
    version: (): string => {
      const parts: [number | null][] = [[null], [null], [null]];
      versionOf(...parts);
      return parts.map(([part]) => part).join(".");
    },
    matrixCreate: declare(
      "XGDMatrixCreateFromMat(const float *data, uint64_t rows, uint64_t columns, float missing, _Out_ void **out)",
    ),
    matrixFree: declare("XGDMatrixFree(void *matrix)"),
    matrixSetFloats: declare(
      "XGDMatrixSetFloatInfo(void *matrix, const char *field, const float *values, uint64_t length)",
    ),
    matrixSetCounts: declare(
      "XGDMatrixSetUIntInfo(void *matrix, const char *field, const uint32_t *values, uint64_t length)",
    ),
    boosterCreate: declare(
      "XGBoosterCreate(void *const *matrices, uint64_t length, _Out_ void **out)",
    ),
    boosterFree: declare("XGBoosterFree(void *booster)"),
    boosterSetParam: declare(
      "XGBoosterSetParam(void *booster, const char *name, const char *value)",
    ),
    boosterUpdate: declare("XGBoosterUpdateOneIter(void *booster, int round, void *matrix)"),
    boosterEvaluate: declare(
      "XGBoosterEvalOneIter(void *booster, int round, void *const *matrices, const char *const *names, uint64_t length, _Out_ const char **out)",
    ),
    boosterSlice: declare(
      "XGBoosterSlice(void *booster, int begin, int end, int step, _Out_ void **out)",
    ),
    boosterSave: declare(
      "XGBoosterSaveModelToBuffer(void *booster, const char *config, _Out_ uint64_t *length, _Out_ void **out)",
    ),
    boosterLoad: declare(
      "XGBoosterLoadModelFromBuffer(void *booster, const void *bytes, uint64_t length)",
    ),
    boosterPredict: declare(
      "XGBoosterPredictFromDMatrix(void *booster, void *matrix, const char *config, _Out_ void **shape, _Out_ uint64_t *dimensions, _Out_ void **out)",
    ),
  };
}

/** Hands out native objects and frees each of them, last first, whatever happens. */
class Natives {
  readonly #library: Library;
  readonly #frees: (() => void)[] = [];

  constructor(library: Library) {
    this.#library = library;
  }

  matrix(rows: Float32Array, rowCount: number, columnCount: number): Handle {
    if (rows.length !== rowCount * columnCount) {
      throw new RangeError(`${rows.length} values are not ${rowCount} rows of ${columnCount}`);
    }
    const out: [Handle | null] = [null];
    this.#library.matrixCreate(rows, rowCount, columnCount, Number.NaN, out);
    return this.#keep(out, this.#library.matrixFree);
  }

  labelledMatrix(data: LabelledRows, columnCount: number): Handle {
    const matrix = this.matrix(data.rows, data.rowCount, columnCount);
    this.#library.matrixSetFloats(matrix, "label", data.labels, data.labels.length);
    if (data.groups !== undefined) {
      this.#library.matrixSetCounts(matrix, "group", data.groups, data.groups.length);
    }
    if (data.weights !== undefined) {
      this.#library.matrixSetFloats(matrix, "weight", data.weights, data.weights.length);
    }
    return matrix;
  }

  booster(matrices: Handle[]): Handle {
    const out: [Handle | null] = [null];
    this.#library.boosterCreate(matrices, matrices.length, out);
    return this.#keep(out, this.#library.boosterFree);
  }

  slice(booster: Handle, rounds: number): Handle {
    const out: [Handle | null] = [null];
    this.#library.boosterSlice(booster, 0, rounds, 1, out);
    return this.#keep(out, this.#library.boosterFree);
  }

  free(): void {
    for (const free of this.#frees.splice(0).reverse()) free();
  }

  #keep(out: [Handle | null], free: (handle: Handle) => void): Handle {
    const handle = out[0];
    if (handle === null) throw new Error("XGBoost gave no object");
    this.#frees.push(() => free(handle));
    return handle;
  }
}

function withNatives<T>(library: Library, use: (natives: Natives) => T): T {
  const natives = new Natives(library);
  try {
    return use(natives);
  } finally {
    natives.free();
  }
}

/**
 * The base score is always set: XGBoost 2 and later would otherwise estimate it. 0.5 is margin 0
 * for logistic; a ranking has no level; a regression starts at the mean label.
 */
function baseScoreOf(options: TrainOptions): number {
  if (options.objective === "binary:logistic") return 0.5;
  if (options.objective === "rank:ndcg") return 0;
  return options.labels.reduce((sum, label) => sum + label, 0) / Math.max(1, options.labels.length);
}

function trainTrees(library: Library, version: string, options: TrainOptions): TreeModel {
  checkTraining(options);
  const threads = options.threads ?? availableParallelism();
  return withNatives(library, (natives) => {
    const train = natives.labelledMatrix(options, options.columnCount);
    const evaluation =
      options.evaluation && natives.labelledMatrix(options.evaluation, options.columnCount);
    const booster = natives.booster(evaluation === undefined ? [train] : [train, evaluation]);
    const params: Record<string, string | number> = {
      tree_method: "hist",
      eval_metric: DEFAULT_METRIC[options.objective],
      ...options.params,
      objective: options.objective,
      base_score: baseScoreOf(options),
      nthread: threads,
      seed: options.seed ?? 0,
      verbosity: 0,
    };
    for (const [name, value] of Object.entries(params)) {
      library.boosterSetParam(booster, name, String(value));
    }
    const outcome = boost(library, booster, train, evaluation, options, String(params.eval_metric));
    const kept = outcome.bestIteration + 1;
    const best = kept < outcome.roundsRun ? natives.slice(booster, kept) : booster;
    const json = saveJson(library, best);
    return {
      ...parseXgboostJson(json),
      objective: options.objective,
      json,
      bestIteration: outcome.bestIteration,
      bestMetric: outcome.bestMetric,
      libraryVersion: version,
      threads,
    };
  });
}

function checkTraining(options: TrainOptions): void {
  const { rowCount, labels, groups, objective, rounds } = options;
  if (rowCount < 1) throw new CuecardError("not_enough_data", "there are no rows to train on");
  if (labels.length !== rowCount) {
    throw new RangeError(`${labels.length} labels for ${rowCount} rows`);
  }
  if (rounds < 1) throw new RangeError("rounds must be at least 1");
  if (objective === "rank:ndcg" && groups === undefined) {
    throw new RangeError("rank:ndcg needs groups");
  }
}

interface BoostOutcome {
  readonly bestIteration: number;
  readonly bestMetric?: number;
  readonly roundsRun: number;
}

function boost(
  library: Library,
  booster: Handle,
  train: Handle,
  evaluation: Handle | undefined,
  options: TrainOptions,
  metricName: string,
): BoostOutcome {
  const sign = /^(auc|aucpr|ndcg|map|pre)/.test(metricName) ? 1 : -1;
  const patience = options.earlyStoppingRounds ?? Number.POSITIVE_INFINITY;
  let bestIteration = -1;
  let bestMetric: number | undefined;
  let round = 0;
  for (; round < options.rounds; round++) {
    library.boosterUpdate(booster, round, train);
    let metric: number | undefined;
    if (evaluation !== undefined) {
      metric = evaluateRound(library, booster, round, evaluation);
      if (bestMetric === undefined || sign * (metric - bestMetric) > 0) {
        bestMetric = metric;
        bestIteration = round;
      }
    }
    options.onRound?.({ round: round + 1, rounds: options.rounds, metric });
    if (evaluation !== undefined && round - bestIteration >= patience) {
      round++;
      break;
    }
  }
  // Without early stopping the evaluation only informs; every round is kept.
  if (evaluation === undefined || options.earlyStoppingRounds === undefined)
    bestIteration = round - 1;
  return { bestIteration, bestMetric, roundsRun: round };
}

/** The library answers e.g. `[3]\tevaluation-logloss:0.41`; the last metric counts. */
function evaluateRound(library: Library, booster: Handle, round: number, matrix: Handle): number {
  const out: [string | null] = [null];
  library.boosterEvaluate(booster, round, [matrix], ["evaluation"], 1, out);
  const text = String(out[0]);
  return Number(text.slice(text.lastIndexOf(":") + 1));
}

function saveJson(library: Library, booster: Handle): Uint8Array {
  const length: [number | bigint | null] = [null];
  const bytes: [Handle | null] = [null];
  library.boosterSave(booster, '{"format":"json"}', length, bytes);
  // Copied, because the buffer belongs to the booster.
  return new Uint8Array(koffi.view(bytes[0], Number(length[0]))).slice();
}

function predict(
  library: Library,
  model: TreeModel,
  rows: Float32Array,
  rowCount: number,
  type: number,
): Float32Array {
  return withNatives(library, (natives) => {
    const booster = natives.booster([]);
    library.boosterLoad(booster, model.json, model.json.length);
    const matrix = natives.matrix(rows, rowCount, model.featureCount);
    const config = {
      type,
      training: false,
      iteration_begin: 0,
      iteration_end: 0,
      strict_shape: false,
    };
    const shape: [Handle | null] = [null];
    const dimensions: [number | null] = [null];
    const values: [Handle | null] = [null];
    library.boosterPredict(booster, matrix, JSON.stringify(config), shape, dimensions, values);
    const width = type === PREDICT_CONTRIBUTIONS ? model.featureCount + 1 : 1;
    return new Float32Array(koffi.view(values[0], rowCount * width * 4)).slice();
  });
}
