// An operator's config: its table of the pipeline file, checked against what the operator says of it.

import { Failure } from './errors.js';

/**
 * The config that an operator's functions are given.
 *
 * @param {string} json what `configure` is given
 * @param {object | ((given: object) => unknown) | undefined} wanted default values, or a function that makes the config
 */
export function readConfig(json, wanted) {
  const given = json.trim() ? (JSON.parse(json) ?? {}) : {};
  if (typeof wanted === 'function') return checked(wanted, given);
  if (wanted === undefined) {
    if (Object.keys(given).length) throw new Failure(`the operator takes no config, but is given ${json}`);
    return {};
  }
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(wanted, key)) {
      throw invalid(`there is no \`${key}\`; there is ${Object.keys(wanted).map((k) => `\`${k}\``).join(', ')}`);
    }
    const [is, should] = [kind(value), kind(wanted[key])];
    if (is !== should && should !== 'null') throw invalid(`\`${key}\` should be a ${should}, and is a ${is}`);
  }
  return { ...wanted, ...given };
}

function checked(make, given) {
  try {
    return make(given);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

const invalid = (why) => new Failure(`the operator's config is not valid: ${why}`);

function kind(value) {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'list' : typeof value === 'object' ? 'table' : typeof value;
}
