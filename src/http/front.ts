/**
 * The server in front: hot routes are taken here without Express (8,900 requests/s against 2,900,
 * see docs/adr), everything else falls through to the app. Limits on time, size and connections.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { CuecardError, type ErrorCode } from "../errors.js";
import { createApp } from "./app.js";
import { Exchange, type ExchangeOptions, mount } from "./exchange.js";
import { problemOf } from "./problem.js";
import type { Route } from "./route.js";
import { createRoutes } from "./routes.js";

export interface FrontOptions extends ExchangeOptions {
  /** true: /metrics needs no key. */
  metricsOpen: boolean;
  /** Open connections at once in this process; more are turned away. Default 10,000. */
  connectionsMax?: number;
  /** Told of each request that takes a hot route. */
  onServed?(): void;
  /** false: hot routes go through Express too (for tests that compare the doors). Default true. */
  hotDoor?: boolean;
}

export interface Front {
  readonly server: Server;
  /** Resolves with the port (of use with port 0). Throws `port_in_use`. */
  listen(port: number, host: string): Promise<number>;
  /** Stops accepting, lets requests under way finish for at most `timeoutMs`, then cuts. */
  close(timeoutMs?: number): Promise<void>;
}

/** Above the 60 s that load balancers keep idle connections, so that they, not we, close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const HEADERS_TIMEOUT_MS = 10_000;
/** The longest upload; single bodies have their own, shorter limit. */
const REQUEST_TIMEOUT_MS = 600_000;
const CLOSE_TIMEOUT_MS = 10_000;
/** Time for the last answers to reach their readers. */
const IDLE_LOOK_MS = 1_000;
const HEADER_BYTES_MAX = 16_384;

const NO_PARAMS: Record<string, string> = {};

const addressOf = ({ method, path }: Route): string => `${method.toUpperCase()} ${path}`;

export function createFront(options: FrontOptions): Front {
  const exchange = new Exchange(options);
  const mounted = createRoutes({ metricsOpen: options.metricsOpen }).map(mount);
  const app = createApp(mounted, exchange);
  const hot = new Map(
    options.hotDoor === false
      ? []
      : mounted.filter((one) => one.route.hot).map((one) => [addressOf(one.route), one]),
  );

  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    const url = req.url ?? "";
    const mark = url.indexOf("?");
    const found = hot.get(`${req.method} ${mark === -1 ? url : url.slice(0, mark)}`);
    if (found !== undefined) {
      options.onServed?.();
      void exchange.perform(found, NO_PARAMS, mark === -1 ? "" : url.slice(mark + 1), req, res);
    } else app(req, res);
  };
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: HEADER_BYTES_MAX,
      noDelay: true,
    },
    onRequest,
  );
  // The body of `Expect: 100-continue` is asked for once the key and the length are known good.
  server.on("checkContinue", onRequest);
  server.on("clientError", refuseBrokenRequest);
  server.maxConnections = options.connectionsMax ?? 10_000;

  return {
    server,
    listen: (port, host) => listen(server, port, host),
    close: (timeoutMs = CLOSE_TIMEOUT_MS) => {
      exchange.closing = true;
      return close(server, timeoutMs, () => exchange.idle);
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === "EADDRINUSE") {
        reject(new CuecardError("port_in_use", `port ${port} is in use`, { cause: error }));
      } else if (error.code === "EACCES") {
        reject(new CuecardError("port_in_use", `port ${port} may not be opened`, { cause: error }));
      } else reject(error);
    };
    server.once("error", onError);
    server.listen({ port, host, backlog: 1_024 }, () => {
      server.off("error", onError);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Connections on which nothing was asked (browsers open some ahead) are not waited for. */
function close(server: Server, timeoutMs: number, isIdle: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
    const look = setInterval(() => {
      if (isIdle()) server.closeAllConnections();
    }, IDLE_LOOK_MS);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(look);
      resolve();
    });
  });
}

const BROKEN: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** What is no HTTP never becomes a request; it still gets a problem for an answer. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const code = BROKEN[error.code ?? ""] ?? "invalid_request";
  const detail = code === "invalid_request" ? "this is not a valid HTTP request" : "see the title";
  const problem = problemOf(new CuecardError(code, detail), "none");
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.title}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
