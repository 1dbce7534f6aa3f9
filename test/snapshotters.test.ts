import { describe } from 'vitest';
import { systemClock } from '../src/process/clock.ts';
import { type SnapshotterFixture, snapshotterContract } from './contracts/snapshotter.ts';
import { memorySnapshotter } from './fakes/snapshotter.ts';
import { hasBtrfs } from './services/btrfs.ts';
import { loopDisk, run } from './services/loop-disk.ts';
import { poolFixture } from './services/snapshotter-fixture.ts';

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
