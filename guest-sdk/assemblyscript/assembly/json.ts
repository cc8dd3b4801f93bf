// JSON as the host writes it: valid, and small.

export enum Kind {
  Null,
  Flag,
  Number,
  Text,
  List,
  Table,
}

/** A value; a number is as it was written. */
export class Json {
  text: string = "";
  items: Json[] = [];
  table: Map<string, Json> = new Map();

  constructor(public kind: Kind) {}

  /** The value of a text, or null where it is none. */
  static parse(text: string): Json | null {
    const reader = new Reader(text);
    const value = reader.value();
    reader.space();
    return reader.failed || reader.at < text.length ? null : value;
  }
}

const QUOTE: i32 = 0x22;
const BACKSLASH: i32 = 0x5c;

class Reader {
  at: i32 = 0;
  failed: bool = false;

  constructor(private input: string) {}

  value(): Json {
    this.space();
    const next = this.peek();
    if (next == 0x7b) return this.table();
    if (next == 0x5b) return this.list();
    if (next == QUOTE) return this.of(Kind.Text, this.string());
    const word = this.word();
    if (word == "true" || word == "false") return this.of(Kind.Flag, word);
    if (word == "null") return this.of(Kind.Null, word);
    if (word.length == 0) this.failed = true;
    return this.of(Kind.Number, word);
  }

  space(): void {
    while (this.peek() == 0x20 || (this.peek() >= 0x09 && this.peek() <= 0x0d)) this.at++;
  }

  private of(kind: Kind, text: string): Json {
    const json = new Json(kind);
    json.text = text;
    return json;
  }

  private table(): Json {
    const json = new Json(Kind.Table);
    this.at++;
    this.space();
    while (!this.failed && !this.passes(0x7d)) {
      this.space();
      const key = this.string();
      this.space();
      if (!this.passes(0x3a)) this.failed = true;
      json.table.set(key, this.value());
      this.space();
      if (!this.passes(0x2c) && this.peek() != 0x7d) this.failed = true;
    }
    return json;
  }

  private list(): Json {
    const json = new Json(Kind.List);
    this.at++;
    this.space();
    while (!this.failed && !this.passes(0x5d)) {
      json.items.push(this.value());
      this.space();
      if (!this.passes(0x2c) && this.peek() != 0x5d) this.failed = true;
    }
    return json;
  }

  /** A number or a name: all until something else begins. */
  private word(): string {
    const start = this.at;
    while (this.at < this.input.length && !",]}".includes(this.input.charAt(this.at)) && this.peek() > 0x20) this.at++;
    return this.input.substring(start, this.at);
  }

  private string(): string {
    if (!this.passes(QUOTE)) this.failed = true;
    let text = "";
    while (!this.failed && !this.passes(QUOTE)) {
      if (this.at >= this.input.length) this.failed = true;
      else if (this.passes(BACKSLASH)) text += this.escaped();
      else text += this.input.charAt(this.at++);
    }
    return text;
  }

  private escaped(): string {
    const code = this.input.charAt(this.at++);
    if (code == "u") {
      const digits = this.input.substring(this.at, this.at + 4);
      this.at += 4;
      return String.fromCharCode(I32.parseInt(digits, 16));
    }
    if (code == "n") return "\n";
    if (code == "t") return "\t";
    if (code == "r") return "\r";
    if (code == "b") return "\b";
    if (code == "f") return "\f";
    return code;
  }

  private peek(): i32 {
    return this.at < this.input.length ? this.input.charCodeAt(this.at) : -1;
  }

  private passes(code: i32): bool {
    if (this.peek() != code) return false;
    this.at++;
    return true;
  }
}
