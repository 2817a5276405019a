/** Where the shared library of XGBoost lies: asked by the trainer, which loads it, and by doctor. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

/** Tried in order: what the system's loader finds by name, then where Debian and Homebrew put it. */
export const XGBOOST_LIBRARY_CANDIDATES = [
  "libxgboost.so.0",
  "libxgboost.so",
  "/usr/lib/x86_64-linux-gnu/libxgboost.so.0",
  "/usr/lib/aarch64-linux-gnu/libxgboost.so.0",
  "/opt/homebrew/opt/xgboost/lib/libxgboost.dylib",
  "/usr/local/opt/xgboost/lib/libxgboost.dylib",
] as const;

/** The path of the library without loading it (`override`: XGBOOST_LIBRARY), or undefined. */
export async function findXgboostLibrary(override?: string): Promise<string | undefined> {
  if (override !== undefined) return existsSync(override) ? override : undefined;
  const known = await loaderCache();
  for (const candidate of XGBOOST_LIBRARY_CANDIDATES) {
    const path = candidate.startsWith("/") ? candidate : known.get(candidate);
    if (path !== undefined && existsSync(path)) return path;
  }
  return undefined;
}

/** Library name → path, as the loader of Linux knows them; empty elsewhere. */
async function loaderCache(): Promise<Map<string, string>> {
  // Not on every user's PATH, hence the second name.
  for (const program of ["ldconfig", "/sbin/ldconfig"]) {
    try {
      const { stdout } = await promisify(execFile)(program, ["-p"], { maxBuffer: 8 * 1024 * 1024 });
      const lines = stdout.matchAll(/^\s*(\S+) \(.*\) => (\S+)$/gm);
      return new Map([...lines].map(([, name, path]) => [name, path]));
    } catch {
      // Tried under its other name, or there is none here.
    }
  }
  return new Map();
}
