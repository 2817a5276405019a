/** A log of clicks with planted structure, for the session protocol. */
import { seededRandom } from "../../src/training/random.js";

/**
 * Visitors come with one of `intents` things in mind, each with 12 items of its own around 4 everyone looks
 * at; a step goes to the item's usual next one, to another of the intent, or anywhere by popularity.
 * Intents come and go with the weeks. Rows `session,item,time`, in order of time within a session.
 */
export function aClickLog(
  sessions: number,
  { intents = 60, seed = 1 }: { intents?: number; seed?: number } = {},
): string {
  const random = seededRandom(seed);
  const whole = (limit: number) => Math.floor(random() * limit);
  const popular = () => Math.floor(12 * intents * random() ** 3);
  const rows = ["session,item,time"];
  for (let session = 0; session < sessions; session++) {
    const day = (60 * session) / sessions;
    // The week's intents are a moving third of all.
    const intent = (Math.floor((day / 60) * intents) + whole(Math.ceil(intents / 3))) % intents;
    let at = Date.UTC(2024, 0, 1) / 1000 + Math.floor(day * 86_400);
    let place = whole(12);
    const length = 1 + Math.floor(-Math.log(1 - random()) * 4);
    for (let step = 0; step < length; step++) {
      const chance = random();
      if (chance < 0.45) place = (place + 1) % 12;
      else if (chance < 0.85) place = whole(12);
      const item = chance < 0.85 ? 12 * intent + place : popular();
      rows.push(`s${session},i${item},${at}`);
      at += 5 + whole(90);
    }
  }
  return rows.join("\n");
}
