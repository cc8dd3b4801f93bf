// What a transform reads, keeps and adds.

import { SliceBuilder } from "../builders";
import { VarLenColumn } from "../columns";
import { Field, find, listed } from "../schema";
import { Columns, writeFields, writeIndices } from "./columns";

/**
 * Takes what a transform says in `configure`. What is read crosses into the sandbox; what is kept stays beside the new columns, and
 * does not. Rows with a null in a column that is read as not nullable are rejected.
 */
export class Shape extends Columns {
  private kept: i32[] = [];
  private keepsAll: bool = false;

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
    writeFields(at + 20, this.builders);
  }
}
