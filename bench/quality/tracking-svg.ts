/** Cumulative orders by week, what came and what was foretold: the usual picture of such models. */
interface Line {
  readonly name: string;
  /** One value a week, from week 1. */
  readonly values: readonly number[];
}

const WIDTH = 640;
const HEIGHT = 360;
const LEFT = 60;
const RIGHT = 20;
const TOP = 34;
const BOTTOM = 46;
const COLOURS = ["#222222", "#0072b2", "#d55e00"];
const DASHES = ["", "7 3", "2 3"];

/** The first line is what really came; `fitUntil`: last week anything was fitted on. */
export function trackingSvg(lines: readonly Line[], fitUntil: number, title: string): string {
  const weeks = lines[0].values.length;
  const most = Math.max(...lines.flatMap(({ values }) => values));
  const top = Math.ceil(most / 1000) * 1000;
  const bottom = HEIGHT - BOTTOM;
  const x = (week: number): string => (LEFT + (week / weeks) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number): string => (bottom - (value / top) * (bottom - TOP)).toFixed(1);
  const ticks = Array.from({ length: top / 1000 + 1 }, (_, i) => i * 1000);
  const dashed = (i: number): string =>
    DASHES[i] === "" ? "" : ` stroke-dasharray="${DASHES[i]}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${title}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${LEFT}" y="20" font-size="14" font-weight="600">${title}</text>`,
    ...ticks.map(
      (tick) =>
        `<path d="M${LEFT} ${y(tick)}H${WIDTH - RIGHT}" stroke="#e3e3e3"/>` +
        `<text x="${LEFT - 6}" y="${y(tick)}" dy="4" text-anchor="end" fill="#444">${tick}</text>`,
    ),
    ...[0, 13, 26, 39, 52, 65, 78].map(
      (week) =>
        `<text x="${x(week)}" y="${bottom + 17}" text-anchor="middle" fill="#444">${week}</text>`,
    ),
    `<path d="M${x(fitUntil)} ${TOP}V${bottom}" stroke="#767676" stroke-dasharray="3 4"/>`,
    `<text x="${x(fitUntil)}" y="${TOP + 12}" dx="6" fill="#444">foretold from here on</text>`,
    ...lines.flatMap(({ name, values }, i) => {
      const points = [
        `${x(0)},${y(0)}`,
        ...values.map((value, week) => `${x(week + 1)},${y(value)}`),
      ];
      const at = bottom - 12 - (lines.length - 1 - i) * 17;
      return [
        `<polyline points="${points.join(" ")}" fill="none" stroke="${COLOURS[i]}" stroke-width="2"${dashed(i)}/>`,
        `<path d="M${WIDTH - 170} ${at}h24" stroke="${COLOURS[i]}" stroke-width="2"${dashed(i)}/>`,
        `<text x="${WIDTH - 140}" y="${at + 4}">${name}</text>`,
      ];
    }),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 10}" text-anchor="middle">week</text>`,
    `<text x="14" y="${(TOP + bottom) / 2}" text-anchor="middle" transform="rotate(-90 14 ${(TOP + bottom) / 2})">repeat orders so far</text>`,
    "</svg>",
    "",
  ].join("\n");
}
