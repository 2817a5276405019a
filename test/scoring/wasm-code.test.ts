import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  type Code,
  choose,
  float,
  floatAtLeast,
  floatsDiffer,
  get,
  increase,
  int,
  less,
  moduleOf,
  repeat,
  set,
  storeFloat,
} from "../../src/scoring/wasm-code.js";

const AT = 64;

/** What the code leaves at AT. */
function run(body: Code, parameter = 0): number {
  const module = new WebAssembly.Module(
    moduleOf([{ name: "run", parameters: 1, locals: 1, floats: 0, body }]),
  );
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  (exports.run as (parameter: number) => void)(parameter);
  return new Float32Array(memory.buffer, AT, 1)[0]!;
}

describe("WebAssembly written from expressions", () => {
  it("holds every whole number of 32 bits", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (n) => {
        const address = add(int((AT + n) | 0), int(-n | 0));
        expect(run(storeFloat(address, float(1)))).toBe(1);
      }),
    );
  });

  it("holds every float, and tells by comparison what is missing", () => {
    fc.assert(
      fc.property(fc.float(), fc.float(), (a, b) => {
        const store = (value: Code) => run(storeFloat(int(AT), value));
        expect(store(float(a))).toBe(a);
        const isAtLeast = floatAtLeast(float(a), float(b));
        expect(store(choose(isAtLeast, float(1), float(0)))).toBe(a >= b ? 1 : 0);
        const isMissing = floatsDiffer(float(a), float(a));
        expect(store(choose(isMissing, float(1), float(0)))).toBe(Number.isNaN(a) ? 1 : 0);
      }),
    );
  });

  it("repeats at least once, and as long as it is told to", () => {
    const [times, done] = [0, 1];
    const step = [
      ...increase(done, int(1)),
      ...storeFloat(int(AT), choose(less(get(done), int(3)), float(2), float(3))),
    ];
    const body = [...set(done, int(0)), ...repeat(step, less(get(done), get(times)))];
    expect([0, 1, 2, 3, 200].map((n) => run(body, n))).toEqual([2, 2, 2, 3, 3]);
  });
});
