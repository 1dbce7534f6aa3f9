import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseName, printName } from '../../src/domain/tree-name.ts';

const names = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'grapheme' }).map((text) => new TextEncoder().encode(text)),
  fc
    .array(fc.constantFrom(0x5c, 0x78, 0x30, 0x61, 0xc3, 0xa9, 0x0a, 0xff), { maxLength: 20 })
    .map((bytes) => Uint8Array.from(bytes)),
);

test('every name is printed as one line, and read back as the same bytes', () => {
  const same = fc.property(names, (name) => {
    const text = printName(name);
    expect(parseName(text)).toEqual(name);
    expect(text).not.toMatch(/\p{Cc}/u);
  });
  fc.assert(same, { numRuns: 2000 });
});

test('two names are never printed alike', () => {
  const different = fc.property(names, names, (one, other) => {
    expect(printName(one) === printName(other)).toBe(Buffer.from(one).equals(Buffer.from(other)));
  });
  fc.assert(different, { numRuns: 2000 });
});

test('UTF-8 is printed as it is, a backslash twice, anything else by its bytes', () => {
  expect(printName(Buffer.from('ümlaut 日本 🙂'))).toBe('ümlaut 日本 🙂');
  expect(printName(Buffer.from('a\\b'))).toBe('a\\\\b');
  expect(printName(Buffer.from('new\nline\x1b[31m'))).toBe('new\\x0aline\\x1b[31m');
  expect(printName(Buffer.from([0x6e, 0xff, 0xc3, 0x6f]))).toBe('n\\xff\\xc3o');
  expect(printName(Buffer.from([0xed, 0xa0, 0x80]))).toBe('\\xed\\xa0\\x80'); // a surrogate is no UTF-8
});

test('a typed backslash that begins no escape stands for itself', () => {
  expect(Buffer.from(parseName('C:\\temp')).toString()).toBe('C:\\temp');
  expect(Buffer.from(parseName('\\x41')).toString()).toBe('A');
});
