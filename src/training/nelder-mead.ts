/** Nelder–Mead: minimises a function of a few variables without derivatives. */

export interface MinimizeOptions {
  /** Edge of the first simplex. */
  readonly step: number;
  readonly evaluationsMax: number;
  /** Stops when the simplex's values differ by less than this, relative to 1 + |value|. */
  readonly tolerance?: number;
}

export interface Minimum {
  point: Float64Array;
  value: number;
  evaluations: number;
}

interface Vertex {
  point: Float64Array;
  value: number;
}

/** Source: Lagarias, Reeds, Wright, Wright (1998), the standard coefficients 1, 2, ½, ½. */
export function minimize(
  objective: (point: Float64Array) => number,
  start: Float64Array,
  { step, evaluationsMax, tolerance = 1e-10 }: MinimizeOptions,
): Minimum {
  let evaluations = 0;
  const evaluate = (point: Float64Array): Vertex => {
    evaluations += 1;
    const value = objective(point);
    return { point, value: Number.isNaN(value) ? Number.POSITIVE_INFINITY : value };
  };
  const simplex = [evaluate(Float64Array.from(start))];
  for (let i = 0; i < start.length; i++) {
    const point = Float64Array.from(start);
    point[i] += step;
    simplex.push(evaluate(point));
  }
  const order = (): Vertex[] => simplex.sort((p, q) => p.value - q.value);
  order();
  while (evaluations < evaluationsMax) {
    const worst = simplex[simplex.length - 1];
    if (worst.value - simplex[0].value <= tolerance * (1 + Math.abs(simplex[0].value))) break;
    const centre = centroid(simplex);
    const reflected = evaluate(along(centre, worst.point, -1));
    let next: Vertex | undefined;
    if (reflected.value < simplex[0].value) {
      const expanded = evaluate(along(centre, worst.point, -2));
      next = expanded.value < reflected.value ? expanded : reflected;
    } else if (reflected.value < simplex[simplex.length - 2].value) {
      next = reflected;
    } else {
      const outside = reflected.value < worst.value;
      const contracted = evaluate(along(centre, worst.point, outside ? -0.5 : 0.5));
      if (contracted.value < Math.min(reflected.value, worst.value)) next = contracted;
    }
    if (next !== undefined) simplex[simplex.length - 1] = next;
    else {
      for (let i = 1; i < simplex.length; i++) {
        simplex[i] = evaluate(along(simplex[0].point, simplex[i].point, 0.5));
      }
    }
    order();
  }
  return { ...simplex[0], evaluations };
}

/** Mean of all vertices but the worst. */
function centroid(simplex: readonly Vertex[]): Float64Array {
  const sum = new Float64Array(simplex[0].point.length);
  for (let i = 0; i < simplex.length - 1; i++) {
    for (let d = 0; d < sum.length; d++) sum[d] += simplex[i].point[d];
  }
  return sum.map((value) => value / (simplex.length - 1));
}

/** `from + factor · (to − from)`. */
function along(from: Float64Array, to: Float64Array, factor: number): Float64Array {
  return from.map((value, d) => value + factor * (to[d] - value));
}
