import { existsSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { MEMORY } from '../services/memory.ts';
import { aHouse, fill, type House } from './house.ts';
import { expectListed, expectTidy, expectWholePoints, pointArchives, pointFolders, stateOf } from './judge.ts';
import { killAtChanges } from './kill.ts';

const TOOLS = ['strace', 'sqlite3', 'zstd', 'tar', 'diff', 'sha256sum'];
let house: House;
/** The service's data as they were when they were backed up, and as they are since. */
let then = '';
let now = '';

beforeEach(() => {
  house = aHouse(MEMORY);
  house.passes('repository', 'init', 'disk');
  house.passes('repository', 'init', 'tars');
  [then, now] = [house.path('then'), house.path('now')];
  house.tool('cp', '-a', house.path('data'), then);
});
afterEach(() => house[Symbol.dispose]());

function change(): void {
  fill(house, 'today');
  house.tool('cp', '-a', house.path('data'), now);
}

const notes = (): string =>
  house.tool('sqlite3', '-readonly', house.path('notes.db'), 'select text from notes limit 1');

describe.runIf(TOOLS.every(available))('a process that is killed', { timeout: 900_000 }, () => {
  test.each([
    ['disk', pointFolders],
    ['tars', pointArchives],
  ] as const)('in a backup into %s leaves whole points only, and the next run takes its rest away', (name, points) => {
    house.passes('backup', '--repository', name);
    change();
    const seen = new Set<number>();
    killAtChanges(house, ['backup', '--repository', name], { rename: 2, fsync: 9, mkdir: 9, unlink: 4 }, (where) => {
      expectWholePoints(house, [then, now]);
      const there = points(house.path(name)).length;
      seen.add(there);
      house.passes('backup', '--repository', name);
      expect(points(house.path(name)), where).toHaveLength(there + 1);
      expectWholePoints(house, [then, now]);
      expectListed(house);
      expectTidy(house);
    });
    expect([...seen].toSorted()).toEqual([1, 2]); // kills before the point was there, and after
  });

  test.each([
    ['nightly', 'disk', pointFolders],
    ['weekly', 'tars', pointArchives],
  ] as const)('in the prune of %s removes no part of a point, and the next one finishes', (plan, name, points) => {
    for (let count = 0; count < 3; count++) house.passes('backup', '--plan', plan);
    const newest = points(house.path(name)).at(-1);
    killAtChanges(house, ['prune', '--plan', plan, '--yes'], { rename: 2, fsync: 6, unlink: 6, rmdir: 2 }, () => {
      expectWholePoints(house, [then]);
      expect(points(house.path(name))).toContain(newest);
      house.passes('prune', '--plan', plan, '--yes');
      expect(points(house.path(name))).toEqual([newest]);
      expectListed(house);
      house.passes('backup', '--plan', plan); // takes away what nobody sees
      expectWholePoints(house, [then]);
      expectTidy(house);
    });
  });

  test('in a run leaves whole points, and the next run does all of it', () => {
    for (let count = 0; count < 2; count++) house.passes('backup', '--plan', 'nightly');
    change();
    killAtChanges(house, ['run', 'nightly'], { rename: 3, fsync: 14, unlink: 7 }, () => {
      expectWholePoints(house, [then, now]);
      expect(pointFolders(house.path('disk')).length).toBeGreaterThan(0);
      house.passes('run', 'nightly');
      expect(pointFolders(house.path('disk'))).toHaveLength(1);
      expectWholePoints(house, [now]);
      expectListed(house);
      expectTidy(house);
    });
  });

  test('in a restore in place leaves, after the next command, all of it as it was or all of it restored', () => {
    house.passes('backup', '--repository', 'disk');
    change();
    const seen = new Set<string>();
    killAtChanges(
      house,
      ['restore', 'mealie', '--in-place', '--yes'],
      { rename: 2, fsync: 12, mkdir: 6, unlink: 2 },
      (where) => {
        house.passes('backup', '--repository', 'disk', '--repository', 'tars');
        const state = stateOf(house.path('data'), [then, now]);
        expect(state, where).not.toBeNull();
        expect(notes(), where).toBe(state === then ? 'then 1\n' : 'today 1\n');
        seen.add(`${state}`);
        const kept = readdirSync(house.folder).filter((name) => name.includes('.recovery-backup-'));
        expect(kept, where).toHaveLength(state === then ? 2 : 0);
        const [keptData = ''] = kept.filter((name) => name.startsWith('data'));
        if (state === then) expect(stateOf(house.path(keptData), [now])).toBe(now);
        expectWholePoints(house, [then, now]);
        expectTidy(house);
      },
    );
    expect([...seen].toSorted()).toEqual([now, then]);
  });

  test('in a restore to a folder leaves, after the next restore, exactly what was asked for', () => {
    house.passes('backup', '--repository', 'disk');
    const args = ['restore', 'mealie', '--to', house.path('target')];
    killAtChanges(house, args, { rename: 2, fsync: 10, mkdir: 5 }, (where) => {
      const there = existsSync(house.path('target')) ? readdirSync(house.path('target')).toSorted() : [];
      if (there.length > 0) expect(house.holdfast(...args).status, where).toBeOneOf([0, 1]);
      else house.passes(...args);
      expect(stateOf(house.path('target', house.path('data')), [then]), where).toBe(then);
      expect(readdirSync(house.path('target')).toSorted(), where).toEqual(
        [house.path().split('/')[1], 'sqlite_db.db'].toSorted(),
      );
      house.passes('backup', '--repository', 'disk', '--repository', 'tars');
      expectTidy(house);
    });
  });
});
