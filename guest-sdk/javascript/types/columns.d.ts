// Input columns, for functions over whole columns.

import type { DataType, Schema, Spec, Values } from './schema.js';

interface Column<T> extends Iterable<T | null> {
  readonly name: string;
  readonly length: number;
  /** A set bit marks a value, least significant bit of each byte first; `null` where no value is null. */
  readonly validity: Uint8Array | null;
  isNull(row: number): boolean;
  get(row: number): T | null;
}

export interface Booleans extends Column<boolean> {
  /** One bit a row. */
  readonly bits: Uint8Array;
}

/** `values` has something for a null, too. An integer beyond 2^53 is near its value there; `get` rejects it. */
export interface Numbers extends Column<number> {
  readonly values: ArrayLike<number>;
}

/** Value i is `data.subarray(offsets[i], offsets[i + 1])`. */
interface VarLen {
  readonly offsets: ArrayLike<number>;
  readonly data: Uint8Array;
}

export interface Text extends Column<string>, VarLen {}
export interface Bytes extends Column<Uint8Array>, VarLen {}

interface Views {
  boolean: Booleans;
  int64: Numbers;
  float64: Numbers;
  timestamp: Numbers;
  utf8: Text;
  binary: Bytes;
}

type ViewOf<S extends Spec> = S extends `${infer T extends DataType}?` ? Views[T] : S extends DataType ? Views[S] : never;

export type Columns<S extends Schema> = { readonly [N in keyof S]: ViewOf<S[N]> };

declare const parts: unique symbol;

/** Parts of an input column; made by `slices`. */
export interface Slices<C> {
  readonly [parts]: C;
}

type NewColumnOf<S extends Spec> = S extends `${infer T extends DataType}?` ? Listed<T, null | undefined> : S extends DataType ? Listed<S, never> : never;

type Listed<T extends DataType, Null> =
  | ArrayLike<Values[T] | Null | (T extends 'int64' | 'timestamp' ? bigint : never)>
  | (T extends 'utf8' ? Slices<Text> : T extends 'binary' ? Slices<Bytes> : never);

export type NewColumns<S extends Schema> = { readonly [N in keyof S]: NewColumnOf<S[N]> };
