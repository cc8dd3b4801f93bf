// An operator's config: its table of the pipeline file, a value at a time, each with a default.

import { Json, Kind } from "./json";

/** Takes note of what is asked for, so that a key without effect does not go unnoticed. */
export class Config {
  private table: Map<string, Json> = new Map();
  private asked: string[] = [];
  private wrong: string | null = null;

  constructor(json: string) {
    const given = Json.parse(json);
    if (given && given.kind == Kind.Table) this.table = given.table;
  }

  integer(key: string, otherwise: i64): i64 {
    const value = this.take(key, Kind.Number, "an integer");
    if (!value) return otherwise;
    if (value.text.includes(".") || value.text.includes("e") || value.text.includes("E")) {
      this.refuse(`\`${key}\` should be an integer, and is ${value.text}`);
    }
    return I64.parseInt(value.text);
  }

  float(key: string, otherwise: f64): f64 {
    const value = this.take(key, Kind.Number, "a number");
    return value ? F64.parseFloat(value.text) : otherwise;
  }

  text(key: string, otherwise: string): string {
    const value = this.take(key, Kind.Text, "a text");
    return value ? value.text : otherwise;
  }

  flag(key: string, otherwise: bool): bool {
    const value = this.take(key, Kind.Flag, "true or false");
    return value ? value.text == "true" : otherwise;
  }

  /** Refuses the config. */
  refuse(reason: string): void {
    if (!this.wrong) this.wrong = `the operator's config is not valid: ${reason}`;
  }

  /** Why it is refused, once all has been asked for. */
  get problem(): string | null {
    const keys = this.table.keys();
    for (let i = 0; i < keys.length; i++) {
      if (this.asked.includes(keys[i])) continue;
      if (this.asked.length == 0) this.refuse(`there is \`${keys[i]}\`, and the operator takes none`);
      else this.refuse(`there is no \`${keys[i]}\`; there is ${this.asked.map<string>((key) => `\`${key}\``).join(", ")}`);
    }
    return this.wrong;
  }

  private take(key: string, kind: Kind, what: string): Json | null {
    this.asked.push(key);
    if (!this.table.has(key)) return null;
    const value = this.table.get(key);
    if (value.kind == kind) return value;
    this.refuse(`\`${key}\` should be ${what}`);
    return null;
  }
}
