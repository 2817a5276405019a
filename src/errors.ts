/**
 * The registry of every error a caller can see: code → HTTP status, meaning, what to do.
 * Clients match `code`; it is API and never renamed. `docs/errors.md` is generated from this table
 * and `test/tidy.test.ts` fails when a code is thrown that does not stand here.
 */

export interface ErrorEntry {
  readonly status: number;
  readonly title: string;
  /** What the reader should do about it, in one sentence. */
  readonly remedy: string;
}

const define = <T extends Record<string, ErrorEntry>>(table: T): T => table;

export const ERRORS = define({
  // The request itself
  malformed_json: {
    status: 400,
    title: "The body is not valid JSON",
    remedy: "Send one JSON document in UTF-8 with Content-Type application/json.",
  },
  invalid_request: {
    status: 400,
    title: "The request does not match its schema",
    remedy: "See `errors`: each entry names the path and what is wrong with it.",
  },
  body_too_large: {
    status: 413,
    title: "The body is larger than the limit",
    remedy: "Split it; the limit is named in `detail`.",
  },
  unsupported_media_type: {
    status: 415,
    title: "The content type is not supported here",
    remedy: "Use application/json (application/x-ndjson for bulk routes).",
  },
  not_found: {
    status: 404,
    title: "There is nothing at this address",
    remedy: "See /docs for the routes.",
  },
  method_not_allowed: {
    status: 405,
    title: "This address does not take that method",
    remedy: "See the Allow header and /docs.",
  },
  conflict: {
    status: 409,
    title: "The record changed or exists in another form",
    remedy: "Read it again and repeat the request.",
  },
  headers_too_large: {
    status: 431,
    title: "The request headers are larger than the limit",
    remedy: "Send fewer or shorter headers and a shorter address.",
  },
  request_timeout: {
    status: 408,
    title: "The body did not arrive in time",
    remedy: "Send the body without pauses.",
  },
  // Who asks
  key_missing: {
    status: 401,
    title: "No API key was sent",
    remedy: "Send Authorization: Bearer KEY or X-API-Key: KEY.",
  },
  key_unknown: {
    status: 401,
    title: "This API key is not known",
    remedy: "List keys with `cuecard keys list`; make one with `cuecard keys create`.",
  },
  key_not_found: {
    status: 404,
    title: "There is no such API key",
    remedy: "GET /v1/keys lists them.",
  },
  scope_missing: {
    status: 403,
    title: "This key has not the scope the route needs",
    remedy: "Use a key with the scope named in `detail`.",
  },
  // Events
  unknown_event_type: {
    status: 400,
    title: "The event type is neither built in nor declared",
    remedy: "Use a type of the list in /docs, or one that starts with `custom_`.",
  },
  time_in_future: {
    status: 400,
    title: "The event lies in the future",
    remedy: "Check the clock and the time zone of the sender.",
  },
  time_too_old: {
    status: 400,
    title: "The event is older than the earliest time accepted",
    remedy: "Check the time's unit (milliseconds or ISO 8601) and the date.",
  },
  invalid_amount: {
    status: 400,
    title: "The amount or quantity is not usable",
    remedy: "Amounts are finite and not negative; a return is an event of type `return`.",
  },
  invalid_id: {
    status: 400,
    title: "The id is not usable",
    remedy: "Ids are 1 to 200 characters, without control characters.",
  },
  duplicate_differs: {
    status: 409,
    title: "An event with this id was accepted before with other content",
    remedy: "The first one counts. Send a correction under a new id.",
  },
  invalid_time: {
    status: 400,
    title: "The time cannot be read",
    remedy:
      "Use ISO 8601, epoch seconds or milliseconds, or a local date and time with --timezone.",
  },
  row_broken: {
    status: 400,
    title: "The row of the file cannot be read",
    remedy: "Mend it: a quote is left open, or it has more or fewer columns than the header.",
  },
  batch_too_large: {
    status: 413,
    title: "The batch holds more entries than the limit",
    remedy: "Split it; the limit is named in `detail`.",
  },
  // Records
  member_unknown: { status: 404, title: "There is no such member", remedy: "Check the id." },
  member_erased: {
    status: 410,
    title: "This member was erased",
    remedy: "Nothing that names an erased person is taken. See docs/erasure.md on coming back.",
  },
  merge_invalid: {
    status: 409,
    title: "These members cannot be merged or un-merged",
    remedy:
      "See `detail`: a member cannot be merged with itself, into one merged into it, or twice.",
  },
  product_unknown: { status: 404, title: "There is no such product", remedy: "Check the id." },
  product_id_collision: {
    status: 409,
    title: "This product id cannot be told from another one",
    remedy: "Rename the product: its 40-bit fingerprint equals that of the product in `detail`.",
  },
  invalid_phone: {
    status: 400,
    title: "The phone number is not valid",
    remedy: "Send E.164 (+…), 00…, or a national number of the configured default region.",
  },
  coupon_already_redeemed: {
    status: 409,
    title: "This member has redeemed the coupon already",
    remedy: "The first redemption counts; nothing was written for this one.",
  },
  coupon_not_issued: {
    status: 409,
    title: "The coupon was not issued to this member and its budget is spent",
    remedy: "Check the coupon and the member, or raise the coupon's budget; then send it again.",
  },
  coupon_unknown: { status: 404, title: "There is no such coupon", remedy: "Check the id." },
  experiment_unknown: {
    status: 404,
    title: "There is no such experiment",
    remedy: "GET /v1/experiments lists them.",
  },
  suppression_unknown: {
    status: 404,
    title: "This identity is not on the suppression list",
    remedy: "Name it as it was put: phone, email, member or account.",
  },
  model_unknown: {
    status: 404,
    title: "There is no such model",
    remedy: "GET /v1/models lists them.",
  },
  job_unknown: { status: 404, title: "There is no such job", remedy: "GET /v1/jobs lists them." },
  decision_unknown: {
    status: 404,
    title: "There is no such decision",
    remedy: "Check the id. Decisions of erased members are gone.",
  },
  replay_unavailable: {
    status: 409,
    title: "The decision cannot be computed again",
    remedy: "See `detail`: a model or artifact of then is no longer kept.",
  },
  // Trouble
  store_unavailable: {
    status: 503,
    title: "The store cannot be reached",
    remedy: "Nothing was written. Repeat after the time in Retry-After.",
  },
  store_full: {
    status: 503,
    title: "The store is out of room",
    remedy: "Nothing was written. Archive and trim, or give it more memory; then repeat.",
  },
  write_contended: {
    status: 503,
    title: "The member is being written by too many at once",
    remedy: "Nothing was written. Repeat after the time in Retry-After.",
  },
  overloaded: {
    status: 503,
    title: "The server has more work than it can answer in time",
    remedy: "Repeat after the time in Retry-After, or add processes.",
  },
  not_ready: {
    status: 503,
    title: "The server is starting or stopping",
    remedy: "Ask another process, or repeat after the time in Retry-After.",
  },
  internal: {
    status: 500,
    title: "Something went wrong on our side",
    remedy: "Quote the requestId; the log entry with that id says what happened.",
  },
  // Start, command line and jobs (no HTTP caller sees these; exit codes do)
  config_invalid: {
    status: 500,
    title: "The configuration is not valid",
    remedy: "See the faults listed.",
  },
  redis_missing: {
    status: 500,
    title: "No redis-server or valkey-server on this machine",
    remedy: "Install one (apt-get install redis-server, brew install redis) or set REDIS_URL.",
  },
  redis_version: {
    status: 500,
    title: "The Redis version is not supported",
    remedy: "Use Redis ≥ 6.2 or Valkey ≥ 7.2.",
  },
  redis_start_failed: {
    status: 500,
    title: "The private Redis did not start",
    remedy: "The last lines of its log, told with the error, say why.",
  },
  data_dir_locked: {
    status: 500,
    title: "Another Cuecard uses this data directory",
    remedy: "Stop it, or set another DATA_DIR.",
  },
  data_dir_unwritable: {
    status: 500,
    title: "The data directory cannot be written",
    remedy: "Check its owner, its rights and the free space.",
  },
  disk_full: { status: 503, title: "The disk is full", remedy: "Free space under DATA_DIR." },
  port_in_use: { status: 500, title: "The port is in use", remedy: "Set another PORT." },
  store_incompatible: {
    status: 500,
    title: "The store was written by another version",
    remedy: "Use the server version that wrote it, or a newer one; or rebuild from the log.",
  },
  store_not_empty: {
    status: 500,
    title: "The store already holds something else",
    remedy: "The demo world fills only an empty store: set another DATA_DIR.",
  },
  xgboost_missing: {
    status: 500,
    title: "The XGBoost library is not on this machine",
    remedy:
      "apt-get install libxgboost0, brew install xgboost, or set XGBOOST_LIBRARY. Serving works without it.",
  },
  model_invalid: {
    status: 500,
    title: "The model was refused",
    remedy:
      "It is not used: a server goes on with the model it has. Mend what is named, and train again.",
  },
  ranking_missing: {
    status: 409,
    title: "Nobody is ranked like this yet",
    remedy: "Run the job `score` (POST /v1/jobs/score/start) once models stand, or name `members`.",
  },
  not_enough_data: {
    status: 409,
    title: "There is not enough data to train on",
    remedy: "Bring more of what is short, then train again.",
  },
  lease_held: {
    status: 409,
    title: "Another process does this work already",
    remedy: "Wait until it has ended; GET /v1/jobs shows it.",
  },
  lease_lost: {
    status: 409,
    title: "Another process took over this work",
    remedy: "Nothing was published by this one; the other one finishes it.",
  },
  job_failed: {
    status: 500,
    title: "The job did not finish",
    remedy: "The log of the worker says more; it is tried again as its schedule says.",
  },
  file_invalid: {
    status: 400,
    title: "The file cannot be read as asked",
    remedy: "Name a file that can be read, columns it has, and its separator and encoding.",
  },
  usage: {
    status: 400,
    title: "The command is not used like this",
    remedy: "`npm run cuecard -- help COMMAND` shows how.",
  },
});

export type ErrorCode = keyof typeof ERRORS;

export interface FieldError {
  /** JSON path of the offending value, e.g. `events[3].at`. */
  path: string;
  message: string;
}

export interface CuecardErrorOptions {
  /** Per-field faults, for invalid_request. */
  errors?: FieldError[];
  retryAfterSeconds?: number;
  /** What to do, where that of the code is too general. */
  remedy?: string;
  cause?: unknown;
}

/** An error with a registered code. `detail` is written for a person and holds no personal data. */
export class CuecardError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly errors?: FieldError[];
  readonly retryAfterSeconds?: number;
  /** For a person at a terminal. */
  readonly remedy: string;

  constructor(code: ErrorCode, detail: string, options: CuecardErrorOptions = {}) {
    super(`${code}: ${detail}`, { cause: options.cause });
    this.name = "CuecardError";
    this.code = code;
    this.detail = detail;
    this.errors = options.errors;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.remedy = options.remedy ?? ERRORS[code].remedy;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

export const isCuecardError = (error: unknown): error is CuecardError =>
  error instanceof CuecardError;
