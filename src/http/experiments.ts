/** Experiment records. */
import { experimentInputSchema } from "../catalog/experiment.js";
import { experimentExample, experimentInputExample } from "./examples.js";
import { recordRoutes } from "./record-routes.js";
import { experimentSchema } from "./schemas.js";

export const experimentRoutes = recordRoutes({
  kind: "experiments",
  tag: "Experiments",
  one: "an experiment",
  description:
    "Shares of the arms and `holdout` are at most 1 together; whoever is left takes no part. Which arm a " +
    "member is in follows from its id, the experiment's id and the period alone: to change shares, " +
    "start an experiment under another id. Takes effect within a second.",
  readers: ["serve"],
  input: experimentInputSchema,
  kept: experimentSchema,
  unknown: "experiment_unknown",
  example: { request: experimentInputExample, response: experimentExample },
  service: (services) => services.experiments,
});
