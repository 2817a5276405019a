/** The contract between the command and the measurement of one data set. */
import type { Xgboost } from "../../src/training/xgboost.js";
import type { SetFigures } from "./result.js";

export interface SetContext {
  /** Path of a file of the set's own folder. */
  readonly path: (name: string) => string;
  readonly xgboost: Xgboost;
  readonly xgboostLibrary: string | undefined;
  readonly seed: number;
  readonly threads: number;
  /** `share`: 0…1 of this set. */
  readonly onProgress: (share: number, text: string) => void;
  /** Keeps a plot beside the report and answers its path there. */
  readonly plot: (name: string, svg: string) => string;
}

export interface QualitySet {
  /** What `--only` names. */
  readonly id: string;
  readonly title: string;
  /** Under the data folder. */
  readonly folder: string;
  /** What it cannot be measured without. */
  readonly files: readonly string[];
  readonly measure: (context: SetContext) => Promise<SetFigures>;
}
