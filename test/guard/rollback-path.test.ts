import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planPathRollback, rollbackPath } from '../../src/operations/rollback-path.ts';
import { createSnapshots } from '../../src/operations/snapshot.ts';
import { btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { type GuardHouse, guardHouse, signal } from './house.ts';

const takeBack = async (...[request, context, stop]: Parameters<typeof planPathRollback>) =>
  rollbackPath(await planPathRollback(request, context, stop), context, stop);

async function withSnapshot(work: (made: GuardHouse, media: string, snapshot: string) => Promise<void>): Promise<void> {
  using disk = btrfsPool();
  const media = disk.makeSubvolume('media');
  mkdirSync(join(media, 'folder'));
  writeFileSync(join(media, 'folder', 'inner'), 'then');
  writeFileSync(join(media, 'other'), 'then');
  using made = guardHouse({ snapshotter: await openAt(disk.path) });
  made.settings({ minFree: 0 });
  const [snapshot] = await createSnapshots({ subvolumes: ['media'], label: null }, made.context, signal);
  await work(made, media, snapshot?.name ?? '');
}

describe.runIf(hasBtrfs())('one path of a snapshot', () => {
  test('is taken back alone, and its present state is kept beside it', async () => {
    await withSnapshot(async (made, media, snapshot) => {
      writeFileSync(join(media, 'folder', 'inner'), 'now');
      writeFileSync(join(media, 'other'), 'now');
      made.declare('media', { units: [{ systemd: 'a.service' }] });
      made.unit('a.service');
      const plan = await planPathRollback({ snapshot, path: '/folder' }, made.context, signal);
      expect(plan).toMatchObject({ path: join(media, 'folder'), units: [{ running: true }] });
      expect(readFileSync(join(media, 'folder', 'inner'), 'utf8')).toBe('now');
      const done = await rollbackPath(plan, made.context, signal);
      expect(done.kept).toBe(plan.kept);
      expect(readFileSync(join(media, 'folder', 'inner'), 'utf8')).toBe('then');
      expect(readFileSync(join(media, 'other'), 'utf8')).toBe('now');
      expect(readFileSync(join(done.kept ?? '', 'inner'), 'utf8')).toBe('now');
      expect(made.calls).toEqual(['stop a.service', 'start a.service: a.service']);
      expect(await made.catalog.recoveries({ limit: 1 })).toMatchObject([{ outcome: 'success', restored: snapshot }]);
    });
  });

  test('is refused when it leads out of the subvolume, through a link, or is not there', async () => {
    await withSnapshot(async (made, media, snapshot) => {
      symlinkSync('/etc', join(media, 'link'));
      const take = (path: string) => takeBack({ snapshot, path }, made.context, signal);
      await expect(take('../media')).rejects.toMatchObject({ code: 'Usage' });
      await expect(take('nowhere')).rejects.toMatchObject({
        code: 'PathNotFound',
        hint: expect.stringContaining('ls '),
      });
      await expect(take('')).rejects.toMatchObject({ code: 'Usage' });
      const [later] = await createSnapshots({ subvolumes: ['media'], label: 'l' }, made.context, signal);
      const linked = takeBack({ snapshot: later?.name ?? '', path: 'link/hostname' }, made.context, signal);
      await expect(linked).rejects.toMatchObject({ code: 'Refused' });
      expect(made.journal.open()).toEqual([]);
    });
  });

  test('stays as it is while somebody else has it open', async () => {
    await withSnapshot(async (made, media, snapshot) => {
      made.mounts.at.set(join(media, 'folder'), { occupants: [{ pid: 42, name: 'vim' }] });
      writeFileSync(join(media, 'folder', 'inner'), 'now');
      const taken = takeBack({ snapshot, path: 'folder' }, made.context, signal);
      await expect(taken).rejects.toMatchObject({ code: 'TargetBusy' });
      expect(readFileSync(join(media, 'folder', 'inner'), 'utf8')).toBe('now');
    });
  });

  test('keeps its present state until that time is over, and only what was recorded goes then', async () => {
    await withSnapshot(async (made, media, snapshot) => {
      const first = await takeBack({ snapshot, path: 'folder' }, made.context, signal);
      mkdirSync(join(media, 'folder.recovery-backup-20200101-000000'));
      made.clock.advance({ hours: 29 * 24 });
      const second = await takeBack({ snapshot, path: 'folder' }, made.context, signal);
      expect(existsSync(first.kept ?? '')).toBe(true);
      made.clock.advance({ hours: 2 * 24 });
      const third = await takeBack({ snapshot, path: 'other' }, made.context, signal);
      const there = [first, second, third].map(({ kept }) => existsSync(kept ?? ''));
      expect(there).toEqual([false, true, true]);
      expect(existsSync(join(media, 'folder.recovery-backup-20200101-000000'))).toBe(true);
    });
  });
});
