/** Packed binary: the writer and reader every feature family uses. Little-endian; no alignment. */
import { CuecardError } from "../errors.js";
import { type BitCode, codeFor, MARKS_ZEROS, ONLY_ZEROS, PARAMETER } from "./bit-code.js";

const CAPACITY_BYTES = 8192;
/** Numbers of more bits are written and read in two parts. */
const HALF_BITS = 24;
const HALF = 2 ** HALF_BITS;
const MAX_INT32 = 2 ** 31 - 1;
/** Of a quotient, written at once. */
const ONES = 16;
/** More values than any list of a state has: a count read beyond it is not one. */
const INTS_MAX = 4096;

/** Grows nothing: a state is bounded far below the capacity, and a `RangeError` would be a bug. */
export class PackedWriter {
  private readonly buffer = Buffer.allocUnsafe(CAPACITY_BYTES);
  private offset = 0;
  private pending = 0;
  private waiting = 0;

  /** Of whatever an encoding that failed half-way left, too: the next member's is not to suffer. */
  reset(): void {
    this.offset = 0;
    this.pending = 0;
    this.waiting = 0;
  }

  /** A copy of what was written since `reset`. */
  take(): Buffer {
    return Buffer.from(this.buffer.subarray(0, this.offset));
  }

  u8(value: number): void {
    this.offset = this.buffer.writeUInt8(value, this.offset);
  }

  u16(value: number): void {
    this.offset = this.buffer.writeUInt16LE(value, this.offset);
  }

  u32(value: number): void {
    this.offset = this.buffer.writeUInt32LE(value, this.offset);
  }

  /** 40-bit unsigned: product fingerprints. */
  u40(value: number): void {
    this.offset = this.buffer.writeUIntLE(value, this.offset, 5);
  }

  f64(value: number): void {
    this.offset = this.buffer.writeDoubleLE(value, this.offset);
  }

  /** LEB128 of a non-negative integer below 2^53. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.buffer[this.offset++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.buffer[this.offset++] = rest;
  }

  /**
   * Non-negative integers below 2^53 of one kind, by a code fitted to them (`bit-code.ts`): a byte
   * that names it, then bits, highest first. The number of values is not written.
   */
  ints(values: readonly number[]): void {
    const code = codeFor(values);
    this.buffer[this.offset++] = code;
    if (code !== ONLY_ZEROS) this.coded(values, code);
  }

  private coded(values: readonly number[], code: BitCode): void {
    const parameter = code & PARAMETER;
    const scale = 2 ** parameter;
    const marksZeros = code >= MARKS_ZEROS;
    for (let i = 0; i < values.length; i++) {
      const value = marksZeros ? values[i]! - 1 : values[i]!;
      if (marksZeros) this.bits(value < 0 ? 0 : 1, 1);
      if (value < 0) continue;
      let quotient: number;
      let rest: number;
      if (value <= MAX_INT32 && parameter <= HALF_BITS) {
        quotient = value >>> parameter;
        rest = value & (scale - 1);
      } else {
        quotient = Math.floor(value / scale);
        rest = value - quotient * scale;
      }
      for (; quotient >= ONES; quotient -= ONES) this.bits(2 ** ONES - 1, ONES);
      // The ones left, and the zero behind them.
      const head = (2 << quotient) - 2;
      if (quotient + parameter < HALF_BITS) {
        this.bits((head << parameter) | rest, quotient + 1 + parameter);
        continue;
      }
      this.bits(head, quotient + 1);
      if (parameter <= HALF_BITS) this.bits(rest, parameter);
      else {
        this.bits(Math.floor(rest / HALF), parameter - HALF_BITS);
        this.bits(rest % HALF, HALF_BITS);
      }
    }
    if (this.waiting > 0) this.bits(0, 8 - this.waiting);
  }

  /** At most 24 bits; fewer than 8 wait for the next. */
  private bits(value: number, count: number): void {
    let pending = (this.pending << count) | value;
    let waiting = this.waiting + count;
    while (waiting >= 8) {
      waiting -= 8;
      this.buffer[this.offset++] = pending >>> waiting;
    }
    pending &= (1 << waiting) - 1;
    this.pending = pending;
    this.waiting = waiting;
  }
}

export class PackedReader {
  private offset = 0;

  constructor(private readonly buffer: Buffer) {}

  u8(): number {
    return this.buffer[this.need(1)]!;
  }

  u16(): number {
    return this.buffer.readUInt16LE(this.need(2));
  }

