/** What a `where` can ask about a member: one flat view, named once and documented in docs/leads.md. */
import type { MemberFacts, Scored } from "../decision/member-scores.js";
import { daysSince } from "../features/packed.js";

/** The types of CEL; every number is a double. */
type FieldType = "string" | "double" | "bool" | "list<string>" | "map<string, dyn>";

export interface LeadField {
  readonly type: FieldType;
  /** From the model of now rather than from the record: asked for only where it is used. */
  readonly scored?: true;
  of(facts: MemberFacts, now: number, scored: Scored | undefined): unknown;
}

const orNaN = (value: number | undefined): number => value ?? Number.NaN;

/** A number that is not there is NaN: every comparison with it is false. Text: "". */
export const LEAD_FIELDS: Readonly<Record<string, LeadField>> = {
  stage: { type: "string", of: ({ stage }) => stage },
  order_count: { type: "double", of: ({ state }) => state.orders.count },
  days_since_order: {
    type: "double",
    of: ({ state }, now) =>
      state.orders.count === 0 ? Number.NaN : daysSince(state.orders.lastAt, now),
  },
  days_since_first_order: {
    type: "double",
    of: ({ state }, now) =>
      state.orders.count === 0 ? Number.NaN : daysSince(state.orders.firstAt, now),
  },
  order_value_mean: {
    type: "double",
    of: ({ state: { orders } }) =>
      orders.count === 0 ? Number.NaN : orders.grossMilli / 1000 / orders.count,
  },
  order_value_sum: { type: "double", of: ({ state }) => state.orders.grossMilli / 1000 },
  purchase: { type: "double", scored: true, of: (_, __, scored) => orNaN(scored?.scores.purchase) },
  purchase7: {
    type: "double",
    scored: true,
    of: (_, __, scored) => orNaN(scored?.scores.purchase7),
  },
  churn: { type: "double", scored: true, of: (_, __, scored) => orNaN(scored?.scores.churn) },
  alive: { type: "double", scored: true, of: (_, __, scored) => orNaN(scored?.scores.alive) },
  expected_value: {
    type: "double",
    scored: true,
    of: (_, __, scored) => orNaN(scored?.expectedValue),
  },
  tags: { type: "list<string>", of: ({ profile }) => profile?.tags ?? [] },
  attributes: { type: "map<string, dyn>", of: ({ profile }) => profile?.attributes ?? {} },
  jurisdiction: { type: "string", of: ({ jurisdiction }) => jurisdiction ?? "" },
  country: { type: "string", of: ({ jurisdiction }) => jurisdiction?.slice(0, 2) ?? "" },
  timezone: { type: "string", of: ({ zone }) => zone ?? "" },
  timezones: { type: "list<string>", of: ({ zones }) => zones },
  locale: { type: "string", of: ({ profile }) => profile?.locale ?? "" },
  has_email: { type: "bool", of: ({ profile }) => profile?.email !== undefined },
};
