// An operator with state as a component: what the host calls.

import { failure, success } from "../abi";
import { StateShape } from "../shape/state";
import { State, Touched } from "../state";
import { readConfig, readFields, reallocate, refused, release } from "./common";

export { reallocate, release };

let operator: State | null = null;
let shape: StateShape | null = null;

/** The operator of this component. */
export function use(it: State): void {
  operator = it;
}

export function configure(
  json: usize,
  jsonLength: usize,
  keys: usize,
  keyCount: i32,
  fields: usize,
  count: i32,
): usize {
  const asked = new StateShape(readFields(keys, keyCount), readFields(fields, count));
  const config = readConfig(json, jsonLength);
  operator!.configure(asked, config);
  const refusal = refused(config, asked);
  if (refusal) return refusal;
  shape = asked;
  const at = success(32);
  asked.write(at + 4);
  return at;
}

export function update(
  batchTime: i64,
  keyRows: i32,
  keys: usize,
  keyCount: i32,
  groups: usize,
  bounds: i32,
  rows: i32,
  input: usize,
  inputCount: i32,
  previousRows: i32,
  previous: usize,
  previousCount: i32,
  present: usize,
  presentLength: i32,
  causes: usize,
  count: i32,
): usize {
  operator!.batchTime = batchTime;
  const at = success(56);
  operator!.run(shape!, new Touched(count, keys, groups, input, previous, present, causes), at + 4);
  const problem = operator!.problem;
  return problem ? failure(problem) : at;
}

/** What the host has read of an answer is needed no more. */
export function answered(answer: usize): void {
  release();
}
