// An aggregate as a component: what the host calls.

import { failure, success } from "../abi";
import { Aggregate } from "../aggregate";
import { AggregateShape } from "../shape/aggregate";
import { readConfig, readFields, reallocate, refused, release } from "./common";

export { reallocate, release };

let operator: Aggregate | null = null;
let shape: AggregateShape | null = null;

/** The operator of this component. */
export function use(it: Aggregate): void {
  operator = it;
}

export function configure(json: usize, jsonLength: usize, fields: usize, count: i32): usize {
  const asked = new AggregateShape(readFields(fields, count));
  const config = readConfig(json, jsonLength);
  operator!.configure(asked, config);
  const refusal = refused(config, asked);
  if (refusal) return refusal;
  shape = asked;
  const at = success(32);
  asked.write(at + 4);
  return at;
}

export function create(groups: usize, bounds: i32, rows: i32, columns: usize, count: i32): usize {
  const at = success(20);
  operator!.runCreate(shape!, groups, bounds - 1, columns, at + 4);
  return settled(at);
}

export function merge(groups: usize, bounds: i32, rows: i32, columns: usize, count: i32): usize {
  const at = success(12);
  operator!.runMerge(shape!, groups, bounds - 1, columns, at + 4);
  return settled(at);
}

export function retract(
  rows: i32,
  totals: usize,
  totalCount: i32,
  partRows: i32,
  parts: usize,
  partCount: i32,
): usize {
  const at = success(20);
  operator!.runRetract(shape!, rows, totals, parts, at + 4);
  return settled(at);
}

export function finish(rows: i32, columns: usize, count: i32): usize {
  const at = success(12);
  operator!.runFinish(shape!, rows, columns, at + 4);
  return settled(at);
}

/** What the host has read of an answer is needed no more. */
export function answered(answer: usize): void {
  release();
}

function settled(at: usize): usize {
  const problem = operator!.problem;
  return problem ? failure(problem) : at;
}
