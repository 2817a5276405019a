/** Background jobs: list, start, cancel. */
import { jobsExample } from "./examples.js";
import { type Route, route } from "./route.js";
import { jobStartedSchema, jobSummarySchema, pageOf, pageQuerySchema } from "./schemas.js";

const list = route({
  name: "listJobs",
  method: "get",
  path: "/v1/jobs",
  tag: "Jobs",
  summary: "List jobs, latest first",
  scopes: ["admin"],
  query: pageQuerySchema,
  status: 200,
  response: pageOf(jobSummarySchema),
  errors: ["store_unavailable"],
  example: { response: jobsExample },
  handle: ({ query }, services) => services.jobs.list(query),
});

const start = route({
  name: "startJob",
  method: "post",
  path: "/v1/jobs/{name}/start",
  tag: "Jobs",
  summary: "Run a job now",
  scopes: ["admin"],
  status: 202,
  response: jobStartedSchema,
  errors: ["job_unknown", "store_unavailable"],
  example: { response: { job: "archive-1767225600000" } },
  handle: async ({ params }, services) => ({ job: await services.jobs.start(params.name) }),
});

const cancel = route({
  name: "cancelJob",
  method: "post",
  path: "/v1/jobs/{id}/cancel",
  tag: "Jobs",
  summary: "Cancel a job",
  description: "One that waits is removed; one that runs is asked to stop.",
  scopes: ["admin"],
  status: 204,
  errors: ["job_unknown", "conflict", "store_unavailable"],
  handle: ({ params }, services) => services.jobs.cancel(params.id),
});

export const jobRoutes: readonly Route[] = [list, start, cancel];
