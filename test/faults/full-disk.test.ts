import { execFileSync } from 'node:child_process';
import { closeSync, cpSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aHouse, CONFIGURATION, fill, type House } from './house.ts';
import { expectListed, expectTidy, expectWholePoints, pointArchives, pointFolders, stateOf } from './judge.ts';

interface Disk extends Disposable {
  /** Leaves so many bytes free. */
  fill(free: number): void;
  /** Leaves room again. */
  free(): void;
}

/** A file system of its own at `path`. */
function smallDisk(path: string, options: string): Disk {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  const ballast = join(path, 'ballast');
  return {
    fill(free) {
      const file = openSync(ballast, 'w');
      for (let failed = false; !failed; ) {
        try {
          failed = writeSync(file, Buffer.alloc(65_536)) < 65_536;
        } catch {
          failed = true;
        }
      }
      closeSync(file);
      execFileSync('truncate', ['-s', `-${free}`, '--', ballast]);
    },
    free: () => rmSync(ballast),
    [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', path]),
  };
}

let house: House;
let then = '';
let now = '';

beforeEach(() => {
  house = aHouse();
  [then, now] = [house.path('then'), house.path('now')];
  house.tool('cp', '-a', house.path('data'), then);
});
afterEach(() => house[Symbol.dispose]());

function change(): void {
  fill(house, 'today');
  house.tool('cp', '-a', house.path('data'), now);
}

const root = process.getuid?.() === 0;

describe.runIf(root && ['sqlite3', 'zstd', 'tar', 'diff'].every(available))('a disk that is full, as root', () => {
  test.each([
    ['disk', 1_000_000, pointFolders],
    ['disk', 0, pointFolders],
    ['tars', 1_000_000, pointArchives],
    ['tars', 0, pointArchives],
  ] as const)(
    'under the repository %s, with %d bytes left, fails the backup, harms no older point, and is over when there is room',
    (name, free, points) => {
      using disk = smallDisk(house.path(name), 'size=24m');
      house.passes('repository', 'init', name);
      house.passes('backup', '--repository', name);
      const before = points(house.path(name));
      change();
      disk.fill(free);

      const { status, stdout, stderr } = house.holdfast('backup', '--repository', name);
      const said = stdout + stderr;
      expect(status, said).toBeOneOf([1, 3]);
      expect(said).toMatch(/no space| left/i);
      expect(said).not.toContain('ENOSPC');
      expect(said).not.toMatch(/^\s+at .*:\d+:\d+|defect of Holdfast/m);
      // what could be stored may be a partial point, in which the failed item is named and the others are whole
      const made = points(house.path(name)).slice(before.length);
      expect(made).toHaveLength(status === 1 ? 0 : 1);
      for (const point of made) {
        const whole = name === 'disk' ? 'cd "$1" && sha256sum -c --strict --quiet SHA256SUMS' : 'tar --zstd -tf "$1"';
        house.tool('sh', '-c', whole, 'sh', point);
        house.tool('sh', '-c', 'rm -r -- "$1"*', 'sh', point);
      }
      expectWholePoints(house, [then]);
      expectTidy(house);

      disk.free();
      house.passes('backup', '--repository', name);
      expect(points(house.path(name))).toHaveLength(2);
      expectWholePoints(house, [then, now]);
      expectListed(house);
      expectTidy(house);
    },
  );

  test('under an archive that gathers its items plainly is seen before the first of them is read', () => {
    using disk = smallDisk(house.path('tars'), 'size=24m');
    house.passes('repository', 'init', 'tars');
    house.tool('sh', '-c', 'yes packs well | head -c 8000000 > data/large'); // packs into a thousandth
    disk.fill(6_000_000);
    const { items } = JSON.parse(house.holdfast('backup', '--repository', 'tars', '--json').stdout).points[0];
    expect(items).toMatchObject([
      { name: 'files_data', outcome: 'failed', error: expect.stringMatching(/bytes are expected, and tars has/) },
      { name: 'sqlite_db', outcome: 'passed' },
    ]);
    disk.free();
    house.passes('backup', '--repository', 'tars');
  });

  test('under the state stops a backup and a restore in place before anything is moved', () => {
    using disk = smallDisk(house.path('state'), 'size=1m');
    house.passes('repository', 'init', 'disk');
    house.passes('backup', '--repository', 'disk');
    change();
    disk.fill(0);

    house.fails(1, 'restore', 'mealie', '--in-place', '--yes');
    expect(stateOf(house.path('data'), [now])).toBe(now);
    expect(readdirSync(house.folder).filter((name) => name.includes('.recovery-backup-'))).toEqual([]);
    house.fails(1, 'backup', '--repository', 'disk');
    expectWholePoints(house, [then, now]);
    rmSync(house.path('state', 'ballast'));
    expectTidy(house);

    house.passes('restore', 'mealie', '--in-place', '--yes', '--at', '2100-01-01T00:00:00Z');
    house.passes('backup', '--repository', 'disk');
    expectListed(house);
    expectWholePoints(house, [then, now]);
  });

  test('under the target of a restore to a folder leaves the target as it was', () => {
    house.passes('repository', 'init', 'disk');
    house.passes('backup', '--repository', 'disk');
    const target = house.path('target');
    {
      using _ = smallDisk(target, 'size=1m');
      expect(house.fails(1, 'restore', 'mealie', '--to', target)).toMatch(/free/);
      expect(readdirSync(target)).toEqual([]);
    }
    {
      using _ = smallDisk(target, 'size=64m,nr_inodes=20'); // room for the bytes, not for the names
      expect(house.fails(1, 'restore', 'mealie', '--to', target)).toMatch(/space/i);
      expect(readdirSync(target)).toEqual([]);
    }
    house.passes('restore', 'mealie', '--to', target);
    expect(stateOf(join(target, house.path('data')), [then])).toBe(then);
    expectTidy(house);
  });

  test('under the data that are restored in place leaves them as they are', () => {
    using _ = smallDisk(house.path('live'), 'size=64m,nr_inodes=60');
    house.configure(CONFIGURATION.replace('./data', './live/data'));
    house.passes('repository', 'init', 'disk');
    cpSync(house.path('data'), house.path('live', 'data'), { recursive: true });
    house.passes('backup', '--repository', 'disk');
    change();
    house.tool('sh', '-c', 'rm -r live/data && cp -a data live/data');

    expect(house.fails(1, 'restore', 'mealie', '--in-place', '--yes')).toMatch(/space/i);
    expect(readdirSync(house.path('live'))).toEqual(['data']);
    expect(stateOf(house.path('live', 'data'), [now])).toBe(now);
    expect(house.tool('sqlite3', 'notes.db', 'select text from notes limit 1')).toBe('today 1\n');
    expect(readdirSync(house.folder).filter((name) => /recovery-backup|holdfast-restore/.test(name))).toEqual([]);

    house.tool('mount', '-o', 'remount,nr_inodes=1000', house.path('live'));
    house.passes('restore', 'mealie', '--in-place', '--yes');
    expect(stateOf(house.path('live', 'data'), [then])).toBe(then);
    expectTidy(house);
  });
});
