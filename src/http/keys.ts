/** Who asks, and may they: the key of a request against the scopes of its route. */
import type { IncomingMessage } from "node:http";
import { CuecardError } from "../errors.js";
import type { KnownKey, Scope } from "../redis/api-keys.js";
import type { Caller } from "./services.js";

/** What this tier needs of the key store. */
export interface KeyLookup {
  /** false until the keys were read once. */
  readonly loaded: boolean;
  find(key: string): KnownKey | undefined;
}

/** The caller of a route that is open to everyone. */
export const ANYONE: Caller = { name: "anyone", scopes: new Set() };

export const isAdmin = (caller: Caller): boolean => caller.scopes.has("admin");

const BEARER = /^bearer +/i;
const KEY_LENGTH_MAX = 256;

/** `Authorization: Bearer KEY`, else `X-API-Key: KEY`. */
function keyInHeaders(req: IncomingMessage): string | undefined {
  const { authorization } = req.headers;
  if (authorization?.startsWith("Bearer ")) return authorization.slice(7).trimStart();
  if (authorization !== undefined && BEARER.test(authorization)) {
    return authorization.replace(BEARER, "");
  }
  const header = req.headers["x-api-key"];
  return typeof header === "string" ? header : undefined;
}

/**
 * The caller, when its key has one of `scopes` (the admin scope includes all).
 * Throws `key_missing`, `key_unknown`, `scope_missing`, and `store_unavailable` for an unknown key
 * while the keys were never read. `keyInQuery`: the value of `?k=`, given by routes with `fields`
 * only; addresses end up in the logs of others, so that a key there must not be one of an admin.
 */
export function authenticate(
  req: IncomingMessage,
  lookup: KeyLookup,
  scopes: readonly Scope[],
  keyInQuery?: string,
): Caller {
  const inHeaders = keyInHeaders(req);
  const key = inHeaders ?? keyInQuery;
  if (key === undefined || key === "") {
    throw new CuecardError("key_missing", "this route needs an API key");
  }
  const known = key.length > KEY_LENGTH_MAX ? undefined : lookup.find(key);
  if (known === undefined) {
    if (lookup.loaded)
      throw new CuecardError("key_unknown", "this key does not exist or was revoked");
    throw new CuecardError("store_unavailable", "the keys could not be read yet", {
      retryAfterSeconds: 1,
    });
  }
  if (inHeaders === undefined && isAdmin(known)) {
    throw new CuecardError("scope_missing", `a key in an address must have ${scopes[0]} alone`);
  }
  for (const scope of scopes) if (known.scopes.has(scope)) return known;
  if (known.scopes.has("admin")) return known;
  const wanted = scopes.includes("admin") ? scopes : [...scopes, "admin"];
  throw new CuecardError("scope_missing", `this route needs the scope ${wanted.join(" or ")}`);
}
