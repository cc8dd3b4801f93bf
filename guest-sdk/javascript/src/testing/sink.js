// A sink on rows, with a receiver of the test's.

import { Failure, Retry } from '../errors.js';
import { sendError, sendThrough } from '../http.js';
import { batchOf, fieldsOfRows } from './table.js';

const text = (bytes) => new TextDecoder().decode(bytes);

/**
 * Runs a sink on rows.
 *
 * @param operator what the project exports by default
 * @param {object[]} rows
 * @param {{ config?: object, at?: number, answer?: (request: object) => { status: number, headers?: object, body?: string } }}
 * options `answer` is the receiver, which by default answers 200; where it throws, there is no answer
 * @returns {{ requests: object[], rejects: { row: number, reason: string }[], failure: Error | null }} `failure` is the `Retry` or
 * `Failure` that the sink ended with
 */
export function runSink(operator, rows, { config = {}, at = 0, answer = () => ({ status: 200 }) } = {}) {
  const input = fieldsOfRows(rows, operator.reads);
  const requests = [];
  sendThrough(({ method, url, headers, body }) => {
    const request = { method, url, headers: Object.fromEntries(headers), body: text(body) };
    requests.push(request);
    return received(() => answer(request));
  });
  const { shape, write } = operator.configure(JSON.stringify(config), input);
  const crossing = Array.from(shape.reads, (index) => input[index]);
  const last = Math.max(rows.length - 1, 0);
  const part = { pipeline: 'test', sink: 'test', batchTime: at, partition: 0, partitions: 1, firstRow: 0, lastRow: last };
  try {
    return { requests, rejects: write(part, batchOf(crossing, rows)), failure: null };
  } catch (failure) {
    if (!(failure instanceof Retry || failure instanceof Failure)) throw failure;
    return { requests, rejects: [], failure };
  }
}

function received(answer) {
  try {
    const { status, headers = {}, body = '' } = answer();
    const all = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    return { status, headers: all, body: new TextEncoder().encode(body) };
  } catch (error) {
    throw sendError('unanswered', error.message);
  }
}
