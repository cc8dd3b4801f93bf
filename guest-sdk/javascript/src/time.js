// Time as an operator knows it: there is no clock, only the time of the batch.

let now = 0;

/**
 * The end of the interval of the batch that is being worked on, in milliseconds since the Unix epoch: the same whenever the
 * batch is computed again. Known to transforms and to operators with state; 0 elsewhere.
 */
export function batchTime() {
  return now;
}

/** Sets the batch time. The host's calls do this, and tests. */
export function setBatchTime(millis) {
  now = millis;
}
