// A row for each hashtag of a text: a `#` and the ASCII letters and digits, underscores and characters beyond ASCII after it.
//
// Reads `text`, answers with `tag`, and carries nothing over. The tags are parts of the text: nothing is copied.

import { Config, Shape, SliceBuilder, Transform, Utf8Column } from "weir-guest/assembly";

const HASH: u8 = 0x23;

export default class Hashtags extends Transform {
  private text!: Utf8Column;
  private tag!: SliceBuilder;

  configure(shape: Shape, config: Config): void {
    this.text = shape.readUtf8("text", true);
    this.tag = shape.addSlices("tag", this.text);
  }

  chunk(rows: i32): void {
    const data = this.text.data;
    const size = this.text.size;
    let row = 0;
    for (let start = nextHash(data, 0, size); start < size; ) {
      while (this.text.end(row) <= start) row++;
      const rowEnd = this.text.end(row);
      let end = start + 1;
      while (end < rowEnd && isOfTag(load<u8>(data + end))) end++;
      if (end - start > 1 && !this.text.isNull(row)) {
        this.tag.push(start, end);
        this.emit(row);
      }
      start = nextHash(data, end, size);
    }
  }
}

/** Where the next `#` from `at` on is, or `end`; 16 bytes at a time. */
function nextHash(data: usize, at: i32, end: i32): i32 {
  while (at + 16 <= end) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(data + at), i8x16.splat(HASH)));
    if (found) return at + ctz(found);
    at += 16;
  }
  while (at < end && load<u8>(data + at) != HASH) at++;
  return at;
}

// @ts-ignore: decorator
@inline
function isOfTag(byte: u8): bool {
  const letter = byte | 0x20;
  return byte >= 0x80 || (letter >= 0x61 && letter <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte == 0x5f;
}
