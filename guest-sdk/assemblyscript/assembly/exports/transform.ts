// A transform as a component: what the host calls.

// The compiler is told to call it.
import "../abort";
import { failure, field, success } from "../abi";
import { Config } from "../config";
import { reallocate, release } from "../memory";
import { Field } from "../schema";
import { Shape } from "../shape";
import { Transform } from "../transform";

export { reallocate };

let operator: Transform | null = null;

/** The operator of this component. */
export function use(it: Transform): void {
  operator = it;
}

export function configure(json: usize, jsonLength: usize, fields: usize, count: i32): usize {
  const input = new Array<Field>();
  for (let i = 0; i < count; i++) input.push(Field.read(fields + <usize>i * field.size));
  const shape = new Shape(input);
  const config = new Config(String.UTF8.decodeUnsafe(json, jsonLength));
  operator!.configure(shape, config);
  shape.settle();
  const problem = config.problem ? config.problem : shape.problem;
  if (problem) return failure(problem);
  operator!.begin(shape);
  const at = success(28);
  shape.write(at + 4);
  return at;
}

export function apply(batchTime: i64, rows: i32, columns: usize, count: i32): usize {
  operator!.batchTime = batchTime;
  operator!.run(rows, columns);
  const problem = operator!.problem;
  if (problem) return failure(problem);
  const at = success(28);
  operator!.write(at + 4);
  return at;
}

export function configured(answer: usize): void {
  release();
}

export function applied(answer: usize): void {
  release();
}
