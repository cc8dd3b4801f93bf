// The rows of one key in a call.

import { Reject } from './errors.js';

/** Iterates over the rows of a group; one with a null that must not be is rejected and left out. */
export class Group {
  #read;
  #next = 0;
  #start = 0;
  #end = 0;
  #rejects = [];

  /** @param {(index: number) => object} read gives a row of the whole chunk */
  constructor(read) {
    this.#read = read;
  }

  /** How many rows the group has, whether or not they have been given. */
  get length() {
    return this.#end - this.#start;
  }

  /** Rejects the row that was given last. It must not be in what comes of the group. */
  reject(reason) {
    if (this.#next > this.#start) this.#rejects.push({ row: this.#next - 1, reason: String(reason) });
  }

  *[Symbol.iterator]() {
    while (this.#next < this.#end) {
      const row = this.attempt(() => this.#read(this.#next++));
      if (row !== undefined) yield row;
    }
  }

  /** Goes on with the rows from `start` to `end`. */
  begin(start, end) {
    this.#next = this.#start = start;
    this.#end = end;
  }

  /** What `f` answers; a `Reject` that it throws rejects the row that was given last. */
  attempt(f) {
    try {
      return f();
    } catch (error) {
      if (!(error instanceof Reject)) throw error;
      this.reject(error.message);
      return undefined;
    }
  }

  /** Rejects every row of the group. */
  rejectAll(reason) {
    this.#rejects = this.#rejects.filter(({ row }) => row < this.#start);
    for (let row = this.#start; row < this.#end; row++) this.#rejects.push({ row, reason });
  }

  /** Each row at most once. */
  finish() {
    return this.#rejects.filter(({ row }, i, all) => i === 0 || all[i - 1].row !== row);
  }
}
