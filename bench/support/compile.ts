/** Compiles source and benches as production is compiled: what runs through tsx is slower by its wrappers. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const outDir = `${root}.data/bench/build`;

export const projectRoot = root;

/** Types are `npm run check`'s business. */
export function compileBench(): void {
  process.stderr.write("Compiling\n");
  const tsc = `${root}node_modules/.bin/tsc`;
  execFileSync(
    tsc,
    ["-p", "tsconfig.test.json", "--noEmit", "false", "--noCheck", "--outDir", outDir],
    { cwd: root, stdio: ["ignore", 2, 2] },
  );
}

/** Where a file of bench/support was compiled to. */
export const compiledPath = (name: string): string => `${outDir}/bench/support/${name}.js`;
