import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { available } from './available.ts';
import { type LoopDisk, loopDisk, run } from './loop-disk.ts';

/** Whether a BTRFS file system can be made and mounted here: `describe.runIf(hasBtrfs())`. */
export const hasBtrfs = (): boolean => available('mkfs.btrfs') && available('btrfs') && process.getuid?.() === 0;

export interface BtrfsPool extends LoopDisk {
  makeSubvolume(name: string): string;
}

/** A BTRFS file system of its own with a folder `snapshots`. @param folder where its file is, and what is beside it */
export function btrfsPool({ quotas = false, mebibytes = 512, folder = tmpdir() } = {}): BtrfsPool {
  const disk = loopDisk('btrfs', mebibytes, folder);
  if (quotas) run('btrfs', 'quota', 'enable', disk.path);
  mkdirSync(join(disk.path, 'snapshots'));
  return {
    ...disk,
    makeSubvolume: (name) => {
      run('btrfs', '-q', 'subvolume', 'create', join(disk.path, name));
      return join(disk.path, name);
    },
  };
}
