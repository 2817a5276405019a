/** Progress of long work: a bar where a person watches, a line every few seconds elsewhere. */
import { Presets, SingleBar } from "cli-progress";

export interface Progress {
  /** `share`: 0…1. */
  update(share: number, text: string): void;
  stop(): void;
}

const LINE_EVERY_MS = 3_000;

export function startProgress(title: string): Progress {
  return process.stderr.isTTY ? barProgress(title) : lineProgress(title);
}

function barProgress(title: string): Progress {
  const format = `${title} {bar} {percentage}% {text}`;
  const bar = new SingleBar(
    { format, hideCursor: true, stopOnComplete: false },
    Presets.shades_grey,
  );
  bar.start(1000, 0, { text: "" });
  return {
    update: (share, text) => bar.update(Math.round(share * 1000), { text }),
    stop: () => bar.stop(),
  };
}

function lineProgress(title: string): Progress {
  let shownAt = 0;
  let last = "";
  const show = (line: string): void => {
    last = line;
    shownAt = Date.now();
    process.stderr.write(`${line}\n`);
  };
  return {
    update(share, text) {
      const line = `${title} ${Math.round(share * 100)}% ${text}`;
      const due = Date.now() - shownAt >= LINE_EVERY_MS || share >= 1;
      if (due && line !== last) show(line);
    },
    stop() {},
  };
}
