import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { localMountTable } from '../../src/adapters/hosts/local/mount-table.ts';
import { guard } from '../../src/operations/guard.ts';
import { rollback } from '../../src/operations/rollback.ts';
import { planRollback } from '../../src/operations/rollback-plan.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { LET_GO, run } from '../services/loop-disk.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { type GuardHouse, guardHouse, signal } from './house.ts';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
});

const SLEEP = 'mv "$1" "$2"; exec sleep 600';

/** A process of nobody: not a child of this one, as those are never in the way. It does `script`, then `stay`, which moves
 *  the file "$1" with its PID to "$2". Answers with the PID. */
async function stranger(folder: string, script: string, stay: string): Promise<number> {
  const ready = join(folder, 'ready');
  // setsid --fork: the shell that is left has no parent here
  const shell = ['sh', '-c', `${script}; echo $$ > "$1"; ${stay}`, 'sh', `${ready}~`, ready];
  const child = spawn('setsid', ['--fork', ...shell]);
  await once(child, 'exit');
  await expect.poll(() => existsSync(ready), { timeout: 10_000 }).toBe(true);
  return Number(readFileSync(ready, 'utf8'));
}

/** A process with a mount namespace of its own, in which `mount` was done. */
async function seenByOthers(disk: BtrfsPool, mount: string, environment: Readonly<Record<string, string>>) {
  const [point, ready] = [join(disk.beside, 'private'), join(disk.beside, 'ready')];
  const script = `own=$4; mount --make-rprivate /; ${LET_GO}; mkdir "$1"; ${mount}; touch "$3"; exec sleep 600`;
  const device = run('findmnt', '-no', 'SOURCE', disk.path);
  const args = ['sh', '-c', script, 'sh', point, join(disk.path, 'media'), ready, device];
  const child = spawn('unshare', ['--mount', 'setsid', ...args], { env: { ...process.env, ...environment } });
  children.push(child);
  await expect.poll(() => existsSync(ready), { timeout: 10_000 }).toBe(true);
  return { point, child };
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

  const back = async ({ context }: GuardHouse, name: string | null) => {
    const wanted = { what: { snapshot: name ?? '' }, withDependencies: false };
    const plan = await planRollback(wanted, context, signal);
    return rollback(plan, { reason: 'manual-recovery', expected: null, startAgain: null }, context, signal);
  };
  /** Neither a guard that would take back starts its command, nor does a rollback by hand change anything. */
  async function refusesBoth(made: GuardHouse, disk: BtrfsPool, inTheWay: string): Promise<void> {
    let started = false;
    const command = async () => {
      started = true;
      return change(disk)();
    };
    const busy = { code: 'TargetBusy', message: expect.stringContaining(inTheWay) };
    await expect(guard(request, command, made.context, signal)).rejects.toMatchObject(busy);
    expect([started, readdirSync(join(disk.path, 'snapshots'))]).toEqual([false, []]);
    const without = { ...request, autoRollback: false, execute: false };
    const { snapshot } = await guard(without, command, made.context, signal);
    await expect(back(made, snapshot)).rejects.toMatchObject(busy);
    expect(readdirSync(disk.path).toSorted()).toEqual(['media', 'snapshots']);
    expect([read(disk.path, 'media', 'file'), made.journal.open()]).toEqual(['then', []]);
  }

  // of each only this one thing is on the subvolume
  const holding: readonly [string, string, string][] = [
    ['an open file', 'exec 3< media/file', SLEEP],
    ['an open file that is removed', 'echo > media/gone; exec 3< media/gone; rm media/gone', SLEEP],
    ['its working folder', 'cd media/folder', SLEEP],
    [
      'its root',
      ':',
      `exec perl -e 'chroot "media/folder" or die; rename $ARGV[0], $ARGV[1]; sleep 600' ../beside/ready~ ../beside/ready`,
    ],
    ['its program', 'cp "$(command -v sleep)" media/program', 'mv "$1" "$2"; exec media/program 600'],
  ];
  test.each(holding)('a process with %s there is in the way, by name', async (_, script, stay) => {
    await withPool(async (made, disk) => {
      const pid = await stranger(disk.beside, `cd "${disk.path}"; ${script}`, stay);
      try {
        const own = async () => (await readlink(`/proc/${pid}/exe`)).split('/').at(-1) ?? '';
        await expect.poll(own, { timeout: 10_000 }).toMatch(/^(sleep|perl|program)$/);
        await refusesBoth(made, disk, `process ${pid} (${await own()})`);
      } finally {
        process.kill(pid, 'SIGKILL');
        await expect.poll(() => existsSync(`/proc/${pid}/root`), { timeout: 10_000 }).toBe(false);
      }
    });
  });

  const elsewhere: readonly [string, string][] = [
    ['a bind mount', 'mount --bind "$2" "$1"'],
    ['a subvol= mount', 'mount -o subvol=media "$4" "$1"'],
    ['a mount of a part', 'mount --bind "$2/folder" "$1"'],
  ];
  test.each(elsewhere)(
    '%s that only another mount namespace sees is in the way, by its place and who sees it',
    async (_, mount) => {
      await withPool(async (made, disk) => {
        const { point, child } = await seenByOthers(disk, mount, {});
        await refusesBoth(made, disk, `a mount at ${point} that process ${child.pid} (`);
      });
    },
  );

  test('what a drill sees of the mounts of the machine is in nobody’s way', async () => {
    await withPool(async (made, disk) => {
      await seenByOthers(disk, 'mount --bind "$2" "$1"', { HOLDFAST_SCRATCH: '/var/tmp/holdfast-drill-one' });
      const guarded = await guard(request, change(disk), made.context, signal);
      expect(guarded).toMatchObject({ outcome: 'rolled_back', rollback: { outcome: 'success' } });
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
