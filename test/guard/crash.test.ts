import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { localMountTable } from '../../src/adapters/hosts/local/mount-table.ts';
import { fileUnit } from '../operations/file-unit.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { run } from '../services/loop-disk.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { guardHouse, signal } from './house.ts';

const child = join(import.meta.dirname, 'crash.child.ts');

/** A subvolume with a snapshot of what it was, a mount of it, and a unit that runs. */
function prepare(disk: BtrfsPool): { readonly state: string; readonly point: string } & Disposable {
  const state = mkdtempSync(join(disk.beside, 'state-'));
  const point = join(state, 'point');
  const media = disk.makeSubvolume('media');
  writeFileSync(join(media, 'file'), 'then');
  run('btrfs', '-q', 'subvolume', 'snapshot', '-r', media, join(disk.path, 'snapshots', 'media-then'));
  writeFileSync(join(media, 'file'), 'now');
  mkdirSync(point);
  run('mount', '--bind', media, point);
  writeFileSync(join(state, 'unit-runs'), '');
  return {
    ...{ state, point },
    [Symbol.dispose]: () => {
      run('umount', '--quiet', point);
      const names = readdirSync(disk.path).filter((name) => name !== 'snapshots');
      const paths = [...names, join('snapshots', 'media-then')].map((name) => join(disk.path, name));
      run('btrfs', '-q', 'subvolume', 'delete', ...paths);
    },
  };
}

describe.runIf(hasBtrfs()).each([
  ['before', 'exchange'],
  ['after', 'exchange'],
  ['before', 'renames'],
])('a rollback that is killed %s a change, by %s', (moment, way) => {
  test('is wholly undone by the next start, or wholly done', async () => {
    using disk = btrfsPool();
    const seen = new Set<string>();
    for (let number = 0; ; number++) {
      using prepared = prepare(disk);
      const { state, point } = prepared;
      const ended = spawnSync(process.execPath, [child, disk.path, state, moment, `${number}`, way], {
        encoding: 'utf8',
      });
      if (ended.status === 0) break; // every change was tried
      expect(ended.signal, ended.stderr).toBe('SIGKILL');
      const file = join(disk.path, 'media', 'file');
      if (way === 'exchange') expect(['then', 'now']).toContain(readFileSync(file, 'utf8'));

      const units = new Map([['mealie.service', fileUnit(state)]]);
      const real = { snapshotter: await openAt(disk.path), mounts: localMountTable(localHost()) };
      using made = guardHouse({ folder: state, units, ...real });
      const repaired = (await made.journal.repair({ force: false }, signal)).map(({ outcome, detail }) => [
        outcome,
        detail,
      ]);
      expect(made.journal.open(), JSON.stringify(repaired)).toEqual([]);
      const done = readFileSync(file, 'utf8') === 'then';
      seen.add(`${done}`);
      expect(readFileSync(join(point, 'file'), 'utf8')).toBe(done ? 'then' : 'now');
      expect(existsSync(join(state, 'unit-runs'))).toBe(true);
      const kept = readdirSync(disk.path).filter((name) => name !== 'media' && name !== 'snapshots');
      expect(kept).toEqual(done ? [expect.stringMatching(/^media\.recovery-backup-/)] : []);
      for (const name of kept) expect(readFileSync(join(disk.path, name, 'file'), 'utf8')).toBe('now');
      const repairedForward = repaired.some(([outcome]) => outcome === 'finished');
      if (repairedForward) expect(await made.catalog.recoveries({ limit: 9 })).toMatchObject([{ outcome: 'success' }]);
    }
    expect([...seen].toSorted()).toEqual(['false', 'true']);
  }, 240_000);
});
