/** MessagePack as scripts read and write it: plain arrays, maps, texts and numbers. */
import { Packr } from "msgpackr";

// Not by `toJSON`: an attribute may be called so, and is no function.
const packr = new Packr({
  useRecords: false,
  variableMapSize: true,
  int64AsType: "number",
  useToJSON: false,
});

export const pack = (value: unknown): Buffer => packr.pack(value);

/** Throws on what is no MessagePack. */
export const unpack = (packed: Buffer): unknown => packr.unpack(packed);
