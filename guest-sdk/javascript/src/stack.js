// Stacks in terms of the source: the build says of each line of the one module that it makes where it comes from.

const FRAME = /^(\s*at .*?)\(?\/build\/operator\.js:(\d+):\d+\)?$/;
/** What tells an operator's author nothing: the SDK's own functions. */
const OURS = /guest-sdk\/javascript\/|(^|\/)entry\.js$/;

/**
 * A stack with the lines of the source, and without the SDK's.
 *
 * @param {string} stack
 * @param {{ sources: string[], lines: ([number, number] | null)[] } | undefined} map for each line of the module, the index of
 * its source and the line there
 */
export function located(stack, map = globalThis.weirSourceMap) {
  if (!map) return stack;
  const frames = stack.split('\n').flatMap((line) => {
    const frame = FRAME.exec(line);
    if (!frame) return / \(native\)$/.test(line) ? [] : [line];
    const [, what, at] = frame;
    const [source, from] = map.lines[at - 1] ?? [];
    const path = map.sources[source];
    return path === undefined || OURS.test(path) ? [] : [`${what}(${path}:${from})`];
  });
  return frames.join('\n');
}
