/**
 * A flat list of texts, bytes and numbers as one MessagePack array: a script unpacks it in C, which
 * costs Redis and this process far less than as many arguments of a command.
 */

const HEAD_BYTES = 5;
const FIRST_CAPACITY_BYTES = 64 * 1024;

export class PackedList {
  private buffer = Buffer.allocUnsafe(FIRST_CAPACITY_BYTES);
  private end = HEAD_BYTES;
  private count = 0;

  /** A text or bytes; the script sees the same bytes. */
  add(value: string | Buffer): void {
    this.count++;
    const most = typeof value === "string" ? value.length * 3 : value.length;
    this.reserve(most + 5);
    const { buffer } = this;
    const head = most < 0x1_0000 ? 3 : 5;
    const start = this.end + head;
    const length =
      typeof value === "string" ? buffer.write(value, start, "utf8") : value.copy(buffer, start);
    if (head === 3) {
      buffer[this.end] = 0xda;
      buffer.writeUInt16BE(length, this.end + 1);
    } else {
      buffer[this.end] = 0xdb;
      buffer.writeUInt32BE(length, this.end + 1);
    }
    this.end = start + length;
  }

  /** A whole number within ±2^53. */
  addNumber(value: number): void {
    this.count++;
    this.reserve(9);
    if (value >= 0 && value < 0x80) {
      this.buffer[this.end++] = value;
    } else {
      this.buffer[this.end] = 0xcb;
      this.end = this.buffer.writeDoubleBE(value, this.end + 1);
    }
  }

  clear(): void {
    this.end = HEAD_BYTES;
    this.count = 0;
  }

  /** A copy of the list since `clear`, as one argument. */
  take(): Buffer {
    this.buffer[0] = 0xdd;
    this.buffer.writeUInt32BE(this.count, 1);
    return Buffer.from(this.buffer.subarray(0, this.end));
  }

  private reserve(bytes: number): void {
    const needed = this.end + bytes;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.end);
    this.buffer = grown;
  }
}

const shared = new PackedList();

/** A few values as one argument; a script unpacks it by `cmsgpack.unpack(ARGV[1])`. */
export function packList(values: readonly (string | number)[]): Buffer {
  shared.clear();
  for (const value of values) {
    if (typeof value === "number") shared.addNumber(value);
    else shared.add(value);
  }
  return shared.take();
}
