// Columns by name and type, and what to say where they do not fit.

import { field, readString, writeString } from "./abi";

/** The types that a column can have, in the interface's order. */
export enum Type {
  Boolean,
  Int64,
  Float64,
  Timestamp,
  Utf8,
  Binary,
}

export class Field {
  constructor(
    public name: string,
    public type: Type,
    public nullable: bool,
  ) {}

  static read(at: usize): Field {
    return new Field(readString(at), load<u8>(at, field.dataType), load<u8>(at, field.nullable) != 0);
  }

  write(at: usize): void {
    writeString(at, this.name);
    store<u8>(at, this.type, field.dataType);
    store<u8>(at, this.nullable, field.nullable);
  }

  toString(): string {
    return `\`${this.name}\` (${typeName(this.type)})`;
  }
}

export function typeName(type: Type): string {
  const names: string[] = ["boolean", "int64", "float64", "timestamp", "utf8", "binary"];
  return names[type];
}

/** The index of a column, or -1. */
export function find(name: string, fields: Field[]): i32 {
  for (let i = 0; i < fields.length; i++) {
    if (fields[i].name == name) return i;
  }
  return -1;
}

/** Columns and their types, for a message. */
export function listed(fields: Field[]): string {
  if (fields.length == 0) return "no columns";
  return fields.map<string>((field) => field.toString()).join(", ");
}
