/** A flame graph of a sampling profile as one SVG: width is processor time, hovering names the function. */
import type { Profiler } from "node:inspector";

const WIDTH = 1400;
const ROW = 17;
const MARGIN = 10;
const HEAD = 58;
/** Narrower frames are left out, in px. */
const FRAME_MIN = 1;
const CHARACTER = 6.3;

interface Frame {
  readonly name: string;
  readonly place: string;
  readonly owner: Owner;
  samples: number;
  readonly children: Map<string, Frame>;
}

const OWNERS = {
  cuecard: { fill: "#f2a33c", label: "Cuecard" },
  library: { fill: "#d9705f", label: "libraries" },
  node: { fill: "#7aa6c2", label: "Node" },
  engine: { fill: "#c4c4bd", label: "engine and native code" },
} as const;
type Owner = keyof typeof OWNERS;

/** Where a function is, from the project's own folder; Node's and a library's by their names. */
function placeOf(url: string, line: number): { place: string; owner: Owner } {
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(url);
  if (library !== null) return { place: `${library[1]}/${library[2]}:${line}`, owner: "library" };
  if (url.startsWith("node:")) return { place: `${url}:${line}`, owner: "node" };
  const own = /\/((?:src|bench)\/.*)\.js$/.exec(url);
  if (own !== null) return { place: `${own[1]}.ts`, owner: "cuecard" };
  return { place: "", owner: "engine" };
}

const newFrame = (name: string, place: string, owner: Owner): Frame => ({
  name,
  place,
  owner,
  samples: 0,
  children: new Map(),
});

/** The profile's tree with samples added up, calls of one function beside one another made one. */
function framesOf({ nodes, samples }: Profiler.Profile): Frame {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const counts = new Map<number, number>();
  for (const id of samples ?? []) counts.set(id, (counts.get(id) ?? 0) + 1);
  const root = newFrame("all", "", "engine");
  const visit = (id: number, into: Frame): number => {
    const { callFrame, children } = byId.get(id)!;
    const { functionName, url, lineNumber } = callFrame;
    if (functionName === "(idle)") return 0;
    const { place, owner } = placeOf(url, lineNumber + 1);
    const name = functionName || "(anonymous)";
    const key = `${name} ${place}`;
    const frame = into.children.get(key) ?? newFrame(name, place, owner);
    into.children.set(key, frame);
    let all = counts.get(id) ?? 0;
    for (const child of children ?? []) all += visit(child, frame);
    frame.samples += all;
    return all;
  };
  const top = nodes.find(({ callFrame }) => callFrame.functionName === "(root)");
  for (const child of top?.children ?? []) root.samples += visit(child, root);
  return root;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

/** `microseconds`: what one request takes in all; `title` stands above. */
export function flameGraph(profile: Profiler.Profile, title: string, microseconds: number): string {
  const root = framesOf(profile);
  const scale = (WIDTH - 2 * MARGIN) / root.samples;
  const drawn: string[] = [];
  let rows = 0;
  const draw = (frame: Frame, x: number, depth: number): void => {
    const width = frame.samples * scale;
    if (width < FRAME_MIN) return;
    rows = Math.max(rows, depth + 1);
    const share = frame.samples / root.samples;
    const told = `${frame.name} ${frame.place}: ${(share * microseconds).toFixed(1)} µs, ${(100 * share).toFixed(1)} %`;
    const y = HEAD + depth * ROW;
    const characters = Math.floor((width - 4) / CHARACTER);
    const text = frame.name.length <= characters ? frame.name : frame.name.slice(0, characters);
    const label =
      characters < 3 ? "" : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escaped(text)}</text>`;
    drawn.push(
      `<g><title>${escaped(told)}</title><rect class="${frame.owner}" x="${x.toFixed(1)}" y="${y}" ` +
        `width="${Math.max(0.5, width - 0.5).toFixed(1)}" height="${ROW - 1}"/>${label}</g>`,
    );
    let at = x;
    for (const child of [...frame.children.values()].sort((a, b) => b.samples - a.samples)) {
      draw(child, at, depth + 1);
      at += child.samples * scale;
    }
  };
  draw(root, MARGIN, 0);
  const height = HEAD + rows * ROW + MARGIN;
  const legend = Object.values(OWNERS).map(
    ({ fill, label }, i) =>
      `<rect x="${MARGIN + i * 170}" y="33" width="12" height="12" fill="${fill}"/><text x="${MARGIN + 17 + i * 170}" y="43">${label}</text>`,
  );
  const styles = Object.entries(OWNERS).map(([owner, { fill }]) => `.${owner}{fill:${fill}}`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">`,
    `<style>text{font:11px ui-monospace,monospace;fill:#222}.title{font-size:14px}g:hover rect{stroke:#222}${styles.join("")}</style>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text class="title" x="${MARGIN}" y="22">${escaped(title)}</text>`,
    ...legend,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}
