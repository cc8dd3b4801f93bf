// What operators of every kind read and answer with.

import { field, list } from "../abi";
import {
  BinaryBuilder,
  BooleanBuilder,
  Builder,
  Float64Builder,
  Int64Builder,
  Utf8Builder,
} from "../builders";
import { BinaryColumn, BooleanColumn, Column, Float64Column, Int64Column, Utf8Column } from "../columns";
import { allocate } from "../memory";
import { Field, Type, find, listed, typeName } from "../schema";

/** The columns of the input that are read, and those of the answer. */
export abstract class Columns {
  columns: Column[] = [];
  builders: Builder[] = [];
  /** Why the operator cannot work with the input, or its config. */
  problem: string | null = null;
  protected reads: i32[] = [];

  constructor(public input: Field[]) {}

  readBoolean(name: string, nullable: bool = false): BooleanColumn {
    return this.read(new BooleanColumn(new Field(name, Type.Boolean, nullable)));
  }

  readInt64(name: string, nullable: bool = false): Int64Column {
    return this.read(new Int64Column(new Field(name, Type.Int64, nullable)));
  }

  readFloat64(name: string, nullable: bool = false): Float64Column {
    return this.read(new Float64Column(new Field(name, Type.Float64, nullable)));
  }

  /** Microseconds since the Unix epoch. */
  readTimestamp(name: string, nullable: bool = false): Int64Column {
    return this.read(new Int64Column(new Field(name, Type.Timestamp, nullable)));
  }

  readUtf8(name: string, nullable: bool = false): Utf8Column {
    return this.read(new Utf8Column(new Field(name, Type.Utf8, nullable)));
  }

  readBinary(name: string, nullable: bool = false): BinaryColumn {
    return this.read(new BinaryColumn(new Field(name, Type.Binary, nullable)));
  }

  addBoolean(name: string, nullable: bool = false): BooleanBuilder {
    return this.add(new BooleanBuilder(new Field(name, Type.Boolean, nullable)));
  }

  addInt64(name: string, nullable: bool = false): Int64Builder {
    return this.add(new Int64Builder(new Field(name, Type.Int64, nullable)));
  }

  addFloat64(name: string, nullable: bool = false): Float64Builder {
    return this.add(new Float64Builder(new Field(name, Type.Float64, nullable)));
  }

  /** Microseconds since the Unix epoch. */
  addTimestamp(name: string, nullable: bool = false): Int64Builder {
    return this.add(new Int64Builder(new Field(name, Type.Timestamp, nullable)));
  }

  addUtf8(name: string, nullable: bool = false): Utf8Builder {
    return this.add(new Utf8Builder(new Field(name, Type.Utf8, nullable)));
  }

  addBinary(name: string, nullable: bool = false): BinaryBuilder {
    return this.add(new BinaryBuilder(new Field(name, Type.Binary, nullable)));
  }

  /** The operator cannot work so: the pipeline is refused, with the reason. */
  fail(reason: string): void {
    if (!this.problem) this.problem = reason;
  }

  protected read<C extends Column>(column: C): C {
    const index = this.resolve(column.field, this.input, "input");
    column.index = this.reads.length;
    this.reads.push(index);
    this.columns.push(column);
    return column;
  }

  /** The index of a column in a place where it must be. */
  protected resolve(wanted: Field, fields: Field[], place: string): i32 {
    const index = find(wanted.name, fields);
    if (index < 0) {
      this.fail(`the ${place} has no column ${wanted.toString()}, which the operator reads; it has ${listed(fields)}`);
    } else if (fields[index].type != wanted.type) {
      this.fail(
        `the operator reads column \`${wanted.name}\` as ${typeName(wanted.type)}, but in the ${place} it is ` +
          `${typeName(fields[index].type)}; the ${place} has ${listed(fields)}`,
      );
    }
    return index;
  }

  protected add<B extends Builder>(builder: B): B {
    this.builders.push(builder);
    return builder;
  }
}

/** The fields of columns, as a list. */
export function writeFields(at: usize, builders: Builder[]): void {
  const fields = allocate(<usize>builders.length * field.size);
  for (let i = 0; i < builders.length; i++) builders[i].field.write(fields + <usize>i * field.size);
  list.write(at, fields, builders.length);
}

export function writeIndices(at: usize, indices: i32[]): void {
  const start = allocate(<usize>indices.length << 2);
  for (let i = 0; i < indices.length; i++) store<i32>(start + (<usize>i << 2), indices[i]);
  list.write(at, start, indices.length);
}
