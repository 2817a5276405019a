/** What keeps the code navigable: who imports whom, sizes, and things that must not be there. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseAst } from "vitest/node";
import { ERRORS } from "../src/errors.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

/** Folders and files of src from the ground up; a name may use what stands on a lower line. */
const TIERS: readonly (readonly string[])[] = [
  ["errors"],
  // xgboost-library: where the library lies; the trainer loads it, doctor only looks.
  ["channel-words", "config", "config-pop", "logger", "telemetry", "thread", "xgboost-library"],
  ["redis"],
  ["events", "members", "features", "catalog"],
  ["candidates", "scoring", "policy"],
  ["decision", "leads", "training"],
  ["http", "jobs", "pop", "demo", "reports"],
  // The composition root: every other file directly in src.
  ["server"],
  ["main"],
];

/** Packages that only some places may touch; a place is a folder or a file of src. */
const FENCED: Record<string, readonly string[]> = {
  ioredis: ["redis", "events", "members", "features", "catalog", "jobs"],
  bullmq: ["redis", "jobs"],
  // doctor asks whether it loads at all.
  "onnxruntime-node": ["scoring/onnx-scorer.ts", "doctor.ts"],
  koffi: ["training/xgboost.ts"],
  express: ["http", "pop"],
};

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

interface Import {
  readonly specifier: string;
  readonly kind: "value" | "type" | "dynamic";
}

