// The task's log: the only thing that an operator can call.

// @ts-ignore: decorator
@external("weir:operator/log@0.1.0", "log")
declare function append(level: i32, line: usize, length: usize): void;

function write(level: i32, line: string): void {
  const utf8 = String.UTF8.encode(line);
  append(level, changetype<usize>(utf8), utf8.byteLength);
}

/** For the operator's author. */
export function debug(line: string): void {
  write(0, line);
}

/** Worth knowing. */
export function info(line: string): void {
  write(1, line);
}

/** Worth a look. */
export function warn(line: string): void {
  write(2, line);
}

/** Something is wrong. */
export function error(line: string): void {
  write(3, line);
}
