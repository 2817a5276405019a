/** Health and metrics, for load balancers and Prometheus. */
import { z } from "zod";
import { CuecardError } from "../errors.js";
import { METRICS_CONTENT_TYPE } from "./metrics.js";
import { type Route, route } from "./route.js";
import { readinessSchema } from "./schemas.js";

const healthz = route({
  name: "healthz",
  method: "get",
  path: "/healthz",
  tag: "Operations",
  summary: "Is the process up",
  scopes: "open",
  status: 200,
  response: z.object({ status: z.literal("up") }),
  example: { response: { status: "up" } },
  handle: async () => ({ status: "up" as const }),
});

const readyz = route({
  name: "readyz",
  method: "get",
  path: "/readyz",
  tag: "Operations",
  summary: "Can the process answer",
  description:
    "503 `not_ready` while starting or stopping. A store out of reach does not make it fail, so that " +
    "a load balancer does not drop every process at once: reads still answer, degraded.",
  scopes: "open",
  status: 200,
  response: readinessSchema,
  errors: ["not_ready"],
  example: { response: { ready: true, store: "up" } },
  async handle(_input, services) {
    const readiness = await services.health.ready();
    if (!readiness.ready) throw new CuecardError("not_ready", "not ready to answer");
    return readiness;
  },
});

const metricsRoute = (open: boolean): Route =>
  route({
    name: "metrics",
    method: "get",
    path: "/metrics",
    tag: "Operations",
    summary: "Prometheus metrics of all processes together",
    scopes: open ? "open" : ["admin"],
    status: 200,
    contentType: METRICS_CONTENT_TYPE,
    handle: (_input, services) => services.metricsText(),
  });

export const healthRoutes = (options: { metricsOpen: boolean }): readonly Route[] => [
  healthz,
  readyz,
  metricsRoute(options.metricsOpen),
];
