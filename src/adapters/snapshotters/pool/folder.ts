import { lstat } from 'node:fs/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import { checkPoolName } from '../../../domain/pool-names.ts';
import type { Host } from '../../../ports/host.ts';
import { tell } from './program.ts';

/** The root of every BTRFS subvolume has this inode: BTRFS_FIRST_FREE_OBJECTID of the on-disk format. */
export const SUBVOLUME_INODE = 256n;

/** A folder directly in a pool or in its snapshots folder. */
export interface Entry {
  readonly name: string;
  readonly path: string;
  readonly inode: bigint;
  /** When the file system made it, else when it was last changed. */
  readonly bornAt: Temporal.Instant;
}

const FORMAT = '%i %B@ %T@ %f\\0';

/** Seconds with a fraction, or nothing where the file system keeps no time of birth. */
const instant = (seconds: string | undefined): Temporal.Instant | null => {
  const milliseconds = Number(seconds) * 1000;
  return milliseconds > 0 ? Temporal.Instant.fromEpochMilliseconds(Math.trunc(milliseconds)) : null;
};

/** The folders directly in a folder, no symbolic links, in the order of names. Those whose names Holdfast cannot take are
 *  left out. Nothing when the folder is missing. */
export async function readEntries(host: Host, folder: string, signal: AbortSignal): Promise<readonly Entry[]> {
  if ((await host.files.status(folder, signal)) === null) return [];
  if (host.capabilities.localPaths) return readLocalEntries(host, folder, signal);
  const argv = ['find', folder, '-mindepth', '1', '-maxdepth', '1', '-type', 'd', '-printf', FORMAT] as const;
  const printed = await tell(host, argv, folder, signal);
  return printed
    .split('\0')
    .flatMap((line) => {
      const [, inode, born, changed, name] = /^(\d+) (\S*) (\S+) (.*)$/s.exec(line) ?? [];
      if (inode === undefined || name === undefined || !isUsable(name)) return [];
      const bornAt = instant(born) ?? instant(changed) ?? Temporal.Instant.fromEpochMilliseconds(0);
      return [{ name, path: `${folder}/${name}`, inode: BigInt(inode), bornAt }];
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** As `find` would tell it, without starting it. */
async function readLocalEntries(host: Host, folder: string, signal: AbortSignal): Promise<readonly Entry[]> {
  const names = (await host.files.list(folder, signal)).filter(isUsable);
  const found = await Promise.all(
    names.map(async (name): Promise<readonly Entry[]> => {
      const path = `${folder}/${name}`;
      const status = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null; // removed since the folder was read
        throw error;
      });
      if (status?.isDirectory() !== true) return [];
      const bornMs = Number(status.birthtimeMs > 0n ? status.birthtimeMs : status.mtimeMs);
      return [{ name, path, inode: status.ino, bornAt: Temporal.Instant.fromEpochMilliseconds(bornMs) }];
    }),
  );
  return found.flat().toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The folders directly in a folder, as {@link readEntries}, without when they were made. */
export async function readFolders(
  host: Host,
  folder: string,
  signal: AbortSignal,
): Promise<readonly Pick<Entry, 'name' | 'inode'>[]> {
  const names = (await host.files.list(folder, signal)).filter(isUsable);
  const found = await Promise.all(
    names.map(async (name) => ({ name, status: await host.files.status(`${folder}/${name}`, signal) })),
  );
  return found
    .flatMap(({ name, status }) => (status?.type === 'directory' ? [{ name, inode: status.inode }] : []))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function isUsable(name: string): boolean {
  try {
    return checkPoolName(name) === name && !name.includes('\uFFFD');
  } catch {
    return false;
  }
}

/** Makes the snapshots folder when it is missing. It must be where its name says: a symbolic link on the way would lead
 *  out of the pool. @throws PoolUnusable */
export async function makeSnapshotsFolder(host: Host, path: string, signal: AbortSignal): Promise<void> {
  // only root may look into it: what is in a snapshot may since have been closed to others
  if ((await host.files.status(path, signal)) === null) await host.files.makeFolder(path, 0o700, signal);
  await checkSnapshotsFolder(host, path, signal);
}

/** @throws PoolUnusable when it leads elsewhere; one that is missing does not */
export async function checkSnapshotsFolder(host: Host, path: string, signal: AbortSignal): Promise<void> {
  if ((await host.files.status(path, signal)) === null) return;
  const real = await host.files.realPath(path, signal);
  if (real === path) return;
  throw new HoldfastError('PoolUnusable', `The snapshots folder ${path} leads to ${real}, out of its place.`, path, {
    hint: 'Make it a folder, or name another one with `snapshots` in the pool',
  });
}
