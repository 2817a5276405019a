/** Why a file cannot be read, in words. */
import { CuecardError } from "../errors.js";

const MEANING: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "this is a directory",
  EACCES: "the file may not be read",
  Z_DATA_ERROR: "the file is not gzip, or it is damaged",
  Z_BUF_ERROR: "the gzip file ends too early",
};

/** `file_invalid`; undefined for what is no fault of reading. */
export function readFault(error: unknown): CuecardError | undefined {
  const meaning = MEANING[(error as NodeJS.ErrnoException).code ?? ""];
  return meaning === undefined
    ? undefined
    : new CuecardError("file_invalid", meaning, { cause: error });
}
