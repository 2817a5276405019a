/** The one table of routes: what is mounted, guarded, validated and documented. */
import { couponRoutes } from "./coupons.js";
import { decisionRoutes } from "./decisions.js";
import { docsRoutes } from "./docs.js";
import { experimentRoutes } from "./experiments.js";
import { healthRoutes } from "./health.js";
import { jobRoutes } from "./jobs.js";
import { keyRoutes } from "./keys-routes.js";
import { leadRoutes } from "./leads.js";
import { memberRoutes } from "./members.js";
import { modelRoutes } from "./models.js";
import { popRoutes } from "./pop.js";
import { productRoutes } from "./products.js";
import { reportRoutes } from "./reports.js";
import { responseRoutes } from "./responses.js";
import type { Route } from "./route.js";
import { servingRoutes } from "./serving.js";
import { suppressionRoutes } from "./suppressions.js";

/** `metricsOpen`: /metrics needs no key. */
export function createRoutes(options: { metricsOpen: boolean }): readonly Route[] {
  const routes: readonly Route[] = [
    ...servingRoutes,
    ...popRoutes,
    ...responseRoutes,
    ...decisionRoutes,
    ...leadRoutes,
    ...memberRoutes,
    ...productRoutes,
    ...couponRoutes,
    ...experimentRoutes,
    ...reportRoutes,
    ...suppressionRoutes,
    ...modelRoutes,
    ...jobRoutes,
    ...keyRoutes,
    ...healthRoutes(options),
    ...docsRoutes(() => routes),
  ];
  return routes;
}
