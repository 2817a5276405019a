/** The logger, apart from the metrics: who only supervises others need not load those. */
import { type Logger, pino } from "pino";

export type { Logger };

/** Pretty when a person watches a terminal, JSON lines otherwise. ERROR means: act now. */
export function createLogger(level: string): Logger {
  const pretty = process.stdout.isTTY;
  return pino({
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    ...(pretty
      ? {
          transport: {
            target: "pino-pretty",
            options: { ignore: "pid", translateTime: "SYS:HH:MM:ss" },
          },
        }
      : {}),
  });
}
