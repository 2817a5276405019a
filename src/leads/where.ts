/**
 * `where`: a CEL expression over `LEAD_FIELDS`, checked whole before anything is read. All numbers are
 * doubles, so whole numbers in the text are read as such; what could run long (regular expressions, a
 * loop in a loop) is refused.
 */
import { type ASTNode, Environment, EvaluationError } from "@marcbachmann/cel-js";
import type { MemberFacts, Scored } from "../decision/member-scores.js";
import { CuecardError } from "../errors.js";
import { LEAD_FIELDS } from "./lead-fields.js";

export interface Where {
  /** Something of it needs the scores of now. */
  readonly usesScores: boolean;
  /** false as well where the expression cannot be computed for this member: a missing attribute. */
  matches(facts: MemberFacts, now: number, scored: Scored | undefined): boolean;
}

const LIMITS = {
  maxAstNodes: 300,
  maxDepth: 24,
  maxListElements: 200,
  maxMapEntries: 50,
  maxCallArguments: 4,
};
const LOOPS: ReadonlySet<string> = new Set(["all", "exists", "exists_one", "map", "filter"]);
const MESSAGE_LENGTH_MAX = 160;

/** `size()` and indexes stay whole numbers: they may meet the doubles all the same. */
function createEnvironment(): Environment {
  const environment = new Environment({ unlistedVariablesAreDyn: false, limits: LIMITS });
  const operators: Record<string, (a: number, b: number) => number> = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "/": (a, b) => a / b,
  };
  for (const [sign, of] of Object.entries(operators)) {
    const mixed = (a: number | bigint, b: number | bigint): number => of(Number(a), Number(b));
    environment.registerOperator(`int ${sign} double`, mixed);
    environment.registerOperator(`double ${sign} int`, mixed);
  }
  environment.registerOperator("int == double", (a, b) => Number(a) === Number(b));
  for (const [name, { type }] of Object.entries(LEAD_FIELDS)) {
    environment.registerVariable(name, type);
  }
  return environment;
}

const environment = createEnvironment();

/** @throws `invalid_request` with the position of what is wrong */
export function compileWhere(text: string): Where {
  const { whole, originOf } = wholeNumbersAsDoubles(text);
  const parsed = parse(whole, originOf);
  const { valid, type, error } = parsed.check();
  if (!valid) throw faultOf(error, originOf);
  if (type !== "bool") throw fault(`is ${type}, and must be true or false`, 0);
  const used = variablesOf(parsed.ast);
  const fields = Object.entries(LEAD_FIELDS).filter(([name]) => used.has(name));
  return {
    usesScores: fields.some(([, { scored }]) => scored === true),
    matches(facts, now, scored) {
      const view = Object.fromEntries(
        fields.map(([name, { of }]) => [name, of(facts, now, scored)]),
      );
      try {
        return parsed(view) === true;
      } catch (error) {
        if (error instanceof EvaluationError) return false;
        throw error;
      }
    },
  };
}

type OriginOf = (position: number) => number;

function parse(text: string, originOf: OriginOf): ReturnType<Environment["parse"]> {
  try {
    return environment.parse(text);
  } catch (error) {
    throw faultOf(error, originOf);
  }
}

/** The text with `3` as `3.0`, and where each of its positions stood before. Refuses what may run long. */
function wholeNumbersAsDoubles(text: string): { whole: string; originOf: OriginOf } {
  const { ast } = parse(text, (position) => position);
  const edits: { end: number; start: number; text: string }[] = [];
  for (const { node, isIndex, inLoop } of nodesOf(ast)) {
    const { start, end } = node.range;
    if (node.op === "call" || node.op === "rcall") {
      if (node.args[0] === "matches") throw fault("regular expressions are not taken", start);
      if (LOOPS.has(node.args[0]) && inLoop)
        throw fault("a loop within a loop is not taken", start);
    }
    if (node.op !== "value" || isIndex) continue;
    const isUnsigned = typeof node.args === "object" && /u$/i.test(text.slice(start, end));
    if (typeof node.args !== "bigint" && !isUnsigned) continue;
    const value = Number(text.slice(start, end).replace(/u$/i, ""));
    edits.push({ start, end, text: value.toFixed(1) });
  }
  edits.sort((a, b) => a.start - b.start);
  let whole = "";
  let from = 0;
  const shifts: { at: number; by: number }[] = [];
  for (const edit of edits) {
    whole += text.slice(from, edit.start) + edit.text;
    from = edit.end;
    shifts.push({ at: whole.length, by: whole.length - edit.end });
  }
  whole += text.slice(from);
  const originOf = (position: number): number =>
    position - (shifts.findLast(({ at }) => at <= position)?.by ?? 0);
  return { whole, originOf };
}

interface Visited {
  readonly node: ASTNode;
  /** What stands in `[…]` behind a list. */
  readonly isIndex: boolean;
  readonly inLoop: boolean;
}

function* nodesOf(node: ASTNode, isIndex = false, inLoop = false): Generator<Visited> {
  yield { node, isIndex, inLoop };
  const isLoop = node.op === "rcall" && LOOPS.has(node.args[0]);
  const children = (Array.isArray(node.args) ? node.args : [node.args]).flat(3) as unknown[];
  for (const [i, child] of children.entries()) {
    if (!isNode(child)) continue;
    // The list itself (args[1] of a call on it) is walked outside the loop.
    yield* nodesOf(child, node.op === "[]" && i === 1, inLoop || (isLoop && i > 1));
  }
}

const isNode = (value: unknown): value is ASTNode =>
  typeof value === "object" && value !== null && "op" in value && "range" in value;

function variablesOf(ast: ASTNode): Set<string> {
  const names = new Set<string>();
  for (const { node } of nodesOf(ast)) if (node.op === "id") names.add(node.args);
  return names;
}

function faultOf(error: unknown, originOf: OriginOf): CuecardError {
  const { summary, range } = error as { summary?: string; range?: { start: number } };
  if (summary === undefined) throw error;
  return fault(summary, originOf(range?.start ?? 0));
}

/** `position` counts from 0 here and from 1 for a person. */
function fault(what: string, position: number): CuecardError {
  const message = `${what.slice(0, MESSAGE_LENGTH_MAX)} (character ${position + 1})`;
  const errors = [{ path: "where", message }];
  return new CuecardError("invalid_request", `where: ${message}`, { errors });
}
