/** The Express app: every route of the table, and what answers when none of them takes a request. */
import express, { type Express, type NextFunction, type Request, type Response } from "express";
import { CuecardError } from "../errors.js";
import type { Exchange, MountedRoute } from "./exchange.js";
import { RouteMeter } from "./metrics.js";

/** `/v1/members/{id}` → `/v1/members/:id`. */
const expressPath = (path: string): string => path.replace(/\{(\w+)\}/g, ":$1");

/** Matches an address (without query) against a template, `{id}` being one segment. */
const matcherOf = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);

const queryTextOf = (url: string): string => {
  const mark = url.indexOf("?");
  return mark === -1 ? "" : url.slice(mark + 1);
};

const pathTextOf = (url: string): string => {
  const mark = url.indexOf("?");
  return mark === -1 ? url : url.slice(0, mark);
};

export function createApp(routes: readonly MountedRoute[], exchange: Exchange): Express {
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  app.set("query parser", false);
  app.set("case sensitive routing", true);
  app.set("strict routing", true);

  for (const mounted of routes) {
    app[mounted.route.method](expressPath(mounted.route.path), (req: Request, res: Response) => {
      const params = req.params as Record<string, string>;
      return exchange.perform(mounted, params, queryTextOf(req.url), req, res);
    });
  }

  const addresses = addressesOf(routes);
  const unmatched = { label: "(unmatched)", meter: new RouteMeter("(unmatched)") };
  app.use((req: Request, res: Response) => {
    const allow = allowOf(addresses, pathTextOf(req.url));
    if (allow === undefined) {
      const detail = "no route has this address";
      exchange.refuse(unmatched, new CuecardError("not_found", detail), req, res);
    } else if (req.method === "OPTIONS") {
      res.writeHead(204, { Allow: allow }).end();
    } else {
      const detail = `this address takes ${allow}`;
      exchange.refuse(unmatched, new CuecardError("method_not_allowed", detail), req, res, allow);
    }
  });

  // Four parameters are how Express knows an error handler.
  app.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    const status = error instanceof Error && "status" in error ? error.status : undefined;
    const isBadAddress = error instanceof URIError || status === 400;
    const known = isBadAddress
      ? new CuecardError("invalid_id", "the address holds a % that is no percent-encoding")
      : error;
    exchange.refuse(unmatched, known, req, res);
  });
  return app;
}

interface Address {
  matcher: RegExp;
  methods: Set<string>;
}

function addressesOf(routes: readonly MountedRoute[]): Address[] {
  const byPath = new Map<string, Address>();
  for (const { route } of routes) {
    const address = byPath.get(route.path) ?? {
      matcher: matcherOf(route.path),
      methods: new Set(),
    };
    address.methods.add(route.method.toUpperCase());
    if (route.method === "get") address.methods.add("HEAD");
    byPath.set(route.path, address);
  }
  return [...byPath.values()];
}

/** The methods of all templates an address fits, or undefined when it fits none. */
function allowOf(addresses: readonly Address[], path: string): string | undefined {
  const methods = new Set<string>();
  for (const address of addresses) {
    if (address.matcher.test(path)) for (const method of address.methods) methods.add(method);
  }
  if (methods.size === 0) return undefined;
  return [...methods, "OPTIONS"].join(", ");
}
