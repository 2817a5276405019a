/** Reports over the event log. */
import { experimentReportExample } from "./examples-reports.js";
import {
  experimentReportQuerySchema,
  experimentReportSchema,
  instantOf,
} from "./report-schemas.js";
import { type Route, route } from "./route.js";

const experiments = route({
  name: "reportExperiment",
  method: "get",
  path: "/v1/reports/experiments",
  tag: "Experiments",
  summary: "What an experiment came to",
  description:
    "Every member of the log counts in the arm its id says, decided about or not. Read from archive and " +
    "store in a process of its own: ten million events take minutes. See docs/experiments.md for " +
    "how each figure is counted. `experiment=holdout` is the permanent hold-out.",
  scopes: ["admin"],
  query: experimentReportQuerySchema,
  status: 200,
  response: experimentReportSchema,
  errors: ["experiment_unknown", "store_unavailable", "overloaded", "not_ready"],
  example: { response: experimentReportExample },
  handle: ({ query: { experiment, from, until } }, services) =>
    services.reports.experiments({
      experiment,
      from: from === undefined ? undefined : instantOf(from),
      until: until === undefined ? undefined : instantOf(until),
    }),
});

export const reportRoutes: readonly Route[] = [experiments];
