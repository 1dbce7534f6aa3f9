import { expect, test } from 'vitest';
import { boundedLines } from '../../src/adapters/sources/tree/lines.ts';

test('a line of many thousand characters keeps both of its ends, and is not taken for another one', () => {
  const lines = boundedLines();
  const deep = (depth: number): string => `/srv/${'folder/'.repeat(depth)}bottom: File name too long`;
  for (const depth of [900, 901, 900, 2]) lines.add(deep(depth));
  const [first = '', second = '', short] = lines.list();
  expect(lines.list()).toHaveLength(3);
  for (const line of [first, second]) {
    expect(line).toMatch(/^\/srv\/folder\/.*… \(63\d\d characters\) ….*bottom: File name too long$/);
    expect(line.length).toBeLessThan(600);
  }
  expect(short).toBe(deep(2));
});
