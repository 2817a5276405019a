/** Calls `work` again and again, `intervalMs` after it ended, until the returned function is called. */
export function repeat(intervalMs: number, work: () => Promise<void>): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const schedule = (): void => {
    timer = setTimeout(async () => {
      await work();
      if (!stopped) schedule();
    }, intervalMs);
    timer.unref();
  };
  schedule();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
