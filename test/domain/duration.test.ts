import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../src/domain/duration.ts';

test.each([
  [0, '0s'],
  [0.0421, '42ms'],
  [0.9994, '999ms'],
  [0.9996, '1s'],
  [1.44, '1.4s'],
  [9.96, '10s'],
  [59.6, '1m'],
  [200, '3m 20s'],
  [86_405, '1d'],
  [9 * 86_400, '1w 2d'],
  [-0.04, '-40ms'],
])('%d seconds are printed as %s', (seconds, printed) => {
  expect(formatDuration(seconds)).toBe(printed);
});

test('a duration is counts with letters, and anything else says what to write', () => {
  expect(['90s', '5m', '36h', '7d', '2w', '1h30m'].map(parseDuration)).toEqual([
    90, 300, 129_600, 604_800, 1_209_600, 5400,
  ]);
  for (const text of ['', '5', '1M', '-5s', '1.5h', ' 5s', '5 s', 'PT5S'])
    expect(() => parseDuration(text), text).toThrow(/is no duration: write 90s/);
});
