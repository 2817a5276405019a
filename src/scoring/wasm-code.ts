/**
 * Writes a WebAssembly module from expressions: the instructions that walking trees needs, no more. An
 * expression is its bytes; run, they leave its value on the stack. Numbers are i32 unless named
 * otherwise; addresses are in bytes.
 * Opcodes: https://webassembly.github.io/spec/core/appendix/index-instructions.html
 */

export type Code = readonly number[];

/** A parameter or local variable, by its number. */
export type Local = number;

export const get = (local: Local): Code => [0x20, ...unsigned(local)];
export const set = (local: Local, value: Code): Code => [...value, 0x21, ...unsigned(local)];

export const int = (value: number): Code => [0x41, ...signed(value)];
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const multiply = (a: Code, b: Code): Code => [...a, ...b, 0x6c];
export const and = (a: Code, b: Code): Code => [...a, ...b, 0x71];
export const shiftLeft = (a: Code, bits: number): Code => [...a, ...int(bits), 0x74];
export const shiftRight = (a: Code, bits: number): Code => [...a, ...int(bits), 0x76];
/** Unsigned. */
export const less = (a: Code, b: Code): Code => [...a, ...b, 0x49];
export const load = (at: Code, offset = 0): Code => [...at, 0x28, 2, ...unsigned(offset)];
export const increase = (local: Local, by: Code): Code => set(local, add(get(local), by));

export const float = (value: number): Code => [
  0x43,
  ...new Uint8Array(Float32Array.of(value).buffer),
];
export const loadFloat = (at: Code, offset = 0): Code => [...at, 0x2a, 2, ...unsigned(offset)];
export const storeFloat = (at: Code, value: Code): Code => [...at, ...value, 0x38, 2, 0];
/** 1 or 0; 0 too where one is NaN. */
export const floatAtLeast = (a: Code, b: Code): Code => [...a, ...b, 0x60];
export const floatsDiffer = (a: Code, b: Code): Code => [...a, ...b, 0x5c];

/** Adds a float to the double at an address. */
export const addToDouble = (at: Code, value: Code): Code => [
  ...at,
  ...[...at, 0x2b, 3, 0],
  ...[...value, 0xbb],
  ...[0xa0, 0x39, 3, 0],
];

export const choose = (condition: Code, yes: Code, no: Code): Code => [
  ...[...yes, ...no, ...condition],
  0x1b,
];

/** At least once, and again as long as `goOn` is not 0. */
export const repeat = (body: Code, goOn: Code): Code => [
  ...[0x03, 0x40, ...body],
  ...[...goOn, 0x0d, 0, 0x0b],
];

/** Answers nothing. Locals are numbered behind the parameters, floats behind the others. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  readonly locals: number;
  readonly floats: number;
  readonly body: Code;
}

const INT = 0x7f;
const FLOAT = 0x7d;

/** A module of functions over the memory imported as `env.memory`. */
export function moduleOf(functions: readonly WasmFunction[]): Uint8Array {
  const numbers = functions.map((_, i) => unsigned(i));
  return Uint8Array.from([
    ...[...ascii("\0asm"), 1, 0, 0, 0],
    ...section(
      1,
      functions.map(({ parameters }) => [0x60, ...list(Array(parameters).fill([INT])), 0]),
    ),
    ...section(2, [[...text("env"), ...text("memory"), 2, 0, 1]]),
    ...section(3, numbers),
    ...section(
      7,
      functions.map(({ name }, i) => [...text(name), 0, ...numbers[i]!]),
    ),
    ...section(
      10,
      functions.map(({ locals, floats, body }) => {
        const declared = list([
          [...unsigned(locals), INT],
          [...unsigned(floats), FLOAT],
        ]);
        return sized([...declared, ...body, 0x0b]);
      }),
    ),
  ]);
}

const section = (id: number, entries: readonly Code[]): Code => [id, ...sized(list(entries))];
const list = (entries: readonly Code[]): Code => [...unsigned(entries.length), ...entries.flat()];
const sized = (bytes: Code): Code => [...unsigned(bytes.length), ...bytes];
const ascii = (value: string): Code => [...Buffer.from(value, "latin1")];
const text = (value: string): Code => sized(ascii(value));

/** LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): Code {
  const rest = value >> 7;
  const isLast = (rest === 0 && (value & 0x40) === 0) || (rest === -1 && (value & 0x40) !== 0);
  return isLast ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(rest)];
}
