// Write operators for the stream processor Weir as plain functions.

import type { Bytes, Columns, NewColumns, Slices, Text } from './columns.js';
import type { Config, OutRow, Row, Schema } from './schema.js';

export type { Booleans, Bytes, Columns, NewColumns, Numbers, Slices, Text } from './columns.js';
export type { Config, DataType, OutRow, Row, Schema, Spec, Values } from './schema.js';

/** A row that the operator cannot take. */
export interface RejectedRow {
  row: number;
  reason: string;
}

/** What an operator reads and answers with. */
export interface Shape<R extends Schema, A extends Schema, C> {
  /** The input columns that the function reads; only these cross into the sandbox. */
  reads?: R;
  /** The input columns that stay beside what is added. */
  keeps?: readonly string[] | 'all';
  /** The new columns. */
  adds?: A;
  /** The operator's config: default values, whose keys and types what is given must have, or a function that makes it. */
  config?: Config<C>;
}

export type World = 'transform' | 'aggregate' | 'state' | 'sink';

declare const world: unique symbol;

/** An operator: the default export of a project. */
export interface Operator<W extends World = World> {
  readonly world: W;
  readonly [world]: W;
}

type None = Record<never, never>;
type NoConfig = Record<string, never>;

/** A row to any number of rows. */
export function flatMap<const R extends Schema = None, const A extends Schema = None, C = NoConfig>(
  shape: Shape<R, A, C>,
  f: (row: Row<R>, config: C) => Iterable<OutRow<A>>,
): Operator<'transform'>;

/** A row to at most one row: `null` and `undefined` leave it out. All input columns stay, unless `keeps` says which. */
export function map<const R extends Schema = None, const A extends Schema = None, C = NoConfig>(
  shape: Shape<R, A, C>,
  f: (row: Row<R>, config: C) => OutRow<A> | null | undefined,
): Operator<'transform'>;

/** Rows that stay, with all their columns. */
export function filter<const R extends Schema = None, C = NoConfig>(
  shape: { reads?: R; config?: Config<C> },
  f: (row: Row<R>, config: C) => boolean,
): Operator<'transform'>;

/** The answer of a `batch` function. */
export interface Answer<A extends Schema> {
  /** The input row of each output row, never decreasing; left out where each input row has one. */
  from?: ArrayLike<number>;
  columns: NewColumns<A>;
  rejects?: RejectedRow[];
}

/** A chunk of columns to columns. */
export function batch<const R extends Schema = None, const A extends Schema = None, C = NoConfig>(
  shape: Shape<R, A, C>,
  f: (columns: Columns<R>, config: C, rowCount: number) => Answer<A>,
): Operator<'transform'>;

/** Parts of an input column as the values of a new one: nothing is copied. Starts and lengths are in bytes. */
export function slices<C extends Text | Bytes>(column: C, starts: ArrayLike<number>, lengths: ArrayLike<number>): Slices<C>;

/** The rows of a key to one row. */
export function aggregate<const R extends Schema = None, const T extends Schema = None, const O extends Schema = T, C = NoConfig>(operator: {
  /** The input columns that `create` reads. */
  reads?: R;
  /** The columns that rows are folded into. */
  accumulator: T;
  /** The columns of the answer, before which the host puts the key; by default those of the accumulator. */
  output?: O;
  config?: Config<C>;
  /** The accumulator of one row. */
  create(row: Row<R>, config: C): OutRow<T>;
  /** Adds a part to a total. Must be associative. */
  merge(total: Row<T>, part: Row<T>, config: C): OutRow<T>;
  /** The inverse of `merge`: takes a part out of a total again; `null` where nothing remains. */
  retract?(total: Row<T>, part: Row<T>, config: C): OutRow<T> | null;
  /** The answer for a total; by default the total itself. */
  finish?(total: Row<T>, config: C): OutRow<O>;
}): Operator<'aggregate'>;

/** Why a key is called: it has rows; it had none for the pipeline's timeout; it asked for it; all keys are called. */
export type Cause = 'rows' | 'idle' | 'timer' | 'all';

/** The rows of a key. */
export interface Group<R extends Schema> extends Iterable<Row<R>> {
  readonly length: number;
  /** Rejects the row that was given last. It must not be in what comes of the group. */
  reject(reason: string): void;
}

/** One key's turn. */
export interface Turn<K extends Schema, R extends Schema, S extends Schema, O extends Schema> {
  key: Row<K>;
  /** What is remembered of the key; `null` where there is nothing. */
  state: Row<S> | null;
  rows: Group<R>;
  cause: Cause;
  /** Answers with a row, before which the host puts the key. */
  emit(row: OutRow<O>): void;
  /** Asks for a call in the first batch at or after a time, in milliseconds. Only with an answer that keeps a state. */
  wakeAt(millis: number): void;
}

/** What is remembered of each key from batch to batch. */
export function state<
  const K extends Schema = None,
  const R extends Schema = None,
  const S extends Schema = None,
  const O extends Schema = None,
  C = NoConfig,
>(operator: {
  /** The columns of the key that `update` reads. */
  keys?: K;
  /** The input columns that it reads. */
  reads?: R;
  /** What is remembered of a key. */
  state: S;
  /** Raised whenever the meaning or the columns of `state` change. */
  version?: number;
  /** The columns of the answer, before which the host puts the key. */
  output?: O;
  config?: Config<C>;
  /** The key's next state; `null` to forget the key; `undefined` to leave it as it is. */
  update(turn: Turn<K, R, S, O>, config: C): OutRow<S> | null | undefined | void;
}): Operator<'state'>;

/** Names the rows of a call; as text it is a key for receivers that know what they have. */
export interface Part {
  pipeline: string;
  sink: string;
  /** In milliseconds since the Unix epoch. */
  batchTime: number;
  partition: number;
  partitions: number;
  firstRow: number;
  lastRow: number;
  toString(): string;
}

/** Rows to the outside, over HTTP. */
export function sink<const R extends Schema = None, C = NoConfig>(operator: {
  /** The input columns that it reads. */
  reads?: R;
  config?: Config<C>;
  /** Delivers rows. Throws a `Retry` to be called again with the same, and a `Failure` to stop the job. */
  write(call: { part: Part; rows: Group<R> }, config: C): void;
}): Operator<'sink'>;

/** What came back. */
export interface Response {
  readonly status: number;
  /** Whether the status is 2xx. */
  readonly ok: boolean;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** A header's value. */
  header(name: string): string | null;
  /** The body's text; null where it is no UTF-8. */
  text(): string | null;
  /** The answer, if it is 2xx. A receiver that is busy or broken is tried again; one that refuses stops the job. */
  accepted(): Response;
}

/** Sends a request of a sink and waits for the answer, whatever its status. */
export function request(
  url: string,
  request?: { method?: string; headers?: Record<string, unknown>; body?: string | Uint8Array },
): Response;

/** Rejects the row that is being worked on. */
export function reject(reason: string): never;

/** Thrown for a row that cannot be taken; the pipeline says what becomes of it. */
export class Reject extends Error {}

/** Thrown when the operator cannot go on at all: the job stops and shows the message. */
export class Failure extends Error {}

/** Thrown by a sink whose rows could not be delivered now: it is called again with them, as long as it takes. */
export class Retry extends Error {}

/** Appends a line to the task's log; what is no string is written as JSON. */
export const log: Record<'debug' | 'info' | 'warn' | 'error', (...parts: unknown[]) => void>;

/** The end of the interval of the batch that is being worked on, in milliseconds since the Unix epoch. */
export function batchTime(): number;
