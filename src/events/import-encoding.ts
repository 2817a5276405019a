/** UTF-8 or GB18030: told apart by the bytes, decoded without ever guessing a character. */
import { CuecardError } from "../errors.js";

export type FileEncoding = "utf8" | "gb18030";

export interface StrictDecoder {
  /** Text of the bytes so far; bytes of a character cut in two wait for the next chunk. */
  decode(chunk: Uint8Array): string;
  end(): string;
}

/** Throws `file_invalid` at the first byte that does not belong to the encoding. Drops a BOM. */
export function strictDecoder(encoding: FileEncoding): StrictDecoder {
  const decoder = new TextDecoder(encoding === "utf8" ? "utf-8" : encoding, { fatal: true });
  let bytes = 0;
  const guarded = (decode: () => string): string => {
    try {
      return decode();
    } catch (error) {
      throw notIn(encoding, bytes, error);
    }
  };
  return {
    decode: (chunk) => {
      if (bytes === 0) refuseUtf16(chunk);
      const text = guarded(() => decoder.decode(chunk, { stream: true }));
      bytes += chunk.length;
      return text;
    },
    end: () => guarded(() => decoder.decode()),
  };
}

function notIn(encoding: FileEncoding, bytes: number, cause: unknown): CuecardError {
  const remedy =
    encoding === "utf8"
      ? "say --encoding gb18030 if it comes from Chinese Windows, else save it as UTF-8"
      : "say --encoding utf8, or save it as UTF-8";
  const name = encoding === "utf8" ? "UTF-8" : "GB18030";
  return new CuecardError(
    "file_invalid",
    `the file is not ${name} (after byte ${bytes}): ${remedy}`,
    {
      cause,
    },
  );
}

function refuseUtf16(chunk: Uint8Array): void {
  const mark = (chunk[0]! << 8) | chunk[1]!;
  if (mark === 0xfffe || mark === 0xfeff) {
    throw new CuecardError("file_invalid", "the file is UTF-16: save it as UTF-8");
  }
}

/** Least share of high bytes standing in pairs: 1 in GB2312 text, near 0 in Latin-1. */
const PAIRED_SHARE_MIN = 0.9;

/**
 * UTF-8 if all of it is. Else GB18030 if all of it decodes and nearly every high byte stands beside
 * another, as in everyday Chinese; Latin-1 text has lone high bytes. Else an error that names the
 * option. `open` starts reading from the beginning; it is called twice for a file that is not UTF-8.
 */
export async function detectEncoding(open: () => AsyncIterable<Uint8Array>): Promise<FileEncoding> {
  try {
    await decodeAll(open(), "utf8");
    return "utf8";
  } catch (notUtf8) {
    let high = 0;
    let paired = 0;
    try {
      await decodeAll(open(), "gb18030", (chunk) => {
        for (let i = 0; i < chunk.length; i++) {
          if (chunk[i]! < 0x80) continue;
          high += 1;
          if (chunk[i + 1]! >= 0x80) {
            high += 1;
            paired += 2;
            i += 1;
          }
        }
      });
    } catch {
      throw notUtf8;
    }
    if (paired >= PAIRED_SHARE_MIN * high) return "gb18030";
    throw notUtf8;
  }
}

async function decodeAll(
  chunks: AsyncIterable<Uint8Array>,
  encoding: FileEncoding,
  see: (chunk: Uint8Array) => void = () => undefined,
): Promise<void> {
  const decoder = strictDecoder(encoding);
  for await (const chunk of chunks) {
    decoder.decode(chunk);
    see(chunk);
  }
  decoder.end();
}
