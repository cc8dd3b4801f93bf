// What can go wrong on purpose. Any other error that reaches the host's call is a bug of the operator.

/** Thrown for a row that cannot be taken; the pipeline says what becomes of it. */
export class Reject extends Error {
  name = 'Reject';
}

/** Thrown when the operator cannot go on at all: the job stops and shows the message. */
export class Failure extends Error {
  name = 'Failure';
}

/** Thrown by a sink whose rows could not be delivered now: it is called again with them, as long as it takes. */
export class Retry extends Error {
  name = 'Retry';
}

/**
 * Rejects the row that is being worked on.
 *
 * @param {string} reason for the person who reads the dead letter
 * @returns {never}
 */
export function reject(reason) {
  throw new Reject(reason);
}
