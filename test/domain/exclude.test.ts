import { describe, expect, test } from 'vitest';
import { excludedBelow, excludedWithParents, isPattern, parsePattern } from '../../src/domain/exclude.ts';

const excluded = (pattern: string, below: string, folder = false): boolean =>
  excludedWithParents(excludedBelow([parsePattern(pattern)], '/opt/mealie'), below, folder);

/** Pattern, then paths below /opt/mealie that it leaves out, then some that it keeps. A slash at the end is a folder. */
const cases: readonly [string, readonly string[], readonly string[]][] = [
  ['*.log', ['a.log', 'deep/er/b.log', '.log', 'x.log/inside'], ['a.log.gz', 'log', 'a.logs']],
  ['.cache', ['.cache/', 'home/.cache/x'], ['.cached', 'a.cache']],
  ['cache/', ['cache/', 'a/cache/', 'cache/file'], ['cache', 'a/cache']],
  ['cache/tmp', ['cache/tmp', 'cache/tmp/x'], ['a/cache/tmp', 'cache/tmpx']],
  ['./cache/tmp', ['cache/tmp'], ['a/cache/tmp']],
  ['./cache', ['cache', 'cache/x'], ['a/cache']],
  ['cache//tmp//', ['cache/tmp/'], ['cache/tmp', 'a/cache/tmp/']],
  ['/opt/mealie/data', ['data', 'data/x'], ['a/data', 'datax']],
  ['/opt/mealie', [], ['opt/mealie', 'data']],
  ['**/tmp/x', ['tmp/x', 'a/b/tmp/x'], ['atmp/x', 'tmp/y/x']],
  ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z'], ['az', 'a/bz', 'b/a/z']],
  ['a/**', ['a/b', 'a/b/c'], ['a/', 'b/a/c']],
  ['a**b', ['ab', 'axxb', 'c/ab'], ['a/b']],
  ['?.txt', ['a.txt', 'é.txt', '𝄞.txt'], ['ab.txt', '.txt']],
  ['[a-c]1', ['a1', 'x/b1'], ['d1', 'a2']],
  ['[!a-c]1', ['d1', 'é1'], ['a1', 'a/1']],
  ['[]x]', [']', 'x'], ['y']],
  ['[a-]', ['a', '-'], ['b']],
  ['[z-a]', [], ['z', 'a']],
  ['[open', ['[open'], ['o']],
  ['a\\*', ['a*'], ['ab']],
  ['(a|b)+$^.', ['(a|b)+$^.'], ['a']],
  ['a\nb', ['a\nb'], ['a b']],
  ['*', ['x', 'a/b', 'line\nbreak'], []],
];

describe('exclude', () => {
  for (const [pattern, left, kept] of cases) {
    test(`${JSON.stringify(pattern)} leaves out what it names and nothing else`, () => {
      const ask = (path: string): boolean => excluded(pattern, path.replace(/\/$/, ''), path.endsWith('/'));
      expect(left.filter((path) => !ask(path))).toEqual([]);
      expect(kept.filter(ask)).toEqual([]);
    });
  }
  test('an absolute pattern also names a root by the link that leads to it', () => {
    const byLink = excludedBelow([parsePattern('/srv/link/a')], '/mnt/real', '/srv/link');
    expect([byLink('a', false), byLink('b/a', false)]).toEqual([true, false]);
  });
  test('patterns below the root folder of the machine are absolute ones', () => {
    expect(excludedBelow([parsePattern('/var/tmp')], '/')('var/tmp', true)).toBe(true);
  });
  test('a pattern without a name is refused', () => {
    for (const text of ['', '/', './', '//']) {
      expect(isPattern(text)).toBe(false);
      expect(() => parsePattern(text)).toThrow('no pattern');
    }
    expect(isPattern('.')).toBe(true);
  });
});
