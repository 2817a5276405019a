/**
 * How a list of integers becomes bits: a Rice code (quotient by 2^parameter in ones, a zero, then the
 * remainder), its parameter fitted to the list. Gaps between events are close to exponential, and
 * for those no code is more than a few hundredths of a bit shorter.
 * Golomb, Run-length encodings (1966); the parameter by Kiely, Selecting the Golomb Parameter in
 * Rice Coding (2004).
 */

/** A byte: the parameter, and whether a bit before each value says that it is not 0. */
export type BitCode = number;

export const PARAMETER = 0x3f;
export const MARKS_ZEROS = 0x40;
/** Every value is 0, and nothing follows. */
export const ONLY_ZEROS = 0xff;

/** Two parts of 24 bits. */
const MAX_PARAMETER = 48;

/** The best parameter for values of this mean, as if geometric. */
function parameterFor(mean: number): number {
  const scaled = 0.9624 * mean + 0.4812;
  if (scaled < 2 ** 31) return scaled < 2 ? 0 : 31 - Math.clz32(scaled);
  return Math.min(MAX_PARAMETER, Math.floor(Math.log2(scaled)));
}

export function codeFor(values: readonly number[]): BitCode {
  const count = values.length;
  let sum = 0;
  let others = 0;
  for (let i = 0; i < count; i++) {
    sum += values[i]!;
    if (values[i] !== 0) others++;
  }
  if (others === 0) return ONLY_ZEROS;
  const plain = parameterFor(sum / count);
  const marked = parameterFor((sum - others) / others);
  const plainBits = count * (1 + plain) + sum * 2 ** -plain;
  const markedBits = count + others * (1 + marked) + (sum - others) * 2 ** -marked;
  return markedBits < plainBits ? marked | MARKS_ZEROS : plain;
}
