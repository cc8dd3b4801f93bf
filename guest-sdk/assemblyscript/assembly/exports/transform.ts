// A transform as a component: what the host calls.

import { failure, success } from "../abi";
import { Shape } from "../shape/transform";
import { Transform } from "../transform";
import { readConfig, readFields, reallocate, refused, release } from "./common";

export { reallocate, release };

let operator: Transform | null = null;
let shape: Shape | null = null;

/** The operator of this component. */
export function use(it: Transform): void {
  operator = it;
}

export function configure(json: usize, jsonLength: usize, fields: usize, count: i32): usize {
  const asked = new Shape(readFields(fields, count));
  const config = readConfig(json, jsonLength);
  operator!.configure(asked, config);
  asked.settle();
  const refusal = refused(config, asked);
  if (refusal) return refusal;
  shape = asked;
  const at = success(28);
  asked.write(at + 4);
  return at;
}

export function apply(batchTime: i64, rows: i32, columns: usize, count: i32): usize {
  operator!.batchTime = batchTime;
  operator!.run(shape!, rows, columns);
  const problem = operator!.problem;
  if (problem) return failure(problem);
  const at = success(28);
  operator!.write(shape!, at + 4);
  return at;
}

/** What the host has read of an answer is needed no more. */
export function answered(answer: usize): void {
  release();
}
