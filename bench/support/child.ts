/** Processes of a bench and the calls between them. */
import { type ChildProcess, fork } from "node:child_process";
import cluster from "node:cluster";
import { SERVE_NODE_FLAGS } from "../../src/http/cluster.js";
import { compiledPath } from "./compile.js";

/** Name → function; inputs and results travel as structured clones. */
export type Calls = Record<string, (input: never) => unknown>;

interface Question {
  readonly id: number;
  readonly name: string;
  readonly input: unknown;
}
type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/**
 * A cluster worker loses what is sent before it listens, and its modules take most of a second: it says
 * when it does.
 */
const READY = "ready";

/** In the child: answers calls; ends with its parent. */
export function answerCalls(calls: Calls): void {
  process.on("message", async ({ id, name, input }: Question) => {
    let answer: Answer;
    try {
      answer = { id, value: await calls[name](input as never) };
    } catch (error) {
      answer = { id, error: error instanceof Error ? String(error.stack) : String(error) };
    }
    process.send?.(answer);
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.(READY);
}

/** In the parent. `C` is the type of what the child's file gives to `answerCalls`. */
export class Child<C extends Calls> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(e: Error): void }>();
  #count = 0;
  readonly #listens: Promise<void>;

  /**
   * `program`: a file of bench/support, or a process that runs one. `node`: what it runs on, with the
   * flags of a serve process.
   */
  constructor(program: string | ChildProcess, node = process.execPath) {
    const name = typeof program === "string" ? program : "worker";
    const options = {
      serialization: "advanced" as const,
      execPath: node,
      execArgv: [...SERVE_NODE_FLAGS],
    };
    this.#process =
      typeof program === "string" ? fork(compiledPath(program), [], options) : program;
    let listens = () => {};
    this.#listens = new Promise((resolve) => {
      listens = resolve;
    });
    this.#process.on("message", (answer: Answer | typeof READY) => {
      if (answer === READY) return listens();
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("error" in answer) waiting?.reject(new Error(`${name}: ${answer.error}`));
      else waiting?.resolve(answer.value);
    });
    this.#process.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${name} ended: ${code}`));
    });
  }

  async call<N extends keyof C & string>(
    name: N,
    input: Parameters<C[N]>[0],
  ): Promise<Awaited<ReturnType<C[N]>>> {
    await this.#listens;
    const id = ++this.#count;
    return new Promise<Awaited<ReturnType<C[N]>>>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.send({ id, name, input });
    });
  }

  stop(): void {
    if (this.#process.connected) this.#process.disconnect();
  }
}

/** In a child: more processes of its own program, which share their ports as the product's do. */
export function forkWorkers<C extends Calls>(count: number): Child<C>[] {
  cluster.setupPrimary({ serialization: "advanced" });
  return Array.from({ length: count }, () => new Child<C>(cluster.fork().process));
}
