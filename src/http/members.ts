/** Member records: read, write, list, merge, erase, timeline and export. */
import { memberInputSchema } from "../members/profile.js";
import { memberExample, memberInputExample } from "./examples.js";
import { checkBodyId, type Route, route } from "./route.js";
import {
  erasureSchema,
  memberExportSchema,
  memberListQuerySchema,
  memberRecordSchema,
  mergeRequestSchema,
  pageOf,
  pageQuerySchema,
  timelineEntrySchema,
} from "./schemas.js";

const WRITE_ERRORS = [
  "invalid_phone",
  "member_erased",
  "store_unavailable",
  "store_full",
  "write_contended",
] as const;
const READ_ERRORS = ["member_unknown", "member_erased", "store_unavailable"] as const;

const list = route({
  name: "listMembers",
  method: "get",
  path: "/v1/members",
  tag: "Members",
  summary: "List members, of one stage if asked",
  scopes: ["serve", "ingest"],
  query: memberListQuerySchema,
  status: 200,
  response: pageOf(memberRecordSchema),
  errors: ["store_unavailable"],
  handle: ({ query }, services) => services.members.list(query),
});

const put = route({
  name: "putMember",
  method: "put",
  path: "/v1/members/{id}",
  tag: "Members",
  summary: "Write a member's record",
  description:
    "Replaces the record; history is untouched. Phone numbers become E.164. Identities (phone, " +
    "email, accounts, visitors) lead to this member from then on.",
  scopes: ["ingest"],
  body: memberInputSchema,
  status: 200,
  response: memberRecordSchema,
  errors: [...WRITE_ERRORS, "conflict"],
  example: { request: memberInputExample, response: memberExample },
  handle({ params, body }, services) {
    checkBodyId(params.id, body.id);
    return services.members.put(params.id, body);
  },
});

const get = route({
  name: "getMember",
  method: "get",
  path: "/v1/members/{id}",
  tag: "Members",
  summary: "Read a member's record",
  scopes: ["serve", "ingest"],
  status: 200,
  response: memberRecordSchema,
  errors: READ_ERRORS,
  example: { response: memberExample },
  handle: ({ params }, services) => services.members.get(params.id),
});

const patch = route({
  name: "patchMember",
  method: "patch",
  path: "/v1/members/{id}",
  tag: "Members",
  summary: "Change some fields of a member",
  description: "Only the fields given change; attributes are merged name by name.",
  scopes: ["ingest"],
  body: memberInputSchema,
  status: 200,
  response: memberRecordSchema,
  errors: ["member_unknown", ...WRITE_ERRORS, "conflict"],
  example: { request: { tags: ["vip"] }, response: memberExample },
  handle({ params, body }, services) {
    checkBodyId(params.id, body.id);
    return services.members.patch(params.id, body);
  },
});

const erase = route({
  name: "eraseMember",
  method: "delete",
  path: "/v1/members/{id}",
  tag: "Members",
  summary: "Erase a member",
  description:
    "At once no read finds the member; the bytes leave log and archive by `completeBy`. Cannot be undone.",
  scopes: ["admin"],
  status: 200,
  response: erasureSchema,
  errors: [...READ_ERRORS, "write_contended"],
  handle: ({ params }, services) => services.members.erase(params.id),
});

const merge = route({
  name: "mergeMembers",
  method: "post",
  path: "/v1/members/{id}/merge",
  tag: "Members",
  summary: "Merge another member into this one",
  description:
    "History, identities and consents of `from` move here; `from` leads here from then on.",
  scopes: ["ingest"],
  body: mergeRequestSchema,
  status: 200,
  response: memberRecordSchema,
  errors: [...READ_ERRORS, "merge_invalid", "write_contended", "store_full"],
  example: { request: { from: "m_2088" } },
  handle: ({ params, body }, services) => services.members.merge(params.id, body.from),
});

const unmerge = route({
  name: "unmergeMembers",
  method: "post",
  path: "/v1/members/{id}/unmerge",
  tag: "Members",
  summary: "Undo a merge",
  description: "Both members become what the log says each of them did.",
  scopes: ["ingest"],
  body: mergeRequestSchema,
  status: 200,
  response: memberRecordSchema,
  errors: [...READ_ERRORS, "merge_invalid", "write_contended", "store_full"],
  example: { request: { from: "m_2088" } },
  handle: ({ params, body }, services) => services.members.unmerge(params.id, body.from),
});

const timeline = route({
  name: "memberTimeline",
  method: "get",
  path: "/v1/members/{id}/timeline",
  tag: "Members",
  summary: "What happened to a member, latest first",
  scopes: ["serve"],
  query: pageQuerySchema,
  status: 200,
  response: pageOf(timelineEntrySchema),
  errors: READ_ERRORS,
  handle: ({ params, query }, services) => services.members.timeline(params.id, query),
});

const exportMember = route({
  name: "exportMember",
  method: "get",
  path: "/v1/members/{id}/export",
  tag: "Members",
  summary: "Everything kept about a member",
  scopes: ["admin"],
  status: 200,
  response: memberExportSchema,
  errors: READ_ERRORS,
  handle: ({ params }, services) => services.members.export(params.id),
});

export const memberRoutes: readonly Route[] = [
  list,
  put,
  get,
  patch,
  erase,
  merge,
  unmerge,
  timeline,
  exportMember,
];
