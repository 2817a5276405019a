/** MessagePack as scripts read and write it: plain arrays, maps, texts and numbers. */
import { Packr } from "msgpackr";

const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: "number" });

export const pack = (value: unknown): Buffer => packr.pack(value);

/** Throws on what is no MessagePack. */
export const unpack = (packed: Buffer): unknown => packr.unpack(packed);
