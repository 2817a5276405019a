/** The models that serve: list, report, train, promote, roll back. */
import { z } from "zod";
import { modelsExample } from "./examples.js";
import { type Route, route } from "./route.js";
import { jobStartedSchema, modelReportSchema, modelSummarySchema, pageOf } from "./schemas.js";

const list = route({
  name: "listModels",
  method: "get",
  path: "/v1/models",
  tag: "Models",
  summary: "The models that serve",
  scopes: ["admin"],
  status: 200,
  response: pageOf(modelSummarySchema),
  errors: ["store_unavailable"],
  example: { response: modelsExample },
  handle: async (_input, services) => ({ items: await services.models.list(), nextCursor: null }),
});

const report = route({
  name: "modelReport",
  method: "get",
  path: "/v1/models/{name}/report",
  tag: "Models",
  summary: "How good a model was on held-out data",
  scopes: ["admin"],
  status: 200,
  response: modelReportSchema,
  errors: ["model_unknown", "store_unavailable"],
  handle: ({ params }, services) => services.models.report(params.name),
});

const train = route({
  name: "trainModel",
  method: "post",
  path: "/v1/models/{name}/train",
  tag: "Models",
  summary: "Train a model in the background",
  description:
    "Answers the id of the job; a model that passes its checks then serves in every process.",
  scopes: ["admin"],
  status: 202,
  response: jobStartedSchema,
  errors: ["model_unknown", "store_unavailable"],
  example: { response: { job: "train-heads-1767225600000" } },
  handle: async ({ params }, services) => ({ job: await services.models.train(params.name) }),
});

const promote = route({
  name: "promoteModel",
  method: "post",
  path: "/v1/models/{name}/promote",
  tag: "Models",
  summary: "Make a version serve",
  scopes: ["admin"],
  body: z.strictObject({ version: z.string().min(1).max(200).optional() }).optional(),
  status: 200,
  response: modelSummarySchema,
  errors: ["model_unknown", "model_invalid", "store_unavailable"],
  async handle({ params, body }, { models }) {
    return models.promote(params.name, body?.version);
  },
});

const rollback = route({
  name: "rollbackModel",
  method: "post",
  path: "/v1/models/{name}/rollback",
  tag: "Models",
  summary: "Back to the version that served before",
  scopes: ["admin"],
  status: 200,
  response: modelSummarySchema,
  errors: ["model_unknown", "conflict", "store_unavailable"],
  async handle({ params }, { models }) {
    return models.rollback(params.name);
  },
});

export const modelRoutes: readonly Route[] = [list, report, train, promote, rollback];
