// One bit a row, least significant bit of each byte first.

export const bit = (bitmap, row) => (bitmap[row >> 3] >> (row & 7)) & 1;

/** The bitmap of truthy values. */
export function bitmapOf(values) {
  const bitmap = new Uint8Array((values.length + 7) >> 3);
  for (let row = 0; row < values.length; row++) {
    if (values[row]) bitmap[row >> 3] |= 1 << (row & 7);
  }
  return bitmap;
}
