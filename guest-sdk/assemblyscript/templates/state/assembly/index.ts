// A row whenever a sensor has moved away from what it last told.

import { Cause, Config, Float64Builder, Float64Column, Float64Slot, State, StateShape } from "weir-guest/assembly";

export default class Moves extends State {
  private value!: Float64Column;
  private told!: Float64Slot;
  private before!: Float64Builder;
  private now!: Float64Builder;
  private by: f64 = 0;

  configure(shape: StateShape, config: Config): void {
    // What is read of a row. Other columns do not cross into the sandbox; those of the key can be read with `shape.key…`.
    this.value = shape.readFloat64("value");
    // What is kept of a key from batch to batch: the value that was told last. Raise `version` when it changes.
    this.told = shape.rememberFloat64("value");
    shape.version = 1;
    // The answer, before which the host puts the key: the value that was told before, null for the first, and the one now.
    this.before = shape.addFloat64("before", true);
    this.now = shape.addFloat64("now");
    // The operator's `config` in the pipeline file: smaller moves are not told.
    this.by = config.float("by", 0);
  }

  update(key: i32, first: i32, end: i32, cause: Cause): void {
    // No reading for the pipeline's `timeout`: the last call.
    if (cause == Cause.Idle) return this.forget();
    // Nothing yet is not a number.
    const before = this.isKnown(key) ? this.told.get(key) : NaN;
    let last = before;
    for (let row = first; row < end; row++) {
      if (!this.accept(row)) continue;
      const value = this.value.get(row);
      if (!isFinite(value)) this.reject(row, `${value} is no measurement`);
      else if (isNaN(last) || Math.abs(value - last) > this.by) {
        this.tell(last, value);
        last = value;
      }
    }
    // What does not change costs the host nothing.
    if (isNaN(last) || last == before) return;
    this.told.push(last);
    this.keep();
  }

  private tell(before: f64, now: f64): void {
    if (isNaN(before)) this.before.pushNull();
    else this.before.push(before);
    this.now.push(now);
    this.emit();
  }
}
