import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sampleConfiguration } from '../../src/config/sample.ts';
import { check, errorsOf } from './texts.ts';

describe('a file that is made to hurt is refused in bounded time', () => {
  const nine = (name: string, of: string): string => `${name}: &${name} [${Array(9).fill(of).join(', ')}]\n`;
  const laughs = ['a', ...'bcdefghi']
    .map((name, at) => nine(name, at === 0 ? 'lol' : `*${'abcdefghi'[at - 1]}`))
    .join('');
  const keys = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join('\n');

  test.for<[string, string, RegExp]>([
    ['a billion laughs', laughs, /Aliases stand for too much/],
    ['lists in lists', '['.repeat(200_000), /nested too deep|Flow sequence/],
    ['lists in lists, closed', `a: ${'['.repeat(300)}${']'.repeat(300)}`, /nested too deep/],
    ['mappings in mappings', '{a: '.repeat(50_000), /nested too deep|Flow map/],
    ['dashes', '- '.repeat(100_000), /nested too deep/],
    ['folders of keys', keys(400, (index) => `${' '.repeat(index)}a:`), /nested too deep/],
    ['question marks', '? '.repeat(100_000), /./],
    ['anchors without an end', '&a '.repeat(60_000), /./],
    ['different keys', `version: 1\n${keys(20_000, (index) => `k${index}: 1`)}`, /Unknown key "k0"/],
    ['one key', 'a: 1\n'.repeat(30_000), /for the second time/],
    ['aliases to nothing', keys(15_000, (index) => `k${index}: *a${index}`), /There is no anchor/],
    ['aliases to one thing', `a: &a x\n${keys(15_000, (index) => `k${index}: *a`)}`, /Aliases stand for too much/],
    ['documents', '---\n'.repeat(200_000), /second document/],
    ['quotes', '"'.repeat(60_000), /./],
    ['colons', ': '.repeat(60_000), /./],
    ['errors', 'a: "b" c\n'.repeat(15_000), /./],
    ['one long name', `version: 1\n${'x'.repeat(900_000)}: 1`, /./],
  ])('%s', ([, text, words]) => {
    const errors = errorsOf(check(text));
    expect(errors.join('\n')).toMatch(words);
  });
});

const scalars = fc.oneof(
  fc.constantFrom(
    '1',
    '"',
    "'",
    '*',
    '&',
    '!',
    '|',
    '>',
    '{',
    '[',
    ']',
    '}',
    ':',
    '-',
    '?',
    '#',
    '%',
    '@',
    '`',
    '\t',
    '\n',
    ' ',
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    'null',
    '~',
    'true',
    '0x1f',
    '.nan',
    '1e999',
    '2001-01-01',
    '{file: x}',
    '[a, b]',
    'version: 1',
    '- a',
    '<<: *a',
  ),
);

test('whatever is written, the answer is a configuration or errors with their places', () => {
  const check1 = (text: string): void => {
    const { diagnostics, loaded } = check(text);
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    expect(loaded === null).toBe(errors.length > 0);
    const lines = text.split('\n').length;
    for (const { line, column, message } of diagnostics) {
      expect(line).toBeGreaterThan(0);
      expect(line).toBeLessThanOrEqual(lines);
      expect(column).toBeGreaterThan(0);
      expect(message).not.toMatch(/undefined|\[object|Invalid input/);
    }
  };
  const anything = fc.array(scalars, { maxLength: 30 }).map((parts) => parts.join(''));
  fc.assert(fc.property(anything, check1), { numRuns: 400 });

  // The worked example with one stretch of it replaced: most of it is right, so every setting's own rule is reached.
  const example = sampleConfiguration().replaceAll(/^ *#.*\n/gm, '');
  const wounded = fc
    .tuple(fc.nat(example.length), fc.nat(12), scalars)
    .map(([at, length, part]) => example.slice(0, at) + part + example.slice(at + length));
  fc.assert(fc.property(wounded, check1), { numRuns: 150 });
});

const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom(null, true, 0, -1, 1.5, '', '*', 'disk', '36h', '10%', '/srv', 'archive', 'all'),
    fc.string({ maxLength: 8 }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        'files',
        'sqlite',
        'engine',
        'path',
        'sources',
        'services',
        'units',
        'file',
        'url',
        'ntfy',
        'on',
        'constructor',
      ),
      tie('value'),
      { maxKeys: 3 },
    ),
  ),
})).value;

test('whatever value a setting has, the answer is a configuration or errors in words', () => {
  const sections = fc.constantFrom(
    'hosts',
    'repositories',
    'pools',
    'services',
    'plans',
    'guard',
    'serve',
    'notifications',
    'catalog',
  );
  const names = fc.constantFrom('disk', 'wiki', 'hosts', 'toString');
  fc.assert(
    fc.property(sections, names, values, fc.boolean(), (section, name, value, named) => {
      const text = JSON.stringify({ version: 1, [section]: named ? { [name]: value } : value });
      const { diagnostics, loaded } = check(text);
      expect(loaded === null).toBe(diagnostics.some(({ severity }) => severity === 'error'));
      for (const { message } of diagnostics) expect(message).not.toMatch(/undefined|\[object|Invalid input|: \.$/);
    }),
    { numRuns: 600 },
  );
});
