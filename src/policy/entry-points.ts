/**
 * Every door through which an offer, a contact or a lead leaves. What is offered behind one of them
 * has passed the guards first and last; a route that offers must name its door (tested), and the
 * guards' own tests walk through every door of this list.
 */
export const ENTRY_POINTS = ["recommendations", "pop", "leads.rank"] as const;
export type EntryPoint = (typeof ENTRY_POINTS)[number];
