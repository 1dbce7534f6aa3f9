import { expect, test } from 'vitest';
import type { Item } from '../../src/domain/manifest.ts';
import { mayReuse, rereadsAlways } from '../../src/domain/reuse.ts';
import { at } from './points.ts';

const earlier = (options: Partial<Item> = {}): Item =>
  ({ fingerprint: 'same', outcome: 'passed', readAt: '2026-05-01T00:00:00Z', ...options }) as Item;

test('an unchanged tree stands for itself until its bytes were read a week ago', () => {
  expect(mayReuse('same', earlier(), at('2026-05-07T23:59:59Z'))).toBe(true);
  expect(mayReuse('same', earlier(), at('2026-05-08T00:00:00Z'))).toBe(false);
});

test('a tree is read when it changed, cannot be told, was partial, or was read in the future', () => {
  const now = at('2026-05-02T00:00:00Z');
  expect(mayReuse('other', earlier(), now)).toBe(false);
  expect(mayReuse(null, earlier(), now)).toBe(false);
  expect(mayReuse('same', undefined, now)).toBe(false);
  expect(mayReuse('same', earlier({ outcome: 'partial' }), now)).toBe(false);
  expect(mayReuse('same', earlier({ readAt: '2026-05-03T00:00:00Z' }), now)).toBe(false);
});

test('a source may ask to be read always', () => {
  expect(rereadsAlways({ files: ['/a'], reread: 'always' })).toBe(true);
  expect([{ files: ['/a'] }, { reread: 'auto' }, null, 'always'].map(rereadsAlways)).toEqual([
    false,
    false,
    false,
    false,
  ]);
});
