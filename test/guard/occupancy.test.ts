import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { localMountTable } from '../../src/adapters/hosts/local/mount-table.ts';
import { guard } from '../../src/operations/guard.ts';
import { rollback } from '../../src/operations/rollback.ts';
import { planRollback } from '../../src/operations/rollback-plan.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { run } from '../services/loop-disk.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { type GuardHouse, guardHouse, signal } from './house.ts';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});

/** A process of nobody: not a child of this one, as those are never in the way. Answers with its PID. */
async function stranger(folder: string, script: string): Promise<number> {
  const ready = join(folder, 'ready');
  // setsid --fork: the shell that is left has no parent here
  const child = spawn('setsid', [
    '--fork',
    'sh',
    '-c',
    `${script}; echo $$ > "$1"; mv "$1" "$2"; exec sleep 600`,
    'sh',
    `${ready}~`,
    ready,
  ]);
  await once(child, 'exit');
  await expect.poll(() => existsSync(ready), { timeout: 10_000 }).toBe(true);
  return Number(readFileSync(ready, 'utf8'));
}

async function withPool(work: (made: GuardHouse, disk: BtrfsPool) => Promise<void>): Promise<void> {
  using disk = btrfsPool();
  const media = disk.makeSubvolume('media');
  writeFileSync(join(media, 'file'), 'then');
  mkdirSync(join(media, 'folder'));
  writeFileSync(join(media, 'folder', 'inner'), 'then');
  using made = guardHouse({ snapshotter: await openAt(disk.path), mounts: localMountTable(localHost()) });
  made.settings({ minFree: 0 });
  await work(made, disk);
}

const change = (disk: BtrfsPool) => async () => {
  writeFileSync(join(disk.path, 'media', 'file'), 'now');
  return { exitCode: 1, interrupted: null };
};

const request = { subvolume: 'media', operation: 'x', autoRollback: true, when: null, execute: true } as const;

const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

describe.runIf(hasBtrfs())('on a real BTRFS file system', () => {
  test('a failed command is taken back, and the failed state is kept', async () => {
    await withPool(async (made, disk) => {
      const report = await guard(request, change(disk), made.context, signal);
      expect(report).toMatchObject({ outcome: 'rolled_back', exitCode: 2 });
      expect(read(disk.path, 'media', 'file')).toBe('then');
      expect(read(report.rollback?.replaced[0]?.kept ?? '', 'file')).toBe('now');
      expect(run('btrfs', 'property', 'get', join(disk.path, 'media'), 'ro')).toBe('ro=false');
      expect(readdirSync(disk.path).filter((name) => name.startsWith('.holdfast'))).toEqual([]);
    });
  });

  test('bind mounts, subvol= mounts and mounts of a part show the restored data, with their options', async () => {
    await withPool(async (made, disk) => {
      const points = ['bind', 'subvol', 'part'].map((name) => join(disk.beside, name));
      for (const point of points) mkdirSync(point);
      const [bind = '', subvol = '', part = ''] = points;
      const device = run('findmnt', '-no', 'SOURCE', disk.path);
      try {
        run('mount', '--bind', join(disk.path, 'media'), bind);
        run('mount', '-o', 'remount,bind,ro', bind);
        run('mount', '-o', 'subvol=media', device, subvol);
        run('mount', '--bind', join(disk.path, 'media', 'folder'), part);
        const report = await guard(
          request,
          async () => {
            writeFileSync(join(disk.path, 'media', 'folder', 'inner'), 'now');
            return change(disk)();
          },
          made.context,
          signal,
        );
        expect(report).toMatchObject({ outcome: 'rolled_back', exitCode: 2 });
        expect([read(bind, 'file'), read(subvol, 'file'), read(part, 'inner')]).toEqual(['then', 'then', 'then']);
        expect(run('findmnt', '-no', 'OPTIONS', bind).split(',')).toContain('ro');
        expect(run('findmnt', '-no', 'OPTIONS', subvol).split(',')).toContain('rw');
        for (const point of points) expect(run('findmnt', '-no', 'TARGET', point).split('\n')).toHaveLength(1);
      } finally {
        for (const point of points) run('umount', '--recursive', '--quiet', point);
      }
    });
  });

  const holding: readonly [string, string][] = [
    ['an open file', 'exec 3< media/file'],
    ['its working folder', 'cd media/folder'],
  ];
  test.each(holding)('a process with %s there keeps the command from being started, by name', async (_, script) => {
    await withPool(async (made, disk) => {
      const pid = await stranger(disk.beside, `cd "${disk.path}"; ${script}`);
      try {
        let started = false;
        const command = async () => {
          started = true;
          return change(disk)();
        };
        const refused = guard(request, command, made.context, signal);
        await expect(refused).rejects.toMatchObject({ code: 'TargetBusy', message: expect.stringContaining(`${pid}`) });
        expect(started).toBe(false);
        expect(readdirSync(join(disk.path, 'snapshots'))).toEqual([]);
      } finally {
        process.kill(pid, 'SIGKILL');
      }
    });
  });

  test('a mount that only another mount namespace sees refuses a rollback, by the name of who sees it', async () => {
    await withPool(async (made, disk) => {
      const { snapshot } = await guard({ ...request, execute: false }, change(disk), made.context, signal);
      const ready = join(disk.beside, 'ready');
      const script = `mount --make-rprivate /; mkdir "$1"; mount --bind "$2" "$1"; touch "$3"; exec sleep 600`;
      const point = join(disk.beside, 'private');
      const child = spawn('unshare', [
        '--mount',
        'setsid',
        'sh',
        '-c',
        script,
        'sh',
        point,
        join(disk.path, 'media'),
        ready,
      ]);
      children.push(child);
      await expect.poll(() => existsSync(ready), { timeout: 10_000 }).toBe(true);
      const plan = await planRollback(
        { what: { snapshot: snapshot ?? '' }, withDependencies: false },
        made.context,
        signal,
      );
      const options = { reason: 'manual-recovery', expected: null, startAgain: null } as const;
      const refused = rollback(plan, options, made.context, signal);
      await expect(refused).rejects.toMatchObject({ code: 'TargetBusy', message: expect.stringContaining(point) });
      expect(readdirSync(disk.path).toSorted()).toEqual(['media', 'snapshots']);
    });
  });

  test('another file system mounted inside refuses', async () => {
    await withPool(async (made, disk) => {
      run('mount', '-t', 'tmpfs', 'tmpfs', join(disk.path, 'media', 'folder'));
      const refused = guard(request, change(disk), made.context, signal);
      await expect(refused).rejects.toMatchObject({
        code: 'TargetBusy',
        message: expect.stringContaining('media/folder'),
      });
    });
  });

  test('a state, catalog or repository on the guarded subvolume refuses, also through a bind mount', async () => {
    await withPool(async (made, disk) => {
      const own = join(disk.path, 'media', 'folder', 'not-yet-made');
      const context = { ...made.context, ownPaths: [own] };
      const refused = guard({ ...request, autoRollback: false }, change(disk), context, signal);
      await expect(refused).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining(own) });
      const bind = join(disk.beside, 'bind');
      mkdirSync(bind);
      run('mount', '--bind', join(disk.path, 'media', 'folder'), bind);
      try {
        const through = guard(
          { ...request, autoRollback: false },
          change(disk),
          { ...context, ownPaths: [bind] },
          signal,
        );
        await expect(through).rejects.toMatchObject({ code: 'Refused' });
      } finally {
        run('umount', bind);
      }
    });
  });
});
