// A row for each `@mention` in a text, beside the user who wrote it.

import { Config, Shape, Transform, Utf8Builder, Utf8Column } from "weir-guest/assembly";

export default class Mentions extends Transform {
  private text!: Utf8Column;
  private mention!: Utf8Builder;
  private shortest: i64 = 0;

  configure(shape: Shape, config: Config): void {
    // What is read of a row. Other columns need not exist, and do not cross into the sandbox.
    this.text = shape.readUtf8("text");
    // What stays beside the columns that are added.
    shape.keep("user");
    this.mention = shape.addUtf8("mention");
    // The operator's `config` in the pipeline file: shorter names are passed over.
    this.shortest = config.integer("shortest", 0);
    if (this.shortest < 0) config.refuse("`shortest` must not be negative");
  }

  row(row: i32): void {
    const text = this.text.get(row);
    for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at)) {
      const isAddress = at > 0 && isOfName(text.charCodeAt(at - 1));
      const start = ++at;
      while (at < text.length && isOfName(text.charCodeAt(at))) at++;
      if (isAddress || at == start || at - start < this.shortest) continue;
      this.mention.push(text.substring(start, at));
      this.emit(row);
    }
  }
}

/** ASCII letters and digits, `_`, and all that is beyond ASCII. */
function isOfName(code: i32): bool {
  const letter = code | 0x20;
  return code >= 0x80 || (letter >= 0x61 && letter <= 0x7a) || (code >= 0x30 && code <= 0x39) || code == 0x5f;
}
