/** P(alive) and expected orders by MBG/NBD: the closed forms; the fit lives in training. */

/** Parameters of MBG/NBD (Batislam, Denizel, Filiztekin 2007); time in days. */
export interface AliveModel {
  readonly r: number;
  readonly alpha: number;
  readonly a: number;
  readonly b: number;
}
