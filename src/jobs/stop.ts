/** Why a run was told to stop. */
import { CuecardError } from "../errors.js";

export type StopCause = "cancelled" | "timeout" | "shutdown" | "taken_over";

const WORDS: Record<StopCause, string> = {
  cancelled: "cancelled",
  timeout: "took longer than its limit",
  shutdown: "the worker is stopping",
  taken_over: "another worker took the job over",
};

export class JobStop extends CuecardError {
  constructor(readonly stopCause: StopCause) {
    super("job_failed", WORDS[stopCause]);
  }
}
