// An operator with state on one batch after the other.

import { bitmapOf } from '../columns/bitmap.js';
import { setBatchTime } from '../time.js';
import { batchOf, fieldsOfRows, rowsOf } from './table.js';

const BLANK = { boolean: false, int64: 0, float64: 0, timestamp: 0, utf8: '', binary: new Uint8Array() };

/** Keeps the states of keys from batch to batch, as the host does. */
export class StateRun {
  #operator;
  #config;
  #key;
  #timeout;
  #known = new Map();

  /**
   * @param operator what the project exports by default
   * @param {{ key: string[], config?: object, timeout?: number }} options `key` names the columns of the key; `timeout` is in
   * milliseconds
   */
  constructor(operator, { key, config = {}, timeout = Infinity }) {
    this.#operator = operator;
    this.#config = JSON.stringify(config);
    this.#key = key;
    this.#timeout = timeout;
  }

  /** The states as they are, each with its key's columns. */
  get states() {
    return [...this.#known.values()].map(({ key, state }) => ({ ...key, ...state }));
  }

  /**
   * Runs a batch of rows, and calls the keys that are idle or whose timer is due.
   *
   * @param {number} at the batch time in milliseconds
   * @param {object[]} rows
   * @returns {{ rows: object[], rejects: { row: number, reason: string }[] }}
   */
  batch(at, rows) {
    const calls = this.#calls(at, rows);
    if (!calls.length) return { rows: [], rejects: [] };
    const given = calls.flatMap((call) => call.rows.map((row) => rows[row]));
    const keyFields = fieldsOfRows(calls.map(({ key }) => key), []);
    const input = fieldsOfRows(given, this.#operator.reads);
    const needed = this.#operator.reads.filter(({ name }) => !input.some((field) => field.name === name));
    const { shape, update } = this.#operator.configure(this.#config, keyFields, [...input, ...needed]);
    const crossing = Array.from(shape.reads, (index) => [...input, ...needed][index]);
    const blank = Object.fromEntries(shape.state.map(({ name, dataType }) => [name, BLANK[dataType]]));
    const groups = [0];
    for (const call of calls) groups.push(groups.at(-1) + call.rows.length);
    setBatchTime(at);
    const updated = update({
      keys: batchOf(keyFields, calls.map(({ key }) => key)),
      groups,
      input: batchOf(crossing, given),
      previous: batchOf(shape.state, calls.map(({ known }) => known?.state ?? blank)),
      present: bitmapOf(calls.map(({ known }) => known)),
      causes: calls.map(({ cause }) => cause),
    });
    this.#settle(at, calls, updated, rowsOf(shape.state, updated.next));
    const order = calls.flatMap((call) => call.rows);
    const output = rowsOf(shape.output, updated.output);
    return {
      rows: output.map((row, i) => ({ ...calls[updated.outputFrom[i]].key, ...row })),
      rejects: updated.rejects.map(({ row, reason }) => ({ row: order[row], reason })),
    };
  }

  /** Which keys are called, and why. */
  #calls(at, rows) {
    const calls = new Map();
    rows.forEach((row, index) => {
      const key = Object.fromEntries(this.#key.map((name) => [name, row[name] ?? null]));
      const id = JSON.stringify(key);
      if (!calls.has(id)) calls.set(id, { id, key, known: this.#known.get(id), rows: [], cause: 'rows' });
      calls.get(id).rows.push(index);
    });
    for (const [id, known] of this.#known) {
      const [due, idle] = [known.timer && known.timer <= at, at - known.last >= this.#timeout];
      if (due) calls.set(id, { id, key: known.key, known, rows: [], ...calls.get(id), cause: 'timer' });
      else if (idle && !calls.has(id)) calls.set(id, { id, key: known.key, known, rows: [], cause: 'idle' });
    }
    return [...calls.values()];
  }

  #settle(at, calls, { fates, timers }, next) {
    calls.forEach(({ id, key, known, rows, cause }, k) => {
      const last = rows.length ? at : (known?.last ?? at);
      if (fates[k] === 'remove' || cause === 'idle') this.#known.delete(id);
      else if (fates[k] === 'keep') this.#known.set(id, { key, state: next[k], timer: Number(timers[k]), last });
      else if (known) this.#known.set(id, { ...known, timer: cause === 'timer' ? 0 : known.timer, last });
    });
  }
}
