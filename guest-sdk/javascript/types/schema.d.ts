// Rows, typed by the schema literal that an operator is written with.

/** What a value of each column type is. */
export interface Values {
  boolean: boolean;
  /** Between -(2^53) and 2^53; a row with another is rejected. */
  int64: number;
  float64: number;
  /** Microseconds since the Unix epoch, UTC. */
  timestamp: number;
  utf8: string;
  binary: Uint8Array;
}

export type DataType = keyof Values;

/** A column's type; with a `?`, values may be null. */
export type Spec = DataType | `${DataType}?`;

/** Columns by their names, in order. */
export type Schema = { readonly [name: string]: Spec };

type ValueOf<S extends Spec> = S extends `${infer T extends DataType}?` ? Values[T] | null : S extends DataType ? Values[S] : never;

/** A row that is read. */
export type Row<S extends Schema> = { -readonly [N in keyof S]: ValueOf<S[N]> };

type Written<S extends Spec> = S extends `int64${string}` | `timestamp${string}` ? ValueOf<S> | bigint : ValueOf<S>;
type Optional<S extends Schema> = { [N in keyof S]: S[N] extends `${string}?` ? N : never }[keyof S];

/** A row that is answered with: what may be null can be left out, and integers can be a `bigint`. */
export type OutRow<S extends Schema> = { [N in Exclude<keyof S, Optional<S>>]: Written<S[N]> } & {
  [N in Optional<S>]?: Written<S[N]> | undefined;
};

/** What a config is made of: defaults, or a function that makes it of what the pipeline file says. */
export type Config<C> = C | ((given: Record<string, unknown>) => C);
