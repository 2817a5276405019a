/** The calling window the demo world's operator would have set: its members live in China. */
import type { Config } from "../config.js";

/** `config` with a window for China, unless it has one. */
export function withDemoWindows(config: Config): Config {
  const { callingWindows } = config;
  if (callingWindows.some(({ jurisdiction }) => jurisdiction === "CN")) return config;
  const china = { jurisdiction: "CN", from: "09:00", until: "20:00" };
  return Object.freeze({ ...config, callingWindows: [...callingWindows, china] });
}
