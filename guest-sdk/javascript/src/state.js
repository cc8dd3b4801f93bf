// State: what an operator remembers of each key from batch to batch.
//
// The host groups the rows of a batch by key and keeps the states. Nothing is remembered in the operator itself: the host
// makes a new one for every task.

import { bit } from './columns/bitmap.js';
import { Table } from './columns/build.js';
import { rowReader } from './columns/rows.js';
import { readConfig } from './config.js';
import { Reject } from './errors.js';
import { Group } from './group.js';
import { fieldsOf, resolve } from './schema.js';

/**
 * An operator with state.
 *
 * @param operator `keys` (those columns of the key that it reads), `reads`, `state`, `version` of the state, `output` and
 * `config`; `update(turn, config)` is called with each key, and answers with the key's next state, with `null` to forget the
 * key, or with `undefined` to leave it as it is
 */
export function state(operator) {
  const { keys = {}, reads = {}, state, version = 1, output = {}, config: wanted, update } = operator;
  const fields = { keys: fieldsOf(keys), reads: fieldsOf(reads), state: fieldsOf(state), output: fieldsOf(output) };
  return {
    world: 'state',
    reads: fields.reads,
    configure(json, keyColumns, input) {
      const config = readConfig(json, wanted);
      const key = resolve(fields.keys, keyColumns, 'key');
      const shape = {
        reads: Uint32Array.from(resolve(fields.reads, input)),
        state: fields.state,
        version,
        output: fields.output,
      };
      return { shape, update: (touched) => updateAll(fields, key, touched, (turn) => update(turn, config)) };
    },
  };
}

/** One key's turn: what `update` is given. */
class Turn {
  /** @param emit appends an output row, before which the host puts the key's columns */
  constructor(key, state, rows, cause, emit) {
    Object.assign(this, { key, state, rows, cause, emit });
    this.timer = 0;
  }

  /**
   * Asks for a call in the first batch at or after a time, in milliseconds since the Unix epoch, even without rows. Only with
   * an answer that keeps a state; a later call that keeps one asks anew.
   */
  wakeAt = (millis) => {
    // 0 is no timer.
    this.timer = Math.max(1, Math.ceil(millis));
  };
}

function updateAll(fields, key, { keys, groups, input, previous, present, causes }, update) {
  const columns = key.map((index) => keys.columns[index]);
  const readKey = rowReader(fields.keys, { rowCount: keys.rowCount, columns });
  const readState = rowReader(fields.state, previous);
  const rows = new Group(rowReader(fields.reads, input));
  const [next, output] = [new Table(fields.state), new Table(fields.output)];
  const fates = [];
  const timers = [];
  const from = [];
  for (let k = 0; k < causes.length; k++) {
    rows.begin(groups[k], groups[k + 1]);
    const emit = (row) => {
      output.push(row);
      from.push(k);
    };
    const before = from.length;
    let answer;
    let timer = 0;
    try {
      const turn = new Turn(readKey(k), bit(present, k) ? readState(k) : null, rows, causes[k], emit);
      answer = update(turn);
      timer = turn.timer;
    } catch (error) {
      if (!(error instanceof Reject)) throw error;
      // Of a key that is rejected nothing counts.
      output.truncate((from.length = before));
      rows.rejectAll(error.message);
    }
    if (answer === undefined || answer === null) next.pushBlank();
    else next.push(answer);
    fates.push(answer === undefined ? 'unchanged' : answer === null ? 'remove' : 'keep');
    timers.push(answer ? BigInt(timer) : 0n);
  }
  return {
    next: next.batch(),
    fates,
    timers: BigUint64Array.from(timers),
    output: output.batch(),
    outputFrom: Uint32Array.from(from),
    rejects: rows.finish(),
  };
}
