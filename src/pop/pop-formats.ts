/** One answer in the forms telephone systems can read. */
import type { RecommendationResponse } from "../decision/answer.js";
import type { PopFormat } from "./pop-call.js";

export interface PopText {
  readonly contentType: string;
  readonly text: string;
}

/** Suggestions told to systems that keep single values: more than these nobody reads out. */
const FLAT_SUGGESTIONS = 3;

/**
 * One level of strings, every name always there, so that a script can name it unseen: Amazon Connect
 * takes such a map as STRING_MAP. Unknown is the empty string.
 */
export function flatOf(answer: RecommendationResponse): Record<string, string> {
  const { member, scores, doNotSell, suggestions } = answer;
  const flat: Record<string, string> = {
    decision_id: answer.decisionId,
    known: String(member.known),
    member_id: text(member.id),
    name: text(member.name),
    stage: text(member.stage),
    purchase: text(scores.purchase),
    churn: text(scores.churn),
    do_not_sell: text(doNotSell?.code),
    do_not_sell_text: text(doNotSell?.text),
    degraded: answer.degraded.join(" "),
  };
  for (let i = 0; i < FLAT_SUGGESTIONS; i++) {
    const suggestion = suggestions[i];
    const name = `offer${i + 1}`;
    flat[`${name}_kind`] = text(suggestion?.kind);
    flat[`${name}_product`] = text(suggestion?.product?.id);
    flat[`${name}_name`] = text(suggestion?.product?.name);
    flat[`${name}_price`] = text(suggestion?.product?.price);
    flat[`${name}_coupon`] = text(suggestion?.coupon?.label);
    flat[`${name}_script`] = text(suggestion?.script);
    flat[`${name}_reason`] = text(suggestion?.reasons[0]?.text);
  }
  return flat;
}

const text = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? "" : String(value);

/** One line: what a PBX shows as the caller's name. */
const callerName = (name: string | null): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a line break would be a second line
  (name ?? "").replace(/[\u0000-\u001f\u007f]+/g, " ").trim();

export function formatPop(answer: RecommendationResponse, format: PopFormat): PopText {
  if (format === "json") return { contentType: "application/json", text: JSON.stringify(answer) };
  if (format === "cid") {
    return { contentType: "text/plain; charset=utf-8", text: callerName(answer.member.name) };
  }
  const flat = flatOf(answer);
  if (format === "flat") return { contentType: "application/json", text: JSON.stringify(flat) };
  const pairs = new URLSearchParams(flat).toString();
  return { contentType: "text/plain; charset=utf-8", text: pairs };
}
