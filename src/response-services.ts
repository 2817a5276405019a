/** Responses and dispositions wired to the core. */
import type { Core } from "./core.js";
import { strangerOf } from "./decision/gather.js";
import type { MemberReader } from "./decision/member-reader.js";
import type { DecisionRecord } from "./decision/record.js";
import { type RespondDependencies, type ResponseInput, respond } from "./decision/respond.js";
import { isCuecardError } from "./errors.js";
import type { MemberRef } from "./events/event.js";
import { numberInUse } from "./events/number-in-use.js";
import type { ResponseService, Services } from "./http/services.js";
import { idsWithin } from "./members/erase-member.js";
import { requirePhone } from "./members/identity.js";
import { parsePhone } from "./members/phone.js";
import { addressOf } from "./policy/guards.js";
import { type DispositionParts, disposition, dispositionFallback } from "./pop/disposition.js";
import type { PopCall } from "./pop/pop-call.js";
import { withDeadline } from "./redis/clients.js";

export interface ResponseParts {
  readonly core: Core;
  readonly reader: Pick<MemberReader, "readRef">;
  find(decision: string): Promise<DecisionRecord>;
  /** Throws `store_full` while there is no room to breathe. */
  requireRoom(): void;
}

/** A telephone system waits for no longer than this. */
const DISPOSITION_MS = 5_000;

export function responseServices(
  parts: ResponseParts,
): Pick<Services, "disposition" | "dispositionFallback"> & { responses: ResponseService } {
  const { core, requireRoom } = parts;
  const { config, suppressions } = core;
  const dependencies: RespondDependencies = {
    find: parts.find,
    ingest: core.ingest,
    async effects(member, event) {
      const { profile } = await core.store.readThrough(member);
      const phone = numberInUse(profile);
      const one = { subject: member, event, ...(phone === null ? {} : { phone }) };
      await core.contactEvents.recordPhones([one]);
      await core.responseEffects(member, event);
    },
    log: core.log,
    store: core.store,
    placements: config.placements,
    limits: config,
    usesPhone(id) {
      return addressOf(config.channels.find((one) => one.id === id) ?? { id }) === "phone";
    },
    laterMs: core.contactPolicy.laterMs,
    suppress(value, at) {
      const why = { source: "response:unknown", reason: "do_not_contact", at } as const;
      return suppressions.put({ kind: "phone", value }, why);
    },
  };
  const take = (input: ResponseInput) => {
    requireRoom();
    return respond(input, dependencies);
  };
  const dispositionParts: DispositionParts = {
    config,
    // What is under way goes on: a repeat finds it done.
    respond: (input) => withDeadline(take(input), DISPOSITION_MS),
    decisionOf: (call) => withDeadline(decisionOf(call, parts), DISPOSITION_MS),
    phoneOf(text) {
      const parsed = parsePhone(text, config.defaultRegion);
      return parsed.kind === "number" ? parsed.e164 : null;
    },
    suppress(identities, source) {
      const why = { source, reason: "do_not_contact", at: Date.now() } as const;
      return withDeadline(suppressions.putAll(identities, why), DISPOSITION_MS);
    },
    onError(error) {
      const known = isCuecardError(error) && error.code !== "internal";
      if (known) core.logger.warn({ code: error.code }, "a disposition was not kept");
      else core.logger.error({ err: error }, "a disposition was not kept");
    },
  };
  return {
    responses: {
      async respond({ phone, ...input }) {
        const number =
          phone === undefined ? {} : { phone: requirePhone(phone, config.defaultRegion) };
        return take({ ...input, ...number });
      },
    },
    disposition: (fields) => disposition(fields, dispositionParts),
    dispositionFallback,
  };
}

/** Whose card a call was is told as the card was asked for: by member, by number, by neither. */
async function decisionOf(call: PopCall, { core, reader }: ResponseParts): Promise<string | null> {
  if (call.call === null) return null;
  const phone = call.caller ?? "anonymous";
  const holders = new Set([strangerOf({ phone }, core.config)]);
  const refs: MemberRef[] = call.caller === null ? [] : [{ phone: call.caller }];
  if (call.member !== null) {
    refs.push(call.member);
    holders.add(call.member);
  }
  for (const ref of refs) {
    const record = await reader.readRef(ref);
    // A card from before a merge is kept under the id of then.
    for (const id of record === null ? [] : idsWithin(record)) holders.add(id);
  }
  const answers = await core.offers.answersTo(call.call, [...holders]);
  const ids = new Set(
    answers.map((text) => (JSON.parse(text) as { decisionId: string }).decisionId),
  );
  // Two members under one call id: which of them it was nobody can tell.
  return ids.size === 1 ? [...ids][0]! : null;
}
