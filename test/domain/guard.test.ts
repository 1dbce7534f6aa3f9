import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide, GUARD_DEFAULTS, guardExitCode, SNAPSHOT_OUTCOMES } from '../../src/domain/guard.ts';
import { figuresOf } from '../../src/domain/history.ts';
import { timeInName } from '../../src/domain/pool-names.ts';
import { foldOperation, guardSnapshotName, keptStateName, snapshotName } from '../../src/domain/snapshot-name.ts';
import { removableSnapshots } from '../../src/domain/snapshot-retention.ts';

const now = Temporal.Instant.from('2026-11-21T14:30:00Z');

describe('names', () => {
  test('a guard names its snapshot by subvolume, folded operation and local time', () => {
    expect(guardSnapshotName('media', 'Deploy Immich!', now, 'UTC')).toBe('media-pre-deploy-immich-20261121-143000');
    expect(guardSnapshotName('media', 'x', now, 'Europe/Berlin')).toBe('media-pre-x-20261121-153000');
    expect(snapshotName('media', 'manual', now, 'UTC')).toBe('media-manual-20261121-143000');
    expect(keptStateName('media', now, 'UTC')).toBe('media.recovery-backup-20261121-143000');
  });
  test('an operation of nothing but signs still has a name', () => expect(foldOperation('€€')).toBe('unnamed'));
  test('a subvolume with a path in its name is a mistake of usage', () =>
    expect(() => guardSnapshotName('a/b', 'x', now, 'UTC')).toThrow(/has a path in it/));
  test('whatever the operation is called, the name fits a file system and tells its time', () => {
    const promise = fc.property(
      fc.string({ maxLength: 400 }),
      fc.string({ maxLength: 400, unit: 'binary' }),
      (a, b) => {
        const name = guardSnapshotName('media', a + b, now, 'UTC');
        expect(name).toMatch(/^media-pre-[a-z0-9._-]+-20261121-143000$/);
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(250);
        expect(timeInName(name, 'UTC')?.equals(now)).toBe(true);
      },
    );
    fc.assert(promise);
  });
});

describe('the decision', () => {
  const operations = new Map([
    ['restart', { reversible: true, persistent: true }],
    ['reload', { reversible: false, persistent: false }],
  ]);
  const auto = (operation: string, newest: string | null) =>
    decide(operation, 'auto', { ...GUARD_DEFAULTS, operations }, newest ? Temporal.Instant.from(newest) : null, now);
  test('always protects, and auto protects what nothing is known of', () => {
    expect(decide('restart', 'always', { ...GUARD_DEFAULTS, operations }, now, now).protect).toBe(true);
    expect(auto('deploy', null).protect).toBe(true);
    expect(auto('deploy', '2026-11-21T13:30:00Z').protect).toBe(true);
  });
  test('auto passes over what is reversible, leaves nothing, or has a fresh point, and says which', () => {
    expect(auto('restart', null)).toMatchObject({ protect: false, reason: expect.stringContaining('reversible') });
    expect(auto('reload', null)).toMatchObject({ protect: false, reason: expect.stringContaining('outlives') });
    expect(auto('deploy', '2026-11-21T13:30:01Z')).toMatchObject({
      protect: false,
      reason: expect.stringContaining('fresh'),
    });
  });
  test('a point from the future is not fresh', () => expect(auto('deploy', '2026-11-22T00:00:00Z').protect).toBe(true));
});

test('each outcome of guard has its exit code', () => {
  const code = (
    outcome: (typeof SNAPSHOT_OUTCOMES)[number] | 'unprotected',
    commandExit: number | null,
    by: 'SIGINT' | null = null,
  ) => guardExitCode({ outcome, commandExit, interrupted: by, inconclusive: false });
  expect([code('success', 0), code('command_failed', 7), code('validation_failed', 0), code('rolled_back', 7)]).toEqual(
    [0, 1, 2, 2],
  );
  expect([
    code('rollback_failed', 0),
    code('command_failed', 130, 'SIGINT'),
    code('rolled_back', 130, 'SIGINT'),
  ]).toEqual([3, 130, 2]);
  expect([code('pending', null), code('unprotected', 0), code('unprotected', 3)]).toEqual([0, 0, 1]);
});

describe('snapshots that may be removed', () => {
  const row = (age: number, outcome: (typeof SNAPSHOT_OUTCOMES)[number]) => ({
    ...{ name: `media-pre-x-${age}`, subvolume: 'media', outcome },
    madeAt: now.subtract({ hours: 24 * age }),
  });
  const rows = fc.array(
    fc
      .record({ age: fc.nat(100), outcome: fc.constantFrom(...SNAPSHOT_OUTCOMES) })
      .map(({ age, outcome }) => row(age, outcome)),
    { maxLength: 40 },
  );
  test('the newest that ended well, whatever is unresolved and the newest of all stay under every policy', () => {
    const promise = fc.property(rows, fc.nat(5), fc.nat(20), (all, latest, days) => {
      const removed = removableSnapshots(all, { latest, within: days * 86_400 }, now);
      const left = all.filter((one) => !removed.includes(one));
      const newest = (some: typeof all) => some.map(({ madeAt }) => madeAt.epochMilliseconds).sort((a, b) => b - a);
      const good = (some: typeof all) => newest(some.filter(({ outcome }) => outcome === 'success'))[0];
      expect(good(left)).toBe(good(all));
      expect(removed.filter(({ outcome }) => outcome !== 'success' && outcome !== 'rolled_back')).toEqual([]);
      expect(newest(left).slice(0, latest)).toEqual(newest(all).slice(0, latest));
    });
    fc.assert(promise);
  });
  test('what is old and settled goes', () => {
    const all = [row(1, 'success'), row(20, 'success'), row(30, 'rolled_back'), row(40, 'pending')];
    const gone = removableSnapshots(all, { latest: 1, within: 7 * 86_400 }, now);
    expect(gone.map(({ name }) => name)).toEqual(['media-pre-x-20', 'media-pre-x-30']);
  });
});

test('figures are counted from records, and are null where there are none', () => {
  expect(figuresOf(0, 0, [], [])).toMatchObject({
    deployments: { ratio: null },
    recoveries: { ratio: null, meanSeconds: null },
  });
  const recoveries = [
    { subject: 'media', seconds: 10, success: true },
    { subject: 'media', seconds: 30, success: true },
    { subject: 'config', seconds: 500, success: false },
  ];
  const figures = figuresOf(3, 1, recoveries, [{ subject: 'mealie', seconds: 8 }]);
  expect(figures.deployments).toEqual({ total: 4, guarded: 3, ratio: 0.75 });
  expect(figures.recoveries).toMatchObject({ total: 3, succeeded: 2, meanSeconds: 20, worstSeconds: 30 });
  expect(figures.services).toEqual({
    config: { meanSeconds: null, worstSeconds: null, lastDrillSeconds: null },
    mealie: { meanSeconds: null, worstSeconds: null, lastDrillSeconds: 8 },
    media: { meanSeconds: 20, worstSeconds: 30, lastDrillSeconds: null },
  });
});
