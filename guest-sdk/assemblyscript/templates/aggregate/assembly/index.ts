// The lowest and the highest value of a key.

import { Aggregate, AggregateShape, Config, Float64Builder, Float64Column, Float64Slot } from "weir-guest/assembly";

export default class Extremes extends Aggregate {
  private value!: Float64Column;
  private low!: Float64Slot;
  private high!: Float64Slot;
  private lowest!: Float64Builder;
  private highest!: Float64Builder;
  private limit: f64 = 0;

  configure(shape: AggregateShape, config: Config): void {
    // What is read of a row. Other columns, the key's too, do not cross into the sandbox.
    this.value = shape.readFloat64("value");
    // What rows are folded into.
    this.low = shape.foldFloat64("low");
    this.high = shape.foldFloat64("high");
    // The answer, before which the host puts the key.
    this.lowest = shape.addFloat64("lowest");
    this.highest = shape.addFloat64("highest");
    // The operator's `config` in the pipeline file: values above the limit are rejected.
    this.limit = config.float("limit", Infinity);
  }

  create(first: i32, end: i32): void {
    let low = Infinity;
    let high = -Infinity;
    for (let row = first; row < end; row++) {
      if (!this.accept(row)) continue;
      const value = this.value.get(row);
      if (value > this.limit) {
        this.reject(row, `${value} is above ${this.limit}`);
        continue;
      }
      low = min(low, value);
      high = max(high, value);
    }
    this.low.push(low);
    this.high.push(high);
  }

  merge(first: i32, end: i32): void {
    let low = Infinity;
    let high = -Infinity;
    for (let row = first; row < end; row++) {
      low = min(low, this.low.get(row));
      high = max(high, this.high.get(row));
    }
    this.low.push(low);
    this.high.push(high);
  }

  finish(row: i32): void {
    this.lowest.push(this.low.get(row));
    this.highest.push(this.high.get(row));
  }
}
