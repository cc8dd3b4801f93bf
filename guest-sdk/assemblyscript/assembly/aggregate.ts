// Aggregates: the rows of a key to one row.
//
// The host groups and shuffles, and an aggregate folds what it is given in several steps, so that rows can be folded before they
// cross the network and windows can be put together from batches:
//
//     rows --create--> accumulators --merge--> one accumulator --finish--> output
//                                      retract: takes an old batch out of a window's accumulator again

import { Bits, writeBatch } from "./builders";
import { Config } from "./config";
import { Operator, beginColumns } from "./operator";
import { AggregateShape } from "./shape/aggregate";

/** An aggregate: each of its functions pushes one value to each column of the accumulator, and `finish` to each of the answer. */
export abstract class Aggregate extends Operator {
  /** Says what it reads, folds into and answers with, and takes its config. */
  abstract configure(shape: AggregateShape, config: Config): void;

  /** Folds the rows of a key from `first` on, before `end`. Where all are rejected, what is pushed is not read. */
  abstract create(first: i32, end: i32): void;

  /** Folds accumulators of a key from `first` on, before `end`; there is at least one. Must be associative. */
  abstract merge(first: i32, end: i32): void;

  /** The inverse of `merge`: takes the part of a row out of its total, and says whether nothing remains. */
  retract(row: i32): bool {
    throw new Error("`shape.retracts` is set, and there is no `retract`");
  }

  /** The answer for an accumulator. */
  abstract finish(row: i32): void;

  /** `aggregate.created` */
  runCreate(shape: AggregateShape, groups: usize, count: i32, columns: usize, at: usize): void {
    this.begin(shape.columns, columns);
    for (let g = 0; g < count; g++) this.create(bound(groups, g), bound(groups, g + 1));
    writeBatch(at, shape.accumulators, count, "keys");
    this.writeRejects(at + 12);
  }

  /** `rows.batch` of accumulators */
  runMerge(shape: AggregateShape, groups: usize, count: i32, columns: usize, at: usize): void {
    beginColumns(shape.totals, columns);
    for (let g = 0; g < count; g++) this.merge(bound(groups, g), bound(groups, g + 1));
    writeBatch(at, shape.accumulators, count, "keys");
  }

  /** `rows.batch` of accumulators, and the bitmap of those of which nothing remains */
  runRetract(shape: AggregateShape, rows: i32, totals: usize, parts: usize, at: usize): void {
    beginColumns(shape.totals, totals);
    beginColumns(shape.parts, parts);
    const nothing = new Bits();
    for (let row = 0; row < rows; row++) nothing.push(this.retract(row));
    writeBatch(at, shape.accumulators, rows, "totals");
    nothing.finish(at + 12);
  }

  /** `rows.batch` of answers */
  runFinish(shape: AggregateShape, rows: i32, columns: usize, at: usize): void {
    beginColumns(shape.totals, columns);
    for (let row = 0; row < rows; row++) this.finish(row);
    writeBatch(at, shape.builders, rows, "accumulators");
  }
}

function bound(groups: usize, index: i32): i32 {
  return load<i32>(groups + (<usize>index << 2));
}
