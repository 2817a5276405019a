/** The demo world: a membership shop that behaves like one, the same for the same seed. */
import type { CouponInput, ProductInput } from "../catalog/records.js";
import type { EventInput } from "../events/event.js";
import type { MemberInput } from "../members/profile.js";
import { createFeatured, type Featured, type FeaturedMember } from "./featured.js";
import { liveLife } from "./life.js";
import { createDuplicate, createPerson, type MemberTruth, type Person } from "./people.js";
import { Random } from "./random.js";
import { createShop, type Shop } from "./shop.js";

export interface DemoWorldOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Default 3,000, which gives about 100,000 events over two years. At least 10. */
  readonly members?: number;
  /** Epoch milliseconds: nothing happens later. */
  readonly now: number;
}

export interface DemoWorld {
  readonly members: readonly (MemberInput & { id: string })[];
  readonly products: readonly ProductInput[];
  readonly coupons: readonly CouponInput[];
  readonly featured: Featured;
  /** What no event says, by member id (featured members have none): for benches, never for serving. */
  readonly truth: ReadonlyMap<string, MemberTruth>;
  readonly shop: Shop;
  /** All events in the order they happened; the same on every call. */
  events(): Iterable<EventInput>;
}

/** One member in fifty is a second account of someone. */
const DUPLICATE_EVERY = 50;

export function createDemoWorld({
  seed = 1,
  members: count = 3000,
  now,
}: DemoWorldOptions): DemoWorld {
  const shop = createShop(now);
  const stories = createFeatured(shop, now);
  const people: Person[] = [];
  for (let index = stories.length; index < count; index++) {
    const isDuplicate = index % DUPLICATE_EVERY === DUPLICATE_EVERY - 1;
    // The member before them is the person whose second account this is.
    people.push(
      isDuplicate
        ? createDuplicate(createPerson(shop, seed, index - 1, now), seed, index, now)
        : createPerson(shop, seed, index, now),
    );
  }
  let events: EventInput[] | undefined;
  return {
    shop,
    members: [...stories.map((story) => story.record), ...people.map((person) => person.record)],
    products: shop.products.map((product) => product.record),
    coupons: shop.coupons,
    featured: featuredOf(stories),
    truth: new Map(people.map(({ truth }) => [truth.id, truth])),
    events: () => {
      events ??= [
        ...stories.flatMap((story) => story.events),
        ...people.flatMap(({ truth }) =>
          liveLife(shop, truth, new Random(`${seed}:life:${truth.id}`), now),
        ),
      ].sort((a, b) => a.at - b.at || (a.id! < b.id! ? -1 : 1));
      return events;
    },
  };
}

function featuredOf(stories: ReturnType<typeof createFeatured>): Featured {
  const of = (who: keyof Featured): FeaturedMember => {
    const { note, record } = stories.find((story) => story.who === who)!;
    return { id: record.id, phone: record.phone!, name: record.name!, note };
  };
  return {
    growth: of("growth"),
    complaint: of("complaint"),
    dormant: of("dormant"),
    successor: of("successor"),
    doNotContact: of("doNotContact"),
  };
}
