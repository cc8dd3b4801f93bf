// UTF-8 in an interpreter that has no TextDecoder: a loop over bytes would cost more than all else, so that every step here
// is one call of the engine's own code. A "binary string" has a character for each byte.

const binaryString = Uint8Array.prototype.toBase64
  ? (bytes) => atob(bytes.toBase64())
  : (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

const bytesOf = Uint8Array.fromBase64
  ? (string) => Uint8Array.fromBase64(btoa(string))
  : (string) => new Uint8Array(Buffer.from(string, 'latin1'));

const fromUtf8 = (string) => decodeURIComponent(escape(string));
const toUtf8 = (text) => unescape(encodeURIComponent(text));

/** Whether there is nothing beyond ASCII: whatever is, begins with one of these bytes. */
function isAscii(bytes) {
  for (let lead = 0xc2; lead <= 0xf4; lead++) {
    if (bytes.includes(lead)) return false;
  }
  return true;
}

/**
 * A function that gives the text between two places of valid UTF-8.
 *
 * @param {Uint8Array} bytes
 * @returns {(start: number, end: number) => string}
 */
export function decoder(bytes) {
  const string = binaryString(bytes);
  if (isAscii(bytes)) return (start, end) => string.slice(start, end);
  return (start, end) => fromUtf8(string.slice(start, end));
}

/**
 * Texts as one run of UTF-8, and the ends of each in it. A lone surrogate, which UTF-8 does not have, becomes U+FFFD.
 *
 * @param {string[]} texts
 * @returns {{ offsets: Int32Array, data: Uint8Array }}
 */
export function encode(texts) {
  const offsets = new Int32Array(texts.length + 1);
  const all = texts.join('');
  let utf8 = all.isWellFormed() ? toUtf8(all) : '';
  if (utf8.length === all.length) {
    texts.forEach((text, i) => (offsets[i + 1] = offsets[i] + text.length));
  } else {
    // One by one, since two halves of a surrogate pair in two texts are no pair.
    const each = texts.map((text) => toUtf8(text.toWellFormed()));
    each.forEach((part, i) => (offsets[i + 1] = offsets[i] + part.length));
    utf8 = each.join('');
  }
  return { offsets, data: bytesOf(utf8) };
}
