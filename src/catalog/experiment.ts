/** Records of experiments: who is compared with whom, and what is done differently to them. */
import { z } from "zod";
import type { FieldError } from "../errors.js";

/** The arm nothing proactive is done to; no arm of a record may have this name. */
export const HOLDOUT = "holdout";
/** Above this the comparison costs more business than it can ever tell. */
export const HOLDOUT_SHARE_MAX = 0.5;
/** Shares are decimals: three thirds of 0.3333 and a rounding error are not more than all. */
const SHARE_TOLERANCE = 1e-9;

const name = z.string().min(1).max(64);
const share = z.number().min(0).max(1);

export const treatmentSchema = z.strictObject({
  /** false: no coupon is offered. */
  coupons: z.boolean().optional(),
  /** Contacts we start go through these channels only. */
  channels: z.array(name).max(20).optional(),
  /** true: each decision draws its first place; false: none does. Absent: as configured. */
  explore: z.boolean().optional(),
  /** true: nothing proactive; who comes to us gets what everyone gets. */
  hold: z.boolean().optional(),
});
export type Treatment = z.infer<typeof treatmentSchema>;

export const experimentInputSchema = z.strictObject({
  id: z.string().optional(),
  label: z.string().min(1).max(200).optional(),
  active: z.boolean().optional(),
  /** Whoever is in no arm and not held out takes no part. */
  arms: z
    .array(z.strictObject({ name, share, treatment: treatmentSchema.default({}) }))
    .min(1)
    .max(20),
  /** Share of members nothing proactive is done to: what the arms are compared with. */
  holdout: z.number().min(0).max(HOLDOUT_SHARE_MAX).default(0),
  /** How long a member stays in one arm; months and quarters are those of UTC. */
  period: z.enum(["always", "month", "quarter"]).default("always"),
  /** Absent: every placement. */
  placements: z.array(name).max(100).optional(),
  /** Absent: every stage. */
  stages: z.array(z.string()).max(10).optional(),
  from: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
});
export type ExperimentInput = z.infer<typeof experimentInputSchema>;

export interface Experiment extends Omit<ExperimentInput, "id"> {
  id: string;
  active: boolean;
  /** Epoch milliseconds. */
  createdAt: number;
  updatedAt: number;
}

/** What the rest of the configuration declares. */
export interface Declared {
  readonly channels: readonly { readonly id: string }[];
  readonly placements: readonly { readonly id: string }[];
  readonly stages: readonly string[];
}

/** What is wrong with an experiment beyond its schema; empty: it can be run. */
export function experimentFaults(
  id: string,
  { arms, holdout, from, until, placements = [], stages = [] }: ExperimentInput,
  declared: Declared,
): FieldError[] {
  const faults: FieldError[] = [];
  const fault = (path: string, message: string) => faults.push({ path, message });
  if (id === HOLDOUT) fault("id", `${HOLDOUT} is the permanent hold-out of the configuration`);
  const total = arms.reduce((sum, arm) => sum + arm.share, holdout);
  if (total > 1 + SHARE_TOLERANCE) {
    fault("arms", `shares and hold-out are ${Number(total.toFixed(6))} together, more than 1`);
  }
  const unknown = (
    path: string,
    values: readonly string[],
    known: readonly string[],
    what: string,
  ) => {
    for (const [i, value] of values.entries()) {
      if (!known.includes(value)) fault(`${path}[${i}]`, `${what} is not declared`);
    }
  };
  const channels = declared.channels.map((one) => one.id);
  for (const [i, arm] of arms.entries()) {
    if (arm.name === HOLDOUT) fault(`arms[${i}].name`, "give the hold-out as `holdout`");
    if (arms.findIndex((one) => one.name === arm.name) < i) {
      fault(`arms[${i}].name`, "stands twice");
    }
    unknown(`arms[${i}].treatment.channels`, arm.treatment.channels ?? [], channels, "channel");
  }
  const declaredPlacements = declared.placements.map((one) => one.id);
  unknown("placements", placements, declaredPlacements, "placement");
  unknown("stages", stages, declared.stages, "stage");
  if (from !== undefined && until !== undefined && Date.parse(until) <= Date.parse(from)) {
    fault("until", "lies before `from`");
  }
  return faults;
}
