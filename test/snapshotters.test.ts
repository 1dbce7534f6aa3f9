import { mkdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../src/process/clock.ts';
import { type SnapshotterFixture, snapshotterContract } from './contracts/snapshotter.ts';
import { memorySnapshotter } from './fakes/snapshotter.ts';
import { available } from './services/available.ts';
import { hasBtrfs } from './services/btrfs.ts';
import { canMount, type LoopDisk, loopDisk, run, temporaryDisk } from './services/loop-disk.ts';
import { copyByHand, openAt, poolFixture } from './services/snapshotter-fixture.ts';

async function memory(options: { readonly atomic?: boolean } = {}): Promise<SnapshotterFixture> {
  const snapshotter = memorySnapshotter({ clock: systemClock, ...options });
  return {
    snapshotter,
    makeSubvolume: async (name, files) => snapshotter.addSubvolume(name, files),
    makeByHand: async (subvolume, name) => snapshotter.addSnapshot(name, snapshotter.files(subvolume) ?? {}),
    write: async (name, path, content) => snapshotter.write(name, path, content),
    removeFile: async (name, path) => snapshotter.removeFile(name, path),
    files: async (name) => snapshotter.files(name),
    [Symbol.asyncDispose]: async () => {},
  };
}

snapshotterContract('in memory', memory);
snapshotterContract('in memory, without an exchange', () => memory({ atomic: false }));

describe.runIf(hasBtrfs())('needs btrfs', () => {
  const btrfs = (quotas: boolean) => async () => {
    const disk = loopDisk('btrfs');
    if (quotas) run('btrfs', 'quota', 'enable', disk.path);
    const make = (path: string) => void run('btrfs', '-q', 'subvolume', 'create', path);
    const byHand = (from: string, to: string) => void run('btrfs', '-q', 'subvolume', 'snapshot', '-r', from, to);
    return await poolFixture(disk.path, make, byHand, () => disk[Symbol.dispose]());
  };
  snapshotterContract('btrfs', btrfs(false));
  snapshotterContract('btrfs with quotas', btrfs(true));
});

const folder = (path: string): void => mkdirSync(path);
const copies = (disk: () => LoopDisk) => async () => {
  const made = disk();
  return await poolFixture(made.path, folder, copyByHand, () => made[Symbol.dispose]());
};

describe.runIf(canMount())('needs to mount', () => {
  snapshotterContract('copy on tmpfs', copies(temporaryDisk));

  test('where no file system shares contents, snapshots are copies', async () => {
    using disk = temporaryDisk();
    const { kind, capabilities } = await openAt(disk.path);
    expect({ kind, capabilities }).toEqual({
      kind: 'copy',
      capabilities: { instant: false, whole: false, atomic: true, generations: false, readOnly: false },
    });
  });
});

describe.runIf(canMount() && available('mkfs.ext4'))('needs mkfs.ext4', () => {
  snapshotterContract(
    'copy on ext4',
    copies(() => loopDisk('ext4', 64)),
  );
});

describe.runIf(canMount() && available('mkfs.xfs'))('needs mkfs.xfs', () => {
  snapshotterContract(
    'reflink on XFS',
    copies(() => loopDisk('xfs', 320)),
  );

  test('on XFS a snapshot shares the contents of its files with them', async () => {
    using disk = loopDisk('xfs', 320);
    mkdirSync(`${disk.path}/media`);
    run('dd', 'if=/dev/urandom', `of=${disk.path}/media/film`, 'bs=1M', 'count=60', 'status=none');
    const snapshotter = await openAt(disk.path);
    expect(snapshotter.kind).toBe('reflink');
    const free = (): number => Number(run('stat', '-f', '-c', '%a', disk.path)) * 4096;
    const before = free();
    const { path } = await snapshotter.snapshot('media', 'media-1', AbortSignal.timeout(60_000));
    expect(run('cmp', `${disk.path}/media/film`, `${path}/film`)).toBe('');
    expect(before - free()).toBeLessThan(4 * 1024 ** 2);
  });
});

describe.runIf(hasBtrfs())('needs btrfs for folders', () => {
  snapshotterContract('reflink of folders on BTRFS', async () => {
    const disk = loopDisk('btrfs');
    return await poolFixture(disk.path, folder, copyByHand, () => disk[Symbol.dispose](), { kind: 'reflink' });
  });
});
