// What operators of every kind export.

// The compiler is told to call it.
import "../abort";
import { failure, field } from "../abi";
import { Config } from "../config";
import { Field } from "../schema";
import { Columns } from "../shape/columns";

export { reallocate, release } from "../memory";

export function readFields(at: usize, count: i32): Field[] {
  const fields = new Array<Field>();
  for (let i = 0; i < count; i++) fields.push(Field.read(at + <usize>i * field.size));
  return fields;
}

export function readConfig(json: usize, length: usize): Config {
  return new Config(String.UTF8.decodeUnsafe(json, length));
}

/** Where the answer lies that an operator is not configured, or 0 where it is. */
export function refused(config: Config, shape: Columns): usize {
  const problem = config.problem ? config.problem : shape.problem;
  return problem ? failure(problem) : 0;
}