  u32(): number {
    return this.buffer.readUInt32LE(this.need(4));
  }

  u40(): number {
    return this.buffer.readUIntLE(this.need(5), 5);
  }

  f64(): number {
    return this.buffer.readDoubleLE(this.need(8));
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.buffer[this.need(1)]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  /** `count` integers as `PackedWriter.ints` wrote them. */
  ints(count: number): number[] {
    if (!(count >= 0 && count <= INTS_MAX)) throw unreadable();
    const values = new Array<number>(count);
    const code = this.u8();
    if (code === ONLY_ZEROS) return values.fill(0);
    const parameter = code & PARAMETER;
    const scale = 2 ** parameter;
    const low = Math.min(parameter, HALF_BITS);
    const marksZeros = code >= MARKS_ZEROS;
    const bits = bitReader;
    bits.open(this.buffer, this.offset);
    for (let i = 0; i < count; i++) {
      if (marksZeros && bits.take(1) === 0) {
        values[i] = 0;
        continue;
      }
      let value = bits.ones() * scale;
      if (parameter > HALF_BITS) value += bits.take(parameter - HALF_BITS) * HALF;
      if (low > 0) value += bits.take(low);
      values[i] = marksZeros ? value + 1 : value;
    }
    this.offset = bits.end();
    this.need(0);
    return values;
  }

  private need(bytes: number): number {
    const start = this.offset;
    this.offset += bytes;
    if (this.offset > this.buffer.length) throw unreadable();
    return start;
  }
}

export const unreadable = (): CuecardError =>
  new CuecardError("store_incompatible", "a packed member state is cut short or not readable");

/** Highest bit first. Beyond the end it reads zeros; `end` tells how far it came. */
class BitReader {
  /** The next bits, left-aligned; zeros behind the `have` that are there. */
  private bits = 0;
  private have = 0;

  private buffer: Buffer = Buffer.alloc(0);
  private offset = 0;

  open(buffer: Buffer, offset: number): void {
    this.buffer = buffer;
    this.offset = offset;
    this.bits = 0;
    this.have = 0;
  }

  /** 1 … 24 bits. */
  take(count: number): number {
    if (this.have < count) this.fill();
    const value = this.bits >>> (32 - count);
    this.bits <<= count;
    this.have -= count;
    return value;
  }

  /** How many ones stand before the next zero; the zero is read too. */
  ones(): number {
    let total = 0;
    for (;;) {
      if (this.have === 0) this.fill();
      const ones = Math.clz32(~this.bits);
      // In two steps: a shift by 32 is none.
      this.bits = (this.bits << ones) << 1;
      if (ones < this.have) {
        this.have -= ones + 1;
        return total + ones;
      }
      total += this.have;
      this.bits = 0;
      this.have = 0;
    }
  }

  /** Where the next whole byte is. */
  end(): number {
    return this.offset - (this.have >> 3);
  }

  private fill(): void {
    const { buffer } = this;
    while (this.have <= 24) {
      // Nothing is read beyond the end: that would slow down every other read.
      if (this.offset < buffer.length) this.bits |= buffer[this.offset]! << (24 - this.have);
      this.offset++;
      this.have += 8;
    }
  }
}

const bitReader = new BitReader();

/** Differences of newest-first times, one fewer than times. */
export function gapsOf(times: readonly number[]): number[] {
  const gaps = new Array<number>(times.length - 1);
  for (let i = 0; i < gaps.length; i++) gaps[i] = times[i]! - times[i + 1]!;
  return gaps;
}

export function timesOf(newest: number, gaps: readonly number[]): number[] {
  const times = new Array<number>(gaps.length + 1);
  times[0] = newest;
  for (let i = 0; i < gaps.length; i++) times[i + 1] = times[i]! - gaps[i]!;
  return times;
}

export const secondsOf = (atMs: number): number => Math.floor(atMs / 1000);
export const roundQuantity = (quantity: number): number => Math.round(quantity * 1000) / 1000;
/** Money as an exact integer of thousandths, so that sums do not depend on order. */
export const toMilli = (amount: number): number => Math.round(amount * 1000);

export const DAY_SECONDS = 86_400;
/** Days from an instant in seconds to `now` in milliseconds; NaN when it never happened (0). */
export const daysSince = (seconds: number, nowMs: number): number =>
  seconds === 0 ? Number.NaN : (nowMs / 1000 - seconds) / DAY_SECONDS;
