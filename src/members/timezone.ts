/** Which time zones a member may be in: their own, else those of the phones we would dial. */
import { isZone, utcOffsetMs } from "./clock.js";
import { zonesOfPhone } from "./phone-zones.js";
import type { Profile } from "./profile.js";

const HOUR_MS = 3_600_000;
const NONE: readonly string[] = Object.freeze([]);
/** One array a set of zones, so that a million members share a few hundred. */
const shared = new Map<string, readonly string[]>();
/** Names of zones come from members' records: what is shared must not grow with them. */
const SHARED_MAX = 10_000;

function share(key: string, zones: () => readonly string[]): readonly string[] {
  let found = shared.get(key);
  if (found === undefined) {
    found = Object.freeze(zones());
    if (shared.size >= SHARED_MAX) shared.clear();
    shared.set(key, found);
  }
  return found;
}

/** Zones of every phone; [] as soon as one of them is unknown, since we may dial that one. */
function zonesOfPhones(phones: readonly string[]): readonly string[] {
  const each = phones.map(zonesOfPhone);
  if (each.some((zones) => zones.length === 0)) return NONE;
  const union = [...new Set(each.flat())].sort();
  return share(union.join(), () => union);
}

/**
 * Every zone the member may be in: their own valid zone alone, else those of `phone`, else of all
 * their phones (we may dial any). [] = unknown. Arrays are shared and frozen.
 */
export function zonesOf(profile: Profile | null, phone?: string): readonly string[] {
  const own = profile?.timezone;
  if (own !== undefined && isZone(own)) return share(own, () => [own]);
  if (phone !== undefined) return zonesOfPhone(phone);
  const others = profile?.phones;
  if (others !== undefined && others.length > 0) {
    return zonesOfPhones(profile?.phone === undefined ? others : [profile.phone, ...others]);
  }
  return profile?.phone === undefined ? NONE : zonesOfPhone(profile.phone);
}

/** The one zone a member is in, for display and habits; null where it may be several, or none is known. */
export function zoneOf(profile: Profile | null): string | null {
  const zones = zonesOf(profile);
  return zones.length === 1 ? zones[0]! : null;
}

/** Hours east of UTC at an instant (epoch ms); 0 for an unknown zone. */
export function utcOffsetHours(zone: string | null, at: number): number {
  if (zone === null) return 0;
  const offsetMs = utcOffsetMs(zone, at);
  return Number.isNaN(offsetMs) ? 0 : offsetMs / HOUR_MS;
}
