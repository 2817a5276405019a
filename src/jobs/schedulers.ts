/** Brings the schedulers in Redis into line with the list of schedules. */
import { type Queues, TICK } from "./queues.js";
import type { Schedule } from "./schedule.js";

/**
 * Adds what is missing, changes what differs, deletes what is gone or switched off. One that is as
 * it should be is left alone: a tick that came due while no worker ran is still there, and fires.
 */
export async function registerSchedulers(
  queues: Queues,
  schedules: readonly Schedule[],
): Promise<void> {
  const queue = queues.light;
  const wanted = new Map(schedules.flatMap((each) => (each.pattern ? [[each.name, each]] : [])));
  const unchanged = new Set<string>();
  for (const known of await queue.getJobSchedulers()) {
    const schedule = wanted.get(known.key as Schedule["name"]);
    if (schedule === undefined) await queue.removeJobScheduler(known.key);
    else if (known.pattern === schedule.pattern && known.tz === schedule.timezone) {
      unchanged.add(known.key);
    }
  }
  for (const { name, pattern, timezone } of wanted.values()) {
    if (unchanged.has(name)) continue;
    await queue.upsertJobScheduler(
      name,
      { pattern: pattern!, tz: timezone },
      {
        name: TICK,
        data: { input: { job: name } },
        opts: { removeOnComplete: true, removeOnFail: true, attempts: 5, backoff: 1_000 },
      },
    );
  }
}
