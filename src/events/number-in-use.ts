/** Which of somebody's numbers is called. */
import type { Profile } from "../members/profile.js";

export const numbersOf = (profile: Profile | null): string[] => [
  ...(profile?.phone === undefined ? [] : [profile.phone]),
  ...(profile?.phones ?? []),
];

/** Somebody found out that this number does not reach this member. */
export const isWrongNumber = (profile: Profile | null, phone: string): boolean =>
  profile?.phoneMarks?.some((one) => one.phone === phone && one.status !== "confirmed") === true;

/** The first that is not known to be wrong; null: there is none. */
export const numberInUse = (profile: Profile | null): string | null =>
  numbersOf(profile).find((phone) => !isWrongNumber(profile, phone)) ?? null;
