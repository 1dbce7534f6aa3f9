import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkPoolName, subvolumeOf, timeInName } from '../../src/domain/pool-names.ts';

const time = (name: string, zone = 'UTC'): string | null => timeInName(name, zone)?.toString() ?? null;

test.for([
  ['media-pre-deploy-20251116-143000', '2025-11-16T14:30:00Z'],
  ['media-pre-deploy-20251116-143000-2', '2025-11-16T14:30:00Z'],
  ['media.recovery-backup-20251116-143000', '2025-11-16T14:30:00Z'],
  ['media.20251116T143000', '2025-11-16T14:30:00Z'],
  ['media_2025-11-16_14:30:00', '2025-11-16T14:30:00Z'],
  ['media-20251316-143000', null],
  ['media-20251116', null],
  ['media-120251116-143000', null],
  ['media', null],
] as const)('the time in %s is %s', ([name, expected]) => {
  expect(time(name)).toBe(expected);
});

test('the time in a name is local: in summer, in winter and in the hour that comes twice', () => {
  expect(time('a-20250716-143000', 'Europe/Berlin')).toBe('2025-07-16T12:30:00Z');
  expect(time('a-20251116-143000', 'Europe/Berlin')).toBe('2025-11-16T13:30:00Z');
  expect(time('a-20251026-023000', 'Europe/Berlin')).toBe('2025-10-26T00:30:00Z');
});

test('every snapshot belongs to the subvolume that it is named after, unless a longer name of another fits', () => {
  const names = fc.array(fc.stringMatching(/^[a-z](?:[a-z-]{0,5}[a-z])?$/), { minLength: 1 });
  fc.assert(
    fc.property(names, fc.stringMatching(/^[a-z0-9-]{1,8}$/), (subvolumes, rest) => {
      const [first] = subvolumes as [string, ...string[]];
      const owner = subvolumeOf(`${first}-${rest}`, subvolumes);
      expect(owner?.length).toBeGreaterThanOrEqual(first.length);
      expect(`${first}-${rest}`.startsWith(`${owner}-`)).toBe(true);
    }),
  );
  expect(subvolumeOf('media', ['media'])).toBeNull();
  expect(subvolumeOf('mediatheque-1', ['media'])).toBeNull();
  expect(subvolumeOf('media-x.recovery-backup-1', ['media', 'media-x'])).toBe('media-x');
});

test.for(['a/b', '/', '.', '..', '', 'a\nb', 'a\0', 'ä'.repeat(128)])('%j is no name in a pool', (name) => {
  expect(() => checkPoolName(name)).toThrow(expect.objectContaining({ code: 'Usage' }));
});

test.for(['@home', 'subvol7-containers', 'with space', '-rf', '*', 'ä'.repeat(127)])(
  '%j is a name in a pool',
  (name) => {
    expect(checkPoolName(name)).toBe(name);
  },
);
