// Runs operators natively as the host does: with config, nulls and rejects.

import type { Operator, RejectedRow } from './index.js';

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
