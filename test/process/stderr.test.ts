import fc from 'fast-check';
import { expect, test } from 'vitest';
import { registerSecret } from '../../src/domain/secret.ts';
import { lastLine, readStderr } from '../../src/process/stderr.ts';

const SECRET = 'correct-horse-battery-staple';
registerSecret(SECRET);

/** What comes out when these bytes come in pieces that end at the given places. */
function pass(text: string, cuts: readonly number[]): { lines: string[]; tail: string } {
  const lines: string[] = [];
  const stderr = readStderr((line) => void lines.push(line));
  const bytes = Buffer.from(text);
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  );
  for (const [place, start] of places.entries()) stderr.write(bytes.subarray(start, places[place + 1]));
  return { lines, tail: stderr.end() };
}

test('lines are whole and in order, however the bytes are cut, characters of several bytes too', () => {
  const property = fc.property(fc.array(fc.stringMatching(/^[a-zü€😀 ]*$/u)), fc.array(fc.nat()), (lines, cuts) => {
    const text = lines.map((line) => `${line}\n`).join('');
    expect(pass(text, cuts)).toEqual({ lines, tail: text });
  });
  fc.assert(property);
});

test('a secret is masked wherever it stands in a line of any length, however the bytes are cut', () => {
  const length = fc.nat({ max: 40_000 });
  const property = fc.property(length, length, fc.array(fc.nat(), { maxLength: 40 }), (before, after, cuts) => {
    const text = `${'x'.repeat(before)}${SECRET}${'y'.repeat(after)}`;
    const { lines, tail } = pass(text, [...cuts, before + 5, before + SECRET.length - 5]);
    expect(lines.join('')).toBe(text.replace(SECRET, '***'));
    expect(lines.join('').endsWith(tail)).toBe(true);
    // Neither does a line end with the beginning of one.
    expect(lines.filter((line) => line.includes(SECRET.slice(0, 5)) || line.includes(SECRET.slice(-5)))).toEqual([]);
  });
  fc.assert(property, { numRuns: 300 });
});

test('a line without an end comes in pieces of bounded length', () => {
  const { lines } = pass('x'.repeat(1_000_000), [100_000, 200_000, 300_000]);
  expect(lines.length).toBeGreaterThan(3);
});

test('the line for a message is the last one that says something, and is short', () => {
  expect(lastLine('first\nlast\n\n')).toBe('last');
  expect(
    lastLine(
      'tar: noise: Cannot write: No space left on device\ntar: Exiting with failure status due to previous errors\n',
    ),
  ).toBe('tar: noise: Cannot write: No space left on device');
  expect(lastLine('tar: Error is not recoverable: exiting now')).toBe('tar: Error is not recoverable: exiting now');
  expect(lastLine('')).toBe('');
  expect(lastLine('x'.repeat(1000))).toHaveLength(400);
});
