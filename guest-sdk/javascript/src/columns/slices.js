// Values that are parts of an input column: nothing is copied, and the host gathers them.

/** Parts of an input column as the values of a new one. Made by `slices`. */
export class Slices {
  constructor(column, starts, lengths) {
    Object.assign(this, { column, starts, lengths });
  }
}

/**
 * Parts of an input column as the values of a new one, in a `batch` function's answer.
 *
 * @param column an input column of the new column's type, utf8 or binary
 * @param {ArrayLike<number>} starts where each value starts in the column's `data`, in bytes
 * @param {ArrayLike<number>} lengths the length of each value in bytes
 */
export function slices(column, starts, lengths) {
  return new Slices(column.index, starts, lengths);
}
