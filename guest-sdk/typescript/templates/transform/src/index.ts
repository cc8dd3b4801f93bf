// A row for each `@mention` in a text, beside the user who wrote it.

import { flatMap } from 'weir-guest';

/** A mention: no part of an address, and of any letters. Classes as `\p{L}` would be ten times as slow in the sandbox. */
const MENTION = /\B@[\w\u0080-\uffff]+/g;

export default flatMap(
  {
    // What is read of a row. Other columns need not exist, and do not cross into the sandbox.
    reads: { text: 'utf8' },
    // What stays beside the columns that are added.
    keeps: ['user'],
    adds: { mention: 'utf8' },
    // The operator's `config` in the pipeline file: shorter names are passed over. Where nothing is to be checked, defaults do:
    // `config: { shortest: 0 }`.
    config: ({ shortest = 0, ...others }) => {
      if (typeof shortest !== 'number' || shortest < 0) throw new Error('`shortest` must be a number, and not negative');
      if (Object.keys(others).length > 0) throw new Error(`there is no \`${Object.keys(others)[0]}\`; there is \`shortest\``);
      return { shortest };
    },
  },
  function* ({ text }, { shortest }) {
    for (const found of text.match(MENTION) ?? []) {
      const mention = found.slice(1);
      if (mention.length >= shortest) yield { mention };
    }
  },
);
