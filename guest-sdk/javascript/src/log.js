// The task's log: the only thing that an operator can call. Outside the sandbox, lines go to the console.

import { located } from './stack.js';

// What there is outside the sandbox; within it, nothing is heard while the module is built.
const { console } = globalThis;

let sink = (level, line) => console?.[level](line);

/** Where lines go from here on. */
export function logTo(append) {
  sink = append;
}

const line = (parts) => parts.map((part) => (typeof part === 'string' ? part : inspect(part))).join(' ');

function inspect(value) {
  if (value instanceof Error) return describe(value);
  try {
    return JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part)) ?? String(value);
  } catch {
    // What refers to itself.
    return String(value);
  }
}

/** An error's message and where it was thrown. */
export function describe(error) {
  if (!(error instanceof Error)) return `thrown: ${inspect(error)}`;
  const told = `${error.name}: ${error.message}`;
  const stack = located(error.stack?.trimEnd() ?? '');
  // Some engines begin the stack with the message, and some do not.
  return stack.startsWith(told) ? stack : `${told}\n${stack}`.trimEnd();
}

/** Appends a line to the task's log; what is no string is written as JSON. */
export const log = {
  debug: (...parts) => sink('debug', line(parts)),
  info: (...parts) => sink('info', line(parts)),
  warn: (...parts) => sink('warn', line(parts)),
  error: (...parts) => sink('error', line(parts)),
};
