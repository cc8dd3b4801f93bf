// What an operator reads, keeps and adds.

import { field, list } from "./abi";
import {
  BinaryBuilder,
  BooleanBuilder,
  Builder,
  Float64Builder,
  Int64Builder,
  SliceBuilder,
  Utf8Builder,
} from "./builders";
import { BinaryColumn, BooleanColumn, Column, Float64Column, Int64Column, Utf8Column, VarLenColumn } from "./columns";
import { allocate } from "./memory";
import { Field, Type, find, listed, typeName } from "./schema";

/**
 * Takes what an operator says in `configure`. What is read crosses into the sandbox; what is kept stays beside the new columns,
 * and does not. Rows with a null in a column that is read as not nullable are rejected.
 */
export class Shape {
  columns: Column[] = [];
  builders: Builder[] = [];
  /** Why the operator cannot work with the input, or its config. */
  problem: string | null = null;
  private reads: i32[] = [];
  private kept: i32[] = [];
  private keepsAll: bool = false;

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

  /** A column whose values are parts of one that is read, of the same type. */
  addSlices(name: string, source: VarLenColumn, nullable: bool = false): SliceBuilder {
    return this.add(new SliceBuilder(new Field(name, source.field.type, nullable), source));
  }

  /** An input column that stays beside what is added. */
  keep(name: string): void {
    const index = find(name, this.input);
    if (index < 0) {
      this.fail(`the input has no column \`${name}\`, which the operator keeps; it has ${listed(this.input)}`);
    }
    this.kept.push(index);
  }

  /** All input columns stay, but those that are added anew under the same name. */
  keepAll(): void {
    this.keepsAll = true;
  }

  /** The operator cannot work so: the pipeline is refused, with the reason. */
  fail(reason: string): void {
    if (!this.problem) this.problem = reason;
  }

  private read<C extends Column>(column: C): C {
    const wanted = column.field;
    const index = find(wanted.name, this.input);
    if (index < 0) {
      this.fail(`the input has no column ${wanted.toString()}, which the operator reads; it has ${listed(this.input)}`);
    } else if (this.input[index].type != wanted.type) {
      this.fail(
        `the operator reads column \`${wanted.name}\` as ${typeName(wanted.type)}, but in the input it is ` +
          `${typeName(this.input[index].type)}; the input has ${listed(this.input)}`,
      );
    }
    column.index = this.reads.length;
    this.reads.push(index);
    this.columns.push(column);
    return column;
  }

  private add<B extends Builder>(builder: B): B {
    this.builders.push(builder);
    return builder;
  }

  /** Finds out what is kept, now that all is known. */
  settle(): void {
    const added = this.builders.map<Field>((builder) => builder.field);
    if (this.keepsAll) {
      this.kept = [];
      for (let i = 0; i < this.input.length; i++) {
        if (find(this.input[i].name, added) < 0) this.kept.push(i);
      }
    }
    for (let i = 0; i < this.kept.length; i++) {
      const name = this.kept[i] < 0 ? "" : this.input[this.kept[i]].name;
      if (find(name, added) >= 0) {
        this.fail(`the operator keeps column \`${name}\` and adds another one of the same name`);
      }
    }
  }

  /** `transform.shape` */
  write(at: usize): void {
    store<u8>(at, 1);
    writeIndices(at + 4, this.reads);
    writeIndices(at + 12, this.kept);
    const fields = allocate(<usize>this.builders.length * field.size);
    for (let i = 0; i < this.builders.length; i++) this.builders[i].field.write(fields + <usize>i * field.size);
    list.write(at + 20, fields, this.builders.length);
  }
}

function writeIndices(at: usize, indices: i32[]): void {
  const start = allocate(<usize>indices.length << 2);
  for (let i = 0; i < indices.length; i++) store<i32>(start + (<usize>i << 2), indices[i]);
  list.write(at, start, indices.length);
}
