// An operator as a component: what the host calls, and what becomes of an exception.

import { Failure, Retry } from './errors.js';
import { sendThrough } from './http.js';
import { describe, log, logTo } from './log.js';
import { setBatchTime } from './time.js';

/**
 * The functions that a component exports.
 *
 * @param operator the project's default export
 * @param {string} world what plugin.toml says it is
 * @param host what the component imports: the `log`, and a sink's `send`
 */
export function component(operator, world, host) {
  if (operator?.world !== world) {
    const is = operator?.world ? `is a ${operator.world}` : 'is no operator';
    throw new TypeError(`the default export ${is}, and plugin.toml says \`world = "${world}"\``);
  }
  logTo(host.log);
  sendThrough(host.send);
  let configured = null;
  const call = (name, told) => (...args) => guard(() => {
    if (configured === null) throw new Failure('the operator is called before it is configured');
    return configured[name](...args);
  }, told);
  const timed = (f) => (millis, ...args) => {
    setBatchTime(millis);
    return f(...args);
  };
  const configure = (...args) => guard(() => {
    const { shape, ...calls } = operator.configure(...args);
    configured = calls;
    return shape;
  });
  return {
    transform: { configure, apply: timed(call('apply')) },
    aggregate: { configure, create: call('create'), merge: call('merge'), retract: call('retract'), finish: call('finish') },
    state: { configure, update: timed(call('update')) },
    sink: { configure, write: call('write', deliveryFailure) },
  }[world];
}

/**
 * A failure is the host's to tell; a bug tells of itself, and then the instance is lost.
 *
 * @param told what a failure is in the interface
 */
function guard(f, told = (failure) => failure.message) {
  try {
    return f();
  } catch (error) {
    if (error instanceof Failure || error instanceof Retry) throw told(error);
    log.error(describe(error));
    // What cannot be an answer of the interface traps.
    throw { bug: true };
  }
}

const deliveryFailure = (error) => ({ tag: error instanceof Retry ? 'retry' : 'fatal', val: error.message });
