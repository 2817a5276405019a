/** Brings the schedulers in Redis into line with the list of schedules. */
import { CuecardError } from "../errors.js";
import { isStoreFull, isStoreUnavailable, toStoreError } from "../redis/clients.js";
import { type JobsQueue, type Queues, TICK } from "./queues.js";
import type { Schedule } from "./schedule.js";

/**
 * Adds what is missing, changes what differs, deletes what is gone or switched off. One that is as
 * it should be is left alone: a tick that came due while no worker ran is still there, and fires.
 * Throws `config_invalid` for a pattern that is none.
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
  for (const schedule of wanted.values()) {
    if (!unchanged.has(schedule.name)) await upsert(queue, schedule);
  }
}

async function upsert(queue: JobsQueue, { name, pattern, timezone }: Schedule): Promise<void> {
  try {
    await queue.upsertJobScheduler(
      name,
      { pattern: pattern!, tz: timezone },
      {
        name: TICK,
        data: { input: { job: name } },
        opts: { removeOnComplete: true, removeOnFail: true, attempts: 5, backoff: 1_000 },
      },
    );
  } catch (error) {
    if (isStoreUnavailable(error) || isStoreFull(error)) throw toStoreError(error);
    const detail = `jobs.${name}: "${pattern}" is not a cron pattern`;
    throw new CuecardError("config_invalid", detail, { cause: error });
  }
}
