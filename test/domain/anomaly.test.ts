import { describe, expect, test } from 'vitest';
import { anomaliesOf, type Compared, emptiedPaths } from '../../src/domain/anomaly.ts';
import type { Facts } from '../../src/domain/facts.ts';
import type { Item } from '../../src/domain/manifest.ts';

const bounds = { shrink: 0.5, grow: 3 };
const item = (size: number, facts: Facts = {}, options: Partial<Compared> = {}): Compared => ({
  ...{ name: 'files_data', outcome: 'passed', size, originalSize: null, facts: facts as Item['facts'] },
  ...options,
});
const compare = (before: Compared, after: Compared, lossAccepted = false): readonly string[] =>
  anomaliesOf([after], () => before, bounds, lossAccepted);

test('an item that shrinks or grows beyond its bounds is suspicious, and up to them is not', () => {
  expect(compare(item(1000), item(499))).toEqual(['files_data: 499 bytes, 50 % less than 1000']);
  expect(compare(item(1000), item(500))).toEqual([]);
  expect(compare(item(1000), item(4001))).toEqual(['files_data: 4001 bytes, 300 % more than 1000']);
  expect(compare(item(1000), item(4000))).toEqual([]);
});

test('plain sizes are compared, since another compression is no change of the data', () => {
  expect(compare(item(900, {}, { originalSize: 1000 }), item(90, {}, { originalSize: 1000 }))).toEqual([]);
  expect(compare(item(100, {}, { originalSize: 1000 }), item(100, {}, { originalSize: 10 }))).toHaveLength(1);
});

describe('content that is gone is suspicious, however large the rest is', () => {
  test.each<[string, Facts, Facts, string]>([
    [
      'a table that had rows',
      { tables: { 'main.users': 3 } },
      { tables: { 'main.users': 0 } },
      'table main.users had 3',
    ],
    ['a table that was dropped', { tables: { a: 1, b: 1 } }, { tables: { a: 1 } }, 'table b had 1'],
    ['all entries of a directory', { entries: 7 }, { entries: 0 }, 'entries had 7'],
    ['all keys', { keys: 7 }, { keys: 0 }, 'keys had 7'],
    ['the documents of a database', { documents: { vault: 2 } }, { documents: { vault: 0 } }, 'documents vault had 2'],
    ['half of the files', { files: 10 }, { files: 5 }, '5 files where 10 were'],
  ])('%s', (_, before, after, words) => {
    expect(compare(item(1000, before), item(1000, after))).toEqual([expect.stringContaining(words)]);
  });

  test('but not a table that was beyond the budget this time, nor one that was empty before', () => {
    expect(compare(item(9, { tables: { a: 1 } }), item(9, { tables: {}, uncounted: ['a'] }))).toEqual([]);
    expect(compare(item(9, { tables: { a: 0 } }), item(9, { tables: {} }))).toEqual([]);
    expect(compare(item(9, { files: 10 }), item(9, { files: 6 }))).toEqual([]);
  });
});

test('an item that failed, or that no earlier point has, is not compared', () => {
  expect(compare(item(1000, {}, { outcome: 'failed' }), item(1))).toEqual([]);
  expect(compare(item(1000), item(1, {}, { outcome: 'failed' }))).toEqual([]);
  expect(anomaliesOf([item(1)], () => undefined, bounds)).toEqual([]);
});

test('nothing is suspicious when the detection is off, and a loss is not when it was accepted', () => {
  expect(anomaliesOf([item(1)], () => item(1000), false)).toEqual([]);
  expect(compare(item(1000, { files: 10 }), item(1, { files: 0 }), true)).toEqual([]);
  expect(compare(item(1), item(1000), true)).toHaveLength(1);
});

test('a path that had files and has none is seen among several', () => {
  const root = (path: string, files?: number) => ({ path, stored: path, ...(files === undefined ? {} : { files }) });
  expect(emptiedPaths([root('/a', 3), root('/b', 1)], [root('/a', 0), root('/b', 1)])).toEqual(['/a']);
  expect(emptiedPaths([root('/a', 0), root('/b')], [root('/a', 0), root('/b', 0), root('/c', 0)])).toEqual([]);
});
