/**
 * How rankers are trained: P(the next order holds the candidate) by log loss. On validation slices of
 * Ta-Feng and Online Retail it orders as well as LambdaMART (rank:ndcg) or better (NDCG@10 +.002 to
 * +.003), learns from examples that hold none of the candidates too, is not stopped early by a few
 * noisy lists, and its margins mean the same for every member.
 */
export const RANKER_OBJECTIVE = "binary:logistic";

/** Shallow trees: examples are few and most features are counts of few baskets. */
export const RANKER_PARAMS: Readonly<Record<string, number>> = {
  max_depth: 5,
  eta: 0.15,
  min_child_weight: 10,
  subsample: 0.8,
  colsample_bytree: 0.7,
  lambda: 5,
};
