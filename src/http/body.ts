/** Bodies: read with a limit and a deadline, checked for type, parsed from bytes. */
import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { CuecardError } from "../errors.js";

/** Deeper nesting is no request of ours and could exhaust the stack of whoever walks it. */
const DEPTH_MAX = 64;
/** Fewer bytes cannot nest deep enough to harm. */
const DEPTH_CHECK_BYTES = 4_096;

/** The client went away: there is nobody to answer. */
export class ClientGone extends Error {}

/** `1 MiB` for 1,048,576. */
export const sizeText = (bytes: number): string =>
  bytes % 1_048_576 === 0 ? `${bytes / 1_048_576} MiB` : `${Math.round(bytes / 1024)} KiB`;

const tooLarge = (limitBytes: number): CuecardError =>
  new CuecardError(
    "body_too_large",
    `the limit here is ${sizeText(limitBytes)} (${limitBytes} bytes)`,
  );

/**
 * Throws `unsupported_media_type` unless the content type is one of `accepted` (missing is fine),
 * in UTF-8 and not compressed.
 */
export function checkContentType(req: IncomingMessage, accepted: readonly string[]): void {
  const encoding = req.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") {
    throw new CuecardError("unsupported_media_type", "compressed bodies are not taken here");
  }
  const header = req.headers["content-type"];
  if (header === undefined || header === accepted[0]) return;
  const [type, ...parameters] = header.toLowerCase().split(";");
  if (!accepted.includes(type.trim())) {
    throw new CuecardError("unsupported_media_type", `send ${accepted.join(" or ")}`);
  }
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"]*?)"?\s*$/.exec(parameter)?.[1];
    if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
      throw new CuecardError("unsupported_media_type", "send UTF-8");
    }
  }
}

/** Throws `body_too_large` when the declared length alone says so. */
export function checkContentLength(req: IncomingMessage, limitBytes: number): void {
  const declared = req.headers["content-length"];
  if (declared !== undefined && Number(declared) > limitBytes) throw tooLarge(limitBytes);
}

/** Tells a client that waits with its body (`Expect: 100-continue`) to send it. */
export function askForBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers.expect !== undefined) res.writeContinue();
}

/** Bodies on their way, in the order of their deadlines, and one timer for all of them. */
export class BodyReader {
  readonly #timeoutMs: number;
  /** A Set keeps the order of insertion, so the first entry is the first to be late. */
  readonly #pending = new Set<{ deadline: number; giveUp: () => void }>();
  #timer: NodeJS.Timeout | undefined;

  /** `timeoutMs`: a body must be complete so long after its headers. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The whole body. Throws `body_too_large` beyond `limitBytes` without reading on,
   * `request_timeout` when it is late, ClientGone when the client left.
   */
  read(req: IncomingMessage, limitBytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let length = 0;
      let settled = false;
      const fail = (error: Error): void => {
        if (settled) return;
        settled = true;
        this.#pending.delete(entry);
        req.pause();
        reject(error);
      };
      const entry = {
        deadline: performance.now() + this.#timeoutMs,
        giveUp: () =>
          fail(
            new CuecardError("request_timeout", `the body took more than ${this.#timeoutMs} ms`),
          ),
      };
      req.on("data", (chunk: Buffer) => {
        if (settled) return;
        length += chunk.length;
        if (length > limitBytes) fail(tooLarge(limitBytes));
        else chunks.push(chunk);
      });
      req.on("end", () => {
        if (settled) return;
        settled = true;
        this.#pending.delete(entry);
        resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length));
      });
      req.on("close", () => {
        // Comes after every body; an error made for nothing would cost as much as reading it.
        if (!settled) fail(new ClientGone("the client went away"));
      });
      req.on("error", ignore);
      this.#pending.add(entry);
      this.#timer ??= setTimeout(() => this.#sweep(), this.#timeoutMs).unref();
    });
  }

  /** One timer looks after all: a timer for each body would cost more than reading most of them. */
  #sweep(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const { deadline, giveUp } of this.#pending) {
      if (deadline > now) {
        this.#timer = setTimeout(() => this.#sweep(), Math.ceil(deadline - now)).unref();
        return;
      }
      giveUp();
    }
  }
}

/** The "close" that follows says what there is to know. */
const ignore = (): void => {};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether brackets outside strings nest deeper than `limit`. */
export function nestsDeeperThan(text: Buffer, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i];
    if (byte === QUOTE) inString = !inString;
    else if (inString) {
      if (byte === BACKSLASH) i++;
    } else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}

/** Throws `malformed_json`; the detail never quotes the body. An empty body is undefined. */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw new CuecardError("malformed_json", "the body is not valid UTF-8");
  if (body.length > DEPTH_CHECK_BYTES && nestsDeeperThan(body, DEPTH_MAX)) {
    throw new CuecardError("malformed_json", `the body nests deeper than ${DEPTH_MAX} levels`);
  }
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new CuecardError("malformed_json", "the body cannot be parsed");
  }
}

const CARRIAGE_RETURN = 0x0d;

/**
 * The lines of a streamed body, without their ends; blank lines come too (so that a caller can
 * count). Throws `body_too_large` for a line beyond `lineLimitBytes` or a body beyond `limitBytes`,
 * `request_timeout` when nothing arrives for `idleTimeoutMs`.
 */
export async function* readLines(
  req: IncomingMessage,
  limits: { limitBytes: number; lineLimitBytes: number; idleTimeoutMs: number },
): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let length = 0;
  const trim = (line: Buffer): Buffer =>
    line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
  for await (const chunk of chunksWithin(req, limits.idleTimeoutMs)) {
    length += chunk.length;
    if (length > limits.limitBytes) throw tooLarge(limits.limitBytes);
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10, start)) {
      if (end - start > limits.lineLimitBytes) throw lineTooLarge(limits.lineLimitBytes);
      yield trim(rest.subarray(start, end));
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > limits.lineLimitBytes) throw lineTooLarge(limits.lineLimitBytes);
  }
  if (rest.length > 0) yield trim(rest);
}

const lineTooLarge = (limitBytes: number): CuecardError =>
  new CuecardError("body_too_large", `the limit of one line is ${sizeText(limitBytes)}`);

/** The chunks of a body. Leaving early pauses the request instead of destroying its socket. */
async function* chunksWithin(req: IncomingMessage, idleTimeoutMs: number): AsyncGenerator<Buffer> {
  const chunks = req.iterator({ destroyOnReturn: false });
  req.on("error", ignore);
  for (;;) {
    const next = await withIdleTimeout(chunks.next(), idleTimeoutMs);
    if (next.done === true) return;
    yield next.value;
  }
}

async function withIdleTimeout<T>(next: Promise<T>, idleTimeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new CuecardError("request_timeout", `nothing arrived for ${idleTimeoutMs} ms`)),
      idleTimeoutMs,
    );
  });
  try {
    return await Promise.race([next, tooSlow]);
  } catch (error) {
    if (error instanceof CuecardError) throw error;
    throw new ClientGone("the client went away", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
