/** Leads wired to the core: the guards' data, the models that serve, the ranked sets. */

import type { Core, Followed } from "./core.js";
import type { DecideDependencies } from "./decision/decide.js";
import { treatmentFor } from "./decision/experiments.js";
import {
  type MemberFacts,
  type ScoringDependencies,
  scoreMembers,
} from "./decision/member-scores.js";
import {
  askedBy,
  numberCalled,
  type PersonDependencies,
  personOf,
} from "./decision/read-person.js";
import { languageOf } from "./decision/script.js";
import type { DecisionParts } from "./decision-services.js";
import type { LeadService } from "./http/services.js";
import { type RankDependencies, rankLeads } from "./leads/rank-leads.js";
import { RankedSets } from "./leads/ranked-sets.js";
import { walkRecords } from "./leads/ranked-walk.js";

export function leadService(
  { core, followed }: Pick<DecisionParts, "core" | "followed">,
  deciding: DecideDependencies,
): LeadService {
  const dependencies = rankDependencies(core, followed, deciding);
  return { rank: (request) => rankLeads(request, dependencies) };
}

/** The part of what decides that leads need too. */
type Deciding = ScoringDependencies &
  PersonDependencies &
  Pick<DecideDependencies, "clock" | "rules" | "onGuardStop">;

export function rankDependencies(
  core: Pick<Core, "client" | "store" | "catalog">,
  followed: { readonly heads: Pick<Followed["heads"], "manifest"> },
  deciding: Deciding,
): RankDependencies {
  const { client, store, catalog } = core;
  const { config, suppressions, contacts } = deciding;
  const sets = new RankedSets(client);
  const outbound = config.placements.filter(({ kind }) => kind === "outbound");
  return {
    rules: deciding.rules,
    languageOf: (locale) => languageOf(locale, config.locale),
    readRefs: (refs) => deciding.reader.readRefs(refs),
    currentRun: () => sets.current(),
    walk: (run, set, batch) => walkRecords(client, store, run, set, batch),
    refreshSuppressions: () => suppressions.refresh(),
    async personsOf(members, now) {
      const asked = members.map(({ ref }) => askedBy(ref === null ? [] : [ref], config));
      const phones = members.map(({ record }, i) => numberCalled(record, asked[i]!));
      const known = [...new Set(phones.filter((phone) => phone !== null))];
      const found = known.length === 0 ? [] : await contacts.phoneContacts(known);
      const byPhone = new Map(known.map((phone, i) => [phone, found[i]!]));
      return members.map(({ record }, i) => {
        const phone = phones[i]!;
        const phoneContacts = phone === null ? [] : byPhone.get(phone)!;
        return personOf(record, asked[i]!, phoneContacts, now, deciding);
      });
    },
    scoreMembers: (facts, now) => scoreMembers(facts, now, deciding),
    headsVersion: () => followed.heads.manifest()?.version ?? null,
    isHeld(facts: MemberFacts, channel, now) {
      const assigning = { experiments: catalog.current().experiments, config };
      return outbound.some(({ id }) => {
        const { hold, channels } = treatmentFor(facts, id, now, assigning);
        return hold || channels?.has(channel) === false;
      });
    },
    onGuardStop: (guard) => deciding.onGuardStop(guard),
    clock: deciding.clock,
  };
}
