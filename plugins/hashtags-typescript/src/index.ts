// A row for each hashtag of a text: a `#` and the ASCII letters and digits, underscores and characters beyond ASCII after it.
//
// Reads `text`, answers with `tag`, and carries nothing over. The tags are parts of the text: no string is made.

import { batch, slices } from 'weir-guest';

const HASH = 0x23;

/** Whether a byte can be in a tag after its `#`. */
const OF_TAG = Array.from({ length: 256 }, (_, byte) => byte >= 0x80 || /\w/.test(String.fromCharCode(byte)));

export default batch({ reads: { text: 'utf8?' }, adds: { tag: 'utf8' } }, ({ text }) => {
  const { data, offsets } = text;
  const from: number[] = [];
  const starts: number[] = [];
  const lengths: number[] = [];
  let row = 0;
  for (let start = data.indexOf(HASH), end; start >= 0; start = data.indexOf(HASH, end)) {
    while (offsets[row + 1] <= start) row++;
    const rowEnd = offsets[row + 1];
    end = start + 1;
    while (end < rowEnd && OF_TAG[data[end]]) end++;
    if (end - start > 1 && !text.isNull(row)) {
      from.push(row);
      starts.push(start);
      lengths.push(end - start);
    }
  }
  return { from, columns: { tag: slices(text, starts, lengths) } };
});
