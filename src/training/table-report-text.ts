/** Words of a table's report: shares, cells, and a command as it would be typed again. */
import type { TableOptions } from "./table-data.js";

export const percent = (value: number): string => `${(value * 100).toFixed(1)} %`;

/** Names come from a stranger's file: a bar would end the cell. */
export const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const quoted = (text: string): string =>
  /^[\w./:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The file by the path it was given by, so that the command runs from where the first one did. */
export function commandOf(
  command: string,
  options: TableOptions,
  more: Readonly<Record<string, string>>,
): string {
  const values: Record<string, string | undefined> = {
    file: options.file,
    label: options.label,
    positive: options.positive,
    drop: options.drop?.join(",") || undefined,
    treatment: options.treatment,
    treated: options.treated,
    control: options.control,
    group: options.group,
    time: options.time,
    separator: options.separator,
    header: options.header === false ? "no" : undefined,
    encoding: options.encoding,
    threads: options.threads === undefined ? undefined : String(options.threads),
    seed: String(options.seed ?? 0),
    ...more,
  };
  const flags = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${quoted(value)}`],
  );
  return ["npm run cuecard --", command, ...flags, ...(options.ordered ? ["--ordered"] : [])].join(
    " ",
  );
}
