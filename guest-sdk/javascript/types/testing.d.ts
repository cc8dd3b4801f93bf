// Runs operators natively as the host does: with config, nulls and rejects.

import type { Failure, Operator, RejectedRow, Retry } from './index.js';

type AnyRow = Record<string, unknown>;

/** Runs a transform on rows. */
export function runTransform(
  operator: Operator<'transform'>,
  rows: readonly AnyRow[],
  options?: {
    config?: object;
    /** The batch time in milliseconds. */
    at?: number;
    /** How many rows a call has; by default all. */
    chunk?: number;
  },
): { columns: string[]; rows: AnyRow[]; rejects: RejectedRow[] };

/** Runs an aggregate on the rows of keys; answers with a row for each key that has rows which are not rejected. */
export function runAggregate(
  operator: Operator<'aggregate'>,
  groups: readonly (readonly AnyRow[])[],
  options?: { config?: object },
): { rows: AnyRow[]; rejects: RejectedRow[] };

/** Keeps the states of keys from batch to batch, as the host does. */
export class StateRun {
  /** `key` names the columns of the key; `timeout` is in milliseconds. */
  constructor(operator: Operator<'state'>, options: { key: readonly string[]; config?: object; timeout?: number });
  /** The states as they are, each with its key's columns. */
  readonly states: AnyRow[];
  /** Runs a batch of rows, and calls the keys that are idle or whose timer is due. */
  batch(at: number, rows: readonly AnyRow[]): { rows: AnyRow[]; rejects: RejectedRow[] };
}

/** What a sink sends. */
export interface SentRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

/** Runs a sink on rows, with a receiver of the test's: by default one that answers 200. Where `answer` throws, there is none. */
export function runSink(
  operator: Operator<'sink'>,
  rows: readonly AnyRow[],
  options?: {
    config?: object;
    at?: number;
    answer?: (request: SentRequest) => { status: number; headers?: Record<string, string>; body?: string };
  },
): { requests: SentRequest[]; rejects: RejectedRow[]; failure: Retry | Failure | null };
