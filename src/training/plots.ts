/**
 * Small plots as SVG text: calibration, cumulative gain, lift by tenth, Qini. Plain arrays in, one
 * self-contained picture out; readable on white paper, in a dark browser and without colours.
 */
import type { CalibrationBin, CurvePoint, TenthOfRows } from "./metrics.js";

/** One curve of a plot; the first of a list is drawn boldest. */
export interface Series {
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

const WIDTH = 480;
const HEIGHT = 340;
const LEFT = 58;
const RIGHT = 26;
const TOP = 34;
const BOTTOM = 46;
/** Told apart by the colour-blind (Okabe, Ito 2008). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4"];
const GREY = "#767676";

interface Axis {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
}

interface Plot {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const px = (value: number): string => value.toFixed(1);
const percent = (value: number): string => `${Number((value * 100).toFixed(1))} %`;
const plain = (value: number): string => String(Number(value.toPrecision(3)));

/** Where values of an axis stand on the picture. */
const xOf = ({ from, to }: Axis, value: number): number =>
  LEFT + ((value - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
const yOf = ({ from, to }: Axis, value: number): number =>
  HEIGHT - BOTTOM - ((value - from) / (to - from)) * (HEIGHT - TOP - BOTTOM);

/** A scale in steps of 1, 2 or 5 times a power of ten that covers what is drawn. */
function axis(
  label: string,
  lowest: number,
  highest: number,
  format: (value: number) => string,
): Axis {
  const span = highest > lowest ? highest - lowest : 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((size) => size * power).find((size) => span / size <= 5) ?? power;
  const first = Math.floor(lowest / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(highest / step - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
  return { label, from: ticks[0], to: ticks[ticks.length - 1], ticks, format };
}

function frame({ title, x, y }: Plot, body: readonly string[]): string {
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM];
  const middle = (TOP + bottom) / 2;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${escaped(title).replaceAll('"', "&quot;")}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="20" font-size="14" font-weight="600">${escaped(title)}</text>`,
    ...y.ticks.map(
      (tick) =>
        `<path d="M${LEFT} ${px(yOf(y, tick))}H${right}" stroke="#e3e3e3"/>` +
        `<text x="${LEFT - 6}" y="${px(yOf(y, tick) + 4)}" text-anchor="end" fill="#444">${y.format(tick)}</text>`,
    ),
    ...x.ticks.map(
      (tick) =>
        `<path d="M${px(xOf(x, tick))} ${bottom}v4" stroke="#999"/>` +
        `<text x="${px(xOf(x, tick))}" y="${bottom + 17}" text-anchor="middle" fill="#444">${x.format(tick)}</text>`,
    ),
    `<path d="M${LEFT} ${TOP}V${bottom}H${right}" fill="none" stroke="#999"/>`,
    ...body,
    `<text x="${px((LEFT + right) / 2)}" y="${HEIGHT - 10}" text-anchor="middle">${escaped(x.label)}</text>`,
    `<text x="14" y="${middle}" text-anchor="middle" transform="rotate(-90 14 ${middle})">${escaped(y.label)}</text>`,
    "</svg>",
    "",
  ].join("\n");
}

const line = (plot: Plot, points: readonly CurvePoint[], style: string): string =>
  `<polyline points="${points.map(([x, y]) => `${px(xOf(plot.x, x))},${px(yOf(plot.y, y))}`).join(" ")}" fill="none" ${style}/>`;

const reference = (plot: Plot, points: readonly CurvePoint[]): string =>
  line(plot, points, `stroke="${GREY}" stroke-dasharray="3 4"`);

const curve = (plot: Plot, points: readonly CurvePoint[], index: number): string => {
  const dash = DASHES[index % DASHES.length];
  const style = `stroke="${COLOURS[index % COLOURS.length]}" stroke-width="${index === 0 ? 2.5 : 1.5}"`;
  return line(plot, points, dash === "" ? style : `${style} stroke-dasharray="${dash}"`);
};

/** Names beside a piece of their line, from (`left`, `top`) downward. */
const legend = (names: readonly string[], left: number, top: number): string[] =>
  names.map((name, index) => {
    const y = top + index * 17;
    const dash = DASHES[index % DASHES.length];
    return (
      `<path d="M${left} ${y}h24" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="2"${dash && ` stroke-dasharray="${dash}"`}/>` +
      `<text x="${left + 30}" y="${y + 4}">${escaped(name)}</text>`
    );
  });

/** Probability said against share that came, one point a bin; on the dashed line is right. */
export function calibrationSvg(bins: readonly CalibrationBin[], title = "Calibration"): string {
  const largest = Math.max(0.05, ...bins.flatMap((bin) => [bin.predicted, bin.observed]));
  const scale = (label: string) => axis(label, 0, Math.min(1, largest), percent);
  const plot = { title, x: scale("probability said"), y: scale("share that came") };
  const points = bins.map(({ predicted, observed }): CurvePoint => [predicted, observed]);
  const end = plot.x.to;
  return frame(plot, [
    reference(plot, [
      [0, 0],
      [end, end],
    ]),
    curve(plot, points, 0),
    ...points.map(
      ([x, y]) =>
        `<circle cx="${px(xOf(plot.x, x))}" cy="${px(yOf(plot.y, y))}" r="3.5" fill="${COLOURS[0]}"/>`,
    ),
  ]);
}

/**
 * Share of the positives reached against share of rows contacted, best first (see `gainCurve`); the
 * dashed line is a random order.
 */
export function gainSvg(series: readonly Series[], title = "Cumulative gain"): string {
  const plot = {
    title,
    x: axis("share of rows contacted, best first", 0, 1, percent),
    y: axis("share of positives reached", 0, 1, percent),
  };
  return frame(plot, [
    reference(plot, [
      [0, 0],
      [1, 1],
    ]),
    ...series.map(({ points }, index) => curve(plot, points, index)).reverse(),
    ...legend(
      series.map(({ name }) => name),
      WIDTH / 2 + 40,
      HEIGHT - BOTTOM - 17 * series.length,
    ),
  ]);
}

/** Lift of each tenth of the rows, best first (see `tenthsOf`); 1, dashed, is the average. */
export function liftSvg(tenths: readonly TenthOfRows[], title = "Lift by tenth"): string {
  const highest = Math.max(1.5, ...tenths.map(({ lift }) => lift));
  const y = axis("times the average rate", 0, highest * 1.06, plain);
  const ticks = tenths.map((_, index) => index + 1);
  const last = Math.max(1, tenths.length);
  const x = { label: "tenth of the rows, best first", from: 0.4, to: last + 0.6, ticks };
  const plot = { title, x: { ...x, format: plain }, y };
  const width = (xOf(plot.x, 2) - xOf(plot.x, 1)) * 0.7;
  return frame(plot, [
    ...tenths.map(({ lift }, index) => {
      const [centre, top] = [xOf(plot.x, index + 1), yOf(y, lift)];
      return (
        `<rect x="${px(centre - width / 2)}" y="${px(top)}" width="${px(width)}" height="${px(yOf(y, 0) - top)}" fill="${COLOURS[0]}"/>` +
        `<text x="${px(centre)}" y="${px(top - 4)}" text-anchor="middle" font-size="11">${lift.toFixed(2)}</text>`
      );
    }),
    reference(plot, [
      [plot.x.from, 1],
      [plot.x.to, 1],
    ]),
  ]);
}

/**
 * Extra positives per treated row against share treated, by falling uplift (see `qiniCurve`). The
 * dashed line is a random order: its area to the first curve is the Qini coefficient.
 */
export function qiniSvg(series: readonly Series[], title = "Qini curve"): string {
  const values = series.flatMap(({ points }) => points.map(([, gain]) => gain));
  const plot = {
    title,
    x: axis("share of rows treated, largest uplift first", 0, 1, percent),
    y: axis("extra positives per treated row", Math.min(0, ...values), Math.max(...values), plain),
  };
  const end = series[0].points[series[0].points.length - 1];
  return frame(plot, [
    reference(plot, [[0, 0], end]),
    ...series.map(({ points }, index) => curve(plot, points, index)).reverse(),
    ...legend(
      series.map(({ name }) => name),
      WIDTH / 2 + 40,
      HEIGHT - BOTTOM - 17 * series.length,
    ),
  ]);
}