interface Source {
  /** From the root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly nodes: readonly Node[];
  readonly imports: readonly Import[];
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as Node).type === "string";

function* walk(node: Node): Generator<Node> {
  yield node;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value])
      if (isNode(child)) yield* walk(child);
  }
}

const textOf = (node: unknown): string => String((node as { value?: unknown } | null)?.value ?? "");

function importsOf(nodes: readonly Node[]): Import[] {
  return nodes.flatMap((node): Import[] => {
    if (node.type === "ImportExpression") {
      return [{ specifier: textOf(node.source), kind: "dynamic" }];
    }
    const isExport = node.type === "ExportNamedDeclaration" || node.type === "ExportAllDeclaration";
    if ((node.type !== "ImportDeclaration" && !isExport) || !isNode(node.source)) return [];
    const specifiers = (node.specifiers ?? []) as Node[];
    const kindOf = (one: Node): unknown => one[isExport ? "exportKind" : "importKind"];
    const typed =
      kindOf(node) === "type" ||
      (specifiers.length > 0 && specifiers.every((one) => kindOf(one) === "type"));
    return [{ specifier: textOf(node.source), kind: typed ? "type" : "value" }];
  });
}

function filesUnder(folder: string, extension: string): string[] {
  const path = join(ROOT, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(extension))
    .map((name) => `${folder}/${name.split(sep).join("/")}`)
    .sort();
}

function read(path: string): Source {
  const text = readFileSync(join(ROOT, path), "utf8");
  const nodes = [...walk(parseAst(text, { lang: "ts" }) as unknown as Node)];
  return { path, text, nodes, imports: importsOf(nodes) };
}

const sources = filesUnder("src", ".ts").map(read);
const tests = [...filesUnder("test", ".ts"), ...filesUnder("bench", ".ts")].map(read);
const everywhere = [...sources, ...tests];

const lineOf = ({ text }: Source, offset: number): number =>
  text.slice(0, offset).split("\n").length;
const place = (source: Source, node: Node): string =>
  `${source.path}:${lineOf(source, node.start)}`;

/** `src/redis/keys.ts` → `redis`; `src/main.ts` → `main`. */
const areaOf = (path: string): string => path.split("/")[1]!.replace(/\.ts$/, "");
const isRootFile = (path: string): boolean => path.split("/").length === 2;

function tierOf(path: string): number {
  const tier = TIERS.findIndex((areas) => areas.includes(areaOf(path)));
  return tier < 0 && isRootFile(path) ? TIERS.findIndex((areas) => areas.includes("server")) : tier;
}

const targetOf = (source: Source, { specifier }: Import): string =>
  relative(ROOT, resolve(ROOT, dirname(source.path), specifier)).replace(/\.js$/, ".ts");

const isOurs = ({ specifier }: Import): boolean => specifier.startsWith(".");

describe("imports", () => {
  it("have every folder of src on a tier", () => {
    expect(sources.map(({ path }) => path).filter((path) => tierOf(path) < 0)).toEqual([]);
  });

  it("lead to files that exist", () => {
    const missing = everywhere.flatMap((source) =>
      source.imports
        .filter((one) => isOurs(one) && !existsSync(join(ROOT, targetOf(source, one))))
        .map(({ specifier }) => `${source.path} → ${specifier}`),
    );
    expect(missing).toEqual([]);
  });

  it("go down the tiers, and within a tier across folders bring types only", () => {
    const wrong: string[] = [];
    for (const source of sources) {
      for (const one of source.imports.filter(isOurs)) {
        const target = targetOf(source, one);
        const [from, to] = [tierOf(source.path), tierOf(target)];
        const together =
          areaOf(source.path) === areaOf(target) ||
          (isRootFile(source.path) && isRootFile(target) && from === to);
        const allowed = to < from || together || (to === from && one.kind === "type");
        if (!allowed) wrong.push(`${source.path} → ${target} (${one.kind})`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("make no circle", () => {
    const values = new Map(
      sources.map((source) => [
        source.path,
        source.imports
          .filter((one) => isOurs(one) && one.kind === "value")
          .map((one) => targetOf(source, one)),
      ]),
    );
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path))
        circles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      if (trail.includes(path) || done.has(path)) return;
      for (const next of values.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of values.keys()) visit(path, []);
    expect(circles).toEqual([]);
  });

  it("touch fenced packages only where they belong", () => {
    const wrong = sources.flatMap((source) =>
      source.imports
        .filter(({ specifier }) => {
          const places = FENCED[specifier];
          const within = source.path.slice("src/".length);
          return places?.every((one) => within !== one && !within.startsWith(`${one}/`)) ?? false;
        })
        .map(({ specifier }) => `${source.path} → ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("sizes", () => {
  it(`keep files within ${FILE_LINES_MAX} lines`, () => {
    const long = sources
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
      .filter(({ lines }) => lines > FILE_LINES_MAX);
    expect(long).toEqual([]);
  });

  it(`keep functions within ${FUNCTION_LINES_MAX} lines`, () => {
    const functions = /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/;
    const long = sources.flatMap((source) =>
      source.nodes
        .filter(({ type }) => functions.test(type))
        .map((node) => ({
          at: place(source, node),
          lines: lineOf(source, node.end) - lineOf(source, node.start) + 1,
        }))
        .filter(({ lines }) => lines > FUNCTION_LINES_MAX),
    );
    expect(long).toEqual([]);
  });
});

describe("errors", () => {
  const codes = Object.keys(ERRORS);

  it("are thrown with codes of the registry", () => {
    const unknown = sources.flatMap((source) =>
      source.nodes
        .filter(({ type, callee }) => type === "NewExpression" && nameOf(callee) === "CuecardError")
        .map((node) => ({ node, code: (node.arguments as Node[])[0]! }))
        .filter(({ code }) => code.type === "Literal" && !codes.includes(textOf(code)))
        .map(({ node, code }) => `${place(source, node)}: ${textOf(code)}`),
    );
    expect(unknown).toEqual([]);
  });

  it("of the registry are all used somewhere, and documented", () => {
    const literals = new Set(
      sources
        .filter(({ path }) => path !== "src/errors.ts")
        .flatMap(({ nodes }) => nodes.filter(({ type }) => type === "Literal").map(textOf)),
    );
    expect(codes.filter((code) => !literals.has(code))).toEqual([]);
    const page = readFileSync(join(ROOT, "docs/errors.md"), "utf8");
    expect(codes.filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });
});

const nameOf = (node: unknown): string => String((node as { name?: unknown } | null)?.name ?? "");

/** `process.env`, `it.skip`, …: object and property of a member expression. */
const membersOf = (source: Source): { node: Node; object: Node; property: string }[] =>
  source.nodes
    .filter(({ type }) => type === "MemberExpression")
    .map((node) => ({
      node,
      object: node.object as Node,
      property: nameOf(node.property) || textOf(node.property),
    }));

describe("nothing is left lying about", () => {
  it("reads process.env only in the configuration", () => {
    const readers = sources
      .filter(({ path }) => path !== "src/config.ts")
      .flatMap((source) =>
        membersOf(source)
          .filter(({ object, property }) => nameOf(object) === "process" && property === "env")
          .map(({ node }) => place(source, node)),
      );
    expect(readers).toEqual([]);
  });

  it("skips no test, but those of data sets that are not at hand", () => {
    const suites = new Set(["it", "test", "describe"]);
    const outermost = (node: Node): string =>
      node.type === "MemberExpression" ? outermost(node.object as Node) : nameOf(node);
    const skipped = tests.flatMap((source) => [
      ...membersOf(source)
        .filter(({ object }) => suites.has(outermost(object)))
        .filter(({ property }) => /^(skip|only|todo|fails)$/.test(property))
        .map(({ node }) => place(source, node)),
      ...source.nodes
        .filter(({ type }) => type === "CallExpression")
        .filter(({ callee }) => /^(skipIf|runIf)$/.test(nameOf((callee as Node).property)))
        .filter((node) => !asksForDataSet(source, node))
        .map((node) => place(source, node)),
    ]);
    expect(skipped).toEqual([]);
  });

  it("has no any and silences no compiler", () => {
    const anys = everywhere.flatMap((source) =>
      source.nodes.filter(({ type }) => type === "TSAnyKeyword").map((node) => place(source, node)),
    );
    expect(anys).toEqual([]);
    expect(found(everywhere, /@ts-(ignore|nocheck|expect-error)\b/)).toEqual([]);
  });

  it("has no notes to self", () => {
    expect(found(everywhere, /\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  it("knows no path of one machine", () => {
    const texts = [
      ...everywhere,
      ...["docs", "deploy", "models"].flatMap((folder) => plainFiles(folder)),
      ...plainFiles("."),
    ];
    expect(found(texts, /(?<![\w.:/@-])\/(home|Users|root|work|mnt|workspace)\/\w/)).toEqual([]);
  });

  it("names in its pages only files that exist", () => {
    const pages = [...plainFiles("docs"), ...plainFiles(".")].filter(({ path }) =>
      /\.md$/.test(path),
    );
    const missing = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/(?<![\w/.-])(?:src|test|bench|deploy|docs|models)\/[\w./-]*\w/g)]
        .map(([name]) => name)
        .filter((name) => !existsSync(join(ROOT, name)))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

/** The condition names something made from the directory of data sets. */
function asksForDataSet({ text }: Source, node: Node): boolean {
  const names = (node.arguments as Node[]).flatMap((argument) => [...walk(argument)].map(nameOf));
  return names.some((name) => new RegExp(`const ${name} =[^;]*datasets`, "i").test(text));
}

const TEXT = /\.(md|json|ya?ml|sh|service|conf)$|(^|\/)(Dockerfile|prepare|run)$/;

function plainFiles(folder: string): { path: string; text: string }[] {
  const names =
    folder === "."
      ? readdirSync(ROOT, { withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ name }) => name)
      : filesUnder(folder, "");
  return names
    .filter((name) => TEXT.test(name) && !name.endsWith("package-lock.json"))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** Where a pattern occurs; this file, which has to name what it forbids, is left out. */
const found = (texts: readonly { path: string; text: string }[], pattern: RegExp): string[] =>
  texts
    .filter(({ path }) => path !== "test/tidy.test.ts")
    .flatMap(({ path, text }) =>
      text
        .split("\n")
        .flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
    );
