/**
 * Scores rows with an ONNX graph. The only file that touches onnxruntime.
 * onnxruntime-node runs on the calling thread, so a session has one thread and never spins.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { CuecardError } from "../errors.js";
import type { Scorer, Scores } from "./scorer.js";

export interface OnnxScorerOptions {
  /**
   * Threads inside one operator; more than one only pays for jobs that score many rows. Default 1.
   */
  readonly threads?: number;
}

const INPUT = "features";
const MARGINS = "margins";
const PROBABILITIES = "probabilities";
/** 4: fatal only. Faults come back as exceptions, so that the library need not write to stderr. */
const LOG_FATAL = 4;

/**
 * Opens a graph with input `features` float[N, F] and outputs `margins` float[N, H] and,
 * optionally, `probabilities` float[N, H]. Blocks about 30 ms for 2 MB.
 * @throws CuecardError `model_invalid` when the bytes are not such a graph.
 */
export async function loadOnnxScorer(
  bytes: Uint8Array,
  options: OnnxScorerOptions = {},
): Promise<Scorer> {
  const session = await openSession(bytes, options.threads ?? 1);
  try {
    return scorerOver(session);
  } catch (error) {
    await session.release();
    throw error;
  }
}

async function openSession(bytes: Uint8Array, threads: number): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionProviders: ["cpu"],
      executionMode: "sequential",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      // Row counts vary from call to call, which a memory pattern cannot follow.
      enableMemPattern: false,
      logSeverityLevel: LOG_FATAL,
      extra: { session: { intra_op: { allow_spinning: "0" }, inter_op: { allow_spinning: "0" } } },
    });
  } catch (cause) {
    const why = (cause as Error).message.split("\n")[0];
    throw new CuecardError("model_invalid", `not a readable ONNX graph: ${why}`, { cause });
  }
}

function scorerOver(session: InferenceSession): Scorer {
  const featureCount = columnsOf(session.inputMetadata, INPUT);
  const width = columnsOf(session.outputMetadata, MARGINS);
  const outputs = session.outputNames.filter((name) => name === MARGINS || name === PROBABILITIES);
  const hasProbabilities = outputs.includes(PROBABILITIES);
  if (session.inputNames.length !== 1 || outputs.length !== session.outputNames.length) {
    throw refused(
      `inputs ${session.inputNames.join(", ")}; outputs ${session.outputNames.join(", ")}`,
    );
  }
  if (hasProbabilities && columnsOf(session.outputMetadata, PROBABILITIES) !== width) {
    throw refused(`${PROBABILITIES} and ${MARGINS} differ in width`);
  }
  let released = false;
  return {
    featureCount,
    width,
    outputs,
    async run(rows: Float32Array, rowCount: number): Promise<Scores> {
      const length = rowCount * featureCount;
      if (rows.length < length) throw new RangeError(`${rows.length} values for ${length}`);
      if (released) throw new Error("the scorer was released");
      const data = rows.length === length ? rows : rows.subarray(0, length);
      const input = new Tensor("float32", data, [rowCount, featureCount]);
      const results = await session.run({ [INPUT]: input });
      return {
        margins: results[MARGINS].data as Float32Array,
        probabilities: hasProbabilities ? (results[PROBABILITIES].data as Float32Array) : undefined,
      };
    },
    async release(): Promise<void> {
      if (released) return;
      released = true;
      await session.release();
    },
  };
}

const refused = (why: string) =>
  new CuecardError(
    "model_invalid",
    `expected ${INPUT} float[N, F] → ${MARGINS} float[N, H], ${PROBABILITIES} float[N, H]: ${why}`,
  );

/** Second dimension of a float matrix of the graph. */
function columnsOf(metadata: readonly InferenceSession.ValueMetadata[], name: string): number {
  const value = metadata.find((entry) => entry.name === name);
  if (value === undefined) throw refused(`there is no ${name}`);
  if (!value.isTensor || value.type !== "float32" || value.shape.length !== 2) {
    throw refused(`${name} is not a float matrix`);
  }
  const columns = value.shape[1];
  if (typeof columns !== "number" || columns < 1) throw refused(`${name} has no fixed width`);
  return columns;
}

/**
 * Runs a model once before it serves, on rows that travel with it (or all-missing rows), and checks
 * every output: the right length, finite, probabilities within [0, 1].
 * @throws CuecardError `model_invalid`
 */
export async function warm(scorer: Scorer, rows: Float32Array): Promise<void> {
  if (rows.length === 0 || rows.length % scorer.featureCount !== 0) {
    throw new CuecardError(
      "model_invalid",
      `the warm-up rows do not fit a model of ${scorer.featureCount} features`,
    );
  }
  const rowCount = rows.length / scorer.featureCount;
  let scores: Scores;
  try {
    scores = await scorer.run(rows, rowCount);
  } catch (cause) {
    throw new CuecardError("model_invalid", "the model failed on its warm-up rows", { cause });
  }
  const { margins, probabilities } = scores;
  const length = rowCount * scorer.width;
  if (margins.length !== length || (probabilities && probabilities.length !== length)) {
    throw new CuecardError("model_invalid", "the model answers another number of rows");
  }
  if (!margins.every(Number.isFinite)) {
    throw new CuecardError("model_invalid", "the model answers margins that are not finite");
  }
  if (probabilities && !probabilities.every((value) => value >= 0 && value <= 1)) {
    throw new CuecardError("model_invalid", "the model answers probabilities outside [0, 1]");
  }
}
