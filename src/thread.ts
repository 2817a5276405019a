/**
 * One question to a thread of its own, which ends with the answer: for what would hold up the thread
 * that serves. A thread reads JavaScript only: where this is source, as in tests, it gets what was
 * compiled of it.
 */
import { constants, setPriority } from "node:os";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { CuecardError, type ErrorCode, isCuecardError } from "./errors.js";

interface Question<Q> {
  readonly question: Q;
  readonly urgent: boolean;
}

type Answer<A> = { readonly answer: A } | { readonly code: ErrorCode; readonly detail: string };

const COMPILED = new URL(import.meta.url.endsWith(".ts") ? "../dist/" : "./", import.meta.url);

/**
 * `file`: what calls `answerAsked`, from src, as it is compiled. `urgent`: false: whoever serves comes
 * first. Of bytes in the question the thread reads those shared with it (`shared`); handed over they
 * must not be: once this thread has given an array away, V8 no longer counts on any typed array to be
 * there (its protector falls, `node --trace-protector-invalidation` shows it), and trees are walked in them.
 * @throws the CuecardError that the thread met; any other Error when it ended without an answer
 */
export async function askThread<Q, A>(
  file: string,
  question: Q,
  { urgent }: { readonly urgent: boolean },
): Promise<A> {
  const asked: Question<Q> = { question, urgent };
  const thread = new Worker(new URL(file, COMPILED), { workerData: asked });
  const message = await new Promise<Answer<A>>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error(`${file} ended without an answer`)));
  });
  if ("code" in message) throw new CuecardError(message.code, message.detail);
  return message.answer;
}

/** A copy that a thread can read where it lies. */
export function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

/** In the thread. `work` answers with what is handed over beside it; what it throws is told. */
export async function answerAsked<Q, A>(
  work: (question: Q) => Promise<{ answer: A; transfer: ArrayBuffer[] }>,
): Promise<void> {
  const { question, urgent } = workerData as Question<Q>;
  // Elsewhere priority belongs to the whole process, not to a thread.
  if (process.platform === "linux" && !urgent)
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  try {
    const { answer, transfer } = await work(question);
    parentPort!.postMessage({ answer } satisfies Answer<A>, transfer);
  } catch (error) {
    if (!isCuecardError(error)) throw error;
    const { code, detail } = error;
    parentPort!.postMessage({ code, detail } satisfies Answer<A>);
  }
}
