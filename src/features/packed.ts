/** Packed binary: the writer and reader every feature family uses. Little-endian; no alignment. */
import { CuecardError } from "../errors.js";

const CAPACITY_BYTES = 8192;

/** Grows nothing: a state is bounded far below the capacity, and a `RangeError` would be a bug. */
export class PackedWriter {
  private readonly buffer = Buffer.allocUnsafe(CAPACITY_BYTES);
  private offset = 0;

  reset(): void {
    this.offset = 0;
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

  private need(bytes: number): number {
    const start = this.offset;
    this.offset += bytes;
    if (this.offset > this.buffer.length) {
      throw new CuecardError("store_incompatible", "a packed member state is cut short");
    }
    return start;
  }
}

/** Newest-first times (epoch seconds) as one absolute value and differences. */
export function writeTimes(writer: PackedWriter, times: readonly number[]): void {
  writer.varint(times.length);
  let previous = 0;
  for (let i = 0; i < times.length; i++) {
    if (i === 0) writer.u32(times[0]!);
    else writer.varint(previous - times[i]!);
    previous = times[i]!;
  }
}

export function readTimes(reader: PackedReader): number[] {
  const count = reader.varint();
  const times = new Array<number>(count);
  for (let i = 0; i < count; i++) {
    times[i] = i === 0 ? reader.u32() : times[i - 1]! - reader.varint();
  }
  return times;
}

/** A quantity kept to three decimals, in as few bytes as it needs: whole ones cost one byte up to 63. */
export function writeQuantity(writer: PackedWriter, quantity: number): void {
  if (Number.isInteger(quantity)) writer.varint(quantity * 2);
  else writer.varint(Math.round(quantity * 1000) * 2 + 1);
}

export function readQuantity(reader: PackedReader): number {
  const coded = reader.varint();
  return coded % 2 === 0 ? coded / 2 : (coded - 1) / 2 / 1000;
}

export const secondsOf = (atMs: number): number => Math.floor(atMs / 1000);
export const roundQuantity = (quantity: number): number => Math.round(quantity * 1000) / 1000;
/** Money as an exact integer of thousandths, so that sums do not depend on order. */
export const toMilli = (amount: number): number => Math.round(amount * 1000);

export const DAY_SECONDS = 86_400;
/** Days from an instant in seconds to `now` in milliseconds; NaN when it never happened (0). */
export const daysSince = (seconds: number, nowMs: number): number =>
  seconds === 0 ? Number.NaN : (nowMs / 1000 - seconds) / DAY_SECONDS;
