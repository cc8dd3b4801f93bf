// What becomes of an error: the compiler calls this for `throw`, a failed assertion and an index out of range.

import { error } from "./log";

export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const what = message ? message : "aborted";
  error(file ? `${what}\n    at ${file}:${line}:${column}` : what);
  unreachable();
}
