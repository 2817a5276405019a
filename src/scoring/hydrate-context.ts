/** The instant and the member a vector is hydrated for: one way for serving and training alike. */
import type { AliveModel } from "../features/alive.js";
import type { HydrateContext } from "../features/family.js";
import type { Profile } from "../members/profile.js";
import { utcOffsetHours, zoneOf } from "../members/timezone.js";

/**
 * `now` in epoch milliseconds; `timezone` is the shop's own, for members without a zone (habits by
 * the hour would otherwise be read in UTC).
 */
export const hydrateContext = (
  profile: Profile | null,
  now: number,
  alive: AliveModel | null,
  timezone: string,
): HydrateContext => ({
  now,
  profile,
  alive,
  utcOffsetHours: utcOffsetHours(zoneOf(profile) ?? timezone, now),
});
