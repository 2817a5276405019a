/**
 * Artifacts as bytes: magic, header length, header (JSON), arrays one after another, each aligned to
 * 8 bytes. The header carries the layout version and the sha256 of everything behind it.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { CuecardError } from "../errors.js";
import type { CandidateArtifacts } from "./artifacts.js";

const MAGIC = "CUECAND\n";
const LAYOUT_VERSION = 2;
const PREFIX_BYTES = MAGIC.length + 4;

const headerSchema = z.object({
  version: z.literal(LAYOUT_VERSION),
  asOf: z.number(),
  segments: z.array(z.string()),
  /** Elements of each array, in the order of `arraysOf`. */
  lengths: z.array(z.number().int().min(0)),
  sha256: z.string(),
});

type AnyArray = Float64Array | Float32Array | Uint32Array;
type Empty = { new (buffer: ArrayBuffer): AnyArray; BYTES_PER_ELEMENT: number };

const KINDS: readonly Empty[] = [
  Float64Array,
  ...new Array<Empty>(5).fill(Float32Array),
  Uint32Array,
  Uint32Array,
  Float32Array,
  Uint32Array,
  Uint32Array,
  Float32Array,
  Float32Array,
  Uint32Array,
  Uint32Array,
];

const arraysOf = (a: CandidateArtifacts): AnyArray[] => [
  a.products,
  a.popularity,
  a.segmentPopularity,
  a.cadenceDays,
  a.cadenceCount,
  a.repeatRate,
  a.coPurchase.offsets,
  a.coPurchase.neighbour,
  a.coPurchase.weight,
  a.sessions.offsets,
  a.sessions.neighbour,
  a.sessions.weight,
  a.recentPopularity,
  a.walks.offsets,
  a.walks.product,
];

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;
const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function encodeArtifacts(artifacts: CandidateArtifacts): Buffer {
  const arrays = arraysOf(artifacts);
  const size = arrays.reduce((sum, array) => sum + aligned(array.byteLength), 0);
  const body = Buffer.alloc(size);
  let at = 0;
  for (const array of arrays) {
    body.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), at);
    at += aligned(array.byteLength);
  }
  const header = Buffer.from(
    JSON.stringify({
      version: LAYOUT_VERSION,
      asOf: artifacts.asOf,
      segments: [...artifacts.segments],
      lengths: arrays.map(({ length }) => length),
      sha256: sha256Of(body),
    } satisfies z.infer<typeof headerSchema>),
  );
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.write(MAGIC, "latin1");
  prefix.writeUInt32LE(header.length, MAGIC.length);
  return Buffer.concat([prefix, header, body]);
}

/** @throws `model_invalid` when the bytes are cut short, altered, or of another layout */
export function decodeArtifacts(bytes: Uint8Array): CandidateArtifacts {
  const { header, body } = split(bytes);
  if (sha256Of(body) !== header.sha256) throw invalid("its checksum does not match");
  const arrays: AnyArray[] = [];
  let at = 0;
  KINDS.forEach((kind, i) => {
    const byteLength = header.lengths[i] * kind.BYTES_PER_ELEMENT;
    if (!(at + byteLength <= body.length)) throw invalid("an array is cut short");
    arrays.push(new kind(new Uint8Array(body.subarray(at, at + byteLength)).buffer));
    at += aligned(byteLength);
  });
  return artifactsFrom(header, arrays);
}

function artifactsFrom(
  { asOf, segments }: z.infer<typeof headerSchema>,
  arrays: readonly AnyArray[],
): CandidateArtifacts {
  const f32 = (i: number) => arrays[i] as Float32Array;
  const u32 = (i: number) => arrays[i] as Uint32Array;
  return {
    asOf,
    segments,
    products: arrays[0] as Float64Array,
    popularity: f32(1),
    segmentPopularity: f32(2),
    cadenceDays: f32(3),
    cadenceCount: f32(4),
    repeatRate: f32(5),
    coPurchase: { offsets: u32(6), neighbour: u32(7), weight: f32(8) },
    sessions: { offsets: u32(9), neighbour: u32(10), weight: f32(11) },
    recentPopularity: f32(12),
    walks: { offsets: u32(13), product: u32(14) },
  };
}

function split(bytes: Uint8Array): { header: z.infer<typeof headerSchema>; body: Uint8Array } {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < PREFIX_BYTES || buffer.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw invalid("it does not begin like candidate artifacts");
  }
  const bodyAt = PREFIX_BYTES + buffer.readUInt32LE(MAGIC.length);
  try {
    const header = headerSchema.parse(JSON.parse(buffer.toString("utf8", PREFIX_BYTES, bodyAt)));
    return { header, body: buffer.subarray(bodyAt) };
  } catch (cause) {
    throw invalid("its header cannot be read by this version", cause);
  }
}

const invalid = (why: string, cause?: unknown): CuecardError =>
  new CuecardError("model_invalid", `the candidate artifacts were refused: ${why}`, { cause });
