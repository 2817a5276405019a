/** The two e-mails of Hillstrom's test, each against none. */
export const ARMS = [
  { id: "womens", name: "women's e-mail", treated: "Womens E-Mail" },
  { id: "mens", name: "men's e-mail", treated: "Mens E-Mail" },
] as const;
export type Arm = (typeof ARMS)[number];

/** `visit` is asked; what is bought on a visit would tell of it. */
export const hillstromOptions = (file: string, { treated }: Arm) => ({
  file,
  label: "visit",
  drop: ["conversion", "spend"],
  treatment: "segment",
  treated,
  control: "No E-Mail",
});
