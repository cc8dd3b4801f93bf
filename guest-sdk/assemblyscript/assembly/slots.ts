// Columns that are read and answered with, of an accumulator or a state: `get` reads what there is, an accumulator's `part` what is
// taken out of it, and `push` says what there is to be.

import { BooleanBuilder, Float64Builder, Int64Builder, Utf8Builder } from "./builders";
import { BooleanColumn, Float64Column, Int64Column, Utf8Column } from "./columns";
import { Field } from "./schema";

export class BooleanSlot extends BooleanColumn {
  part: BooleanColumn;
  builder: BooleanBuilder;

  constructor(field: Field) {
    super(field);
    this.part = new BooleanColumn(field);
    this.builder = new BooleanBuilder(field);
  }

  push(value: bool): void {
    this.builder.push(value);
  }

  pushNull(): void {
    this.builder.pushNull();
  }
}

/** Integers, or timestamps in microseconds since the Unix epoch. */
export class Int64Slot extends Int64Column {
  part: Int64Column;
  builder: Int64Builder;

  constructor(field: Field) {
    super(field);
    this.part = new Int64Column(field);
    this.builder = new Int64Builder(field);
  }

  push(value: i64): void {
    this.builder.push(value);
  }

  pushNull(): void {
    this.builder.pushNull();
  }
}

export class Float64Slot extends Float64Column {
  part: Float64Column;
  builder: Float64Builder;

  constructor(field: Field) {
    super(field);
    this.part = new Float64Column(field);
    this.builder = new Float64Builder(field);
  }

  push(value: f64): void {
    this.builder.push(value);
  }

  pushNull(): void {
    this.builder.pushNull();
  }
}

export class Utf8Slot extends Utf8Column {
  part: Utf8Column;
  builder: Utf8Builder;

  constructor(field: Field) {
    super(field);
    this.part = new Utf8Column(field);
    this.builder = new Utf8Builder(field);
  }

  push(value: string): void {
    this.builder.push(value);
  }

  pushNull(): void {
    this.builder.pushNull();
  }
}
