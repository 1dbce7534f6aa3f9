import type { BigIntStats } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, realpath, rename, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import { makeFolders } from '../../../domain/make-folders.ts';
import type { HostFiles, PathStatus } from '../../../ports/host.ts';
import { explain } from './explain.ts';
import { findHolders } from './holders.ts';
import { isWithin, parseMounts } from './mounts.ts';
import { removeTree } from './remove-tree.ts';

function typeOf(stats: BigIntStats): PathStatus['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : 'other';
}

const statusOf = (stats: BigIntStats): PathStatus => ({
  type: typeOf(stats),
  size: Number(stats.size),
  mode: Number(stats.mode & 0o7777n),
  uid: Number(stats.uid),
  gid: Number(stats.gid),
  device: stats.dev,
  inode: stats.ino,
  modifiedNs: stats.mtimeNs,
  changedNs: stats.ctimeNs,
});

/** A rename is durable only when the folders that it changed are. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

async function mountPoints(path: string): Promise<readonly string[]> {
  const mounts = parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
  return [...new Set(mounts.map(({ point }) => point))].filter((point) => isWithin(point, path));
}

/** Without this the removal of a tree would go on in what is mounted there, which may be anything. */
async function refuseMounts(path: string): Promise<void> {
  const resolved = await realpath(dirname(path)).catch(() => null);
  if (resolved === null) return; // nothing is there
  const [mount] = await mountPoints(path === '/' ? path : `${resolved}/${path.split('/').at(-1)}`);
  if (mount === undefined) return;
  throw new HoldfastError('TargetBusy', `${path} is not removed: ${mount} is a mount point.`, path, {
    hint: `Unmount it: umount ${mount}`,
  });
}

/** rename(2) between two mounts, and of a folder that comes from a lower layer of an overlay (kernel documentation,
 *  "Overlay Filesystem", renaming directories), as folders of a container's image do. */
function notRenamed(from: string, to: string, cause: Error): HoldfastError {
  const why = dirname(from) === dirname(to) ? 'its file system cannot rename it' : 'they are on two file systems';
  return new HoldfastError('Refused', `${from} cannot be renamed to ${to}: ${why}.`, from, {
    cause,
    hint: 'Restore to a folder with --to DIR, and copy from there',
  });
}

async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EXDEV') throw notRenamed(from, to, error);
    throw explain(error, error.code === 'ENOENT' ? from : to);
  });
  for (const folder of new Set([dirname(from), dirname(to)])) await syncFolder(folder);
}

/** Does it unless the signal is aborted, and says what an error number means. */
async function act<T>(path: string, signal: AbortSignal, action: () => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  try {
    return await action();
  } catch (error) {
    throw explain(error, path);
  }
}

/** Nothing can have a name that is too long. */
const NOTHING: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);

/** The paths of this machine. Paths are absolute. */
export const localFiles: HostFiles = {
  status: async (path, signal) => {
    signal.throwIfAborted();
    const stats = await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (NOTHING.has(error.code)) return null;
      throw explain(error, path);
    });
    return stats === null ? null : statusOf(stats);
  },
  realPath: (path, signal) => act(path, signal, () => realpath(path)),
  list: (path, signal) => act(path, signal, () => readdir(path)),
  makeFolder: (path, mode, signal) =>
    act(path, signal, async () => void (await makeFolders(path, mode, { mkdir, stat }))),
  rename: (from, to, signal) => act(from, signal, () => renameDurably(from, to)),
  remove: (path, signal) =>
    act(path, signal, async () => {
      await refuseMounts(path);
      await removeTree(path);
    }),
  freeBytes: (path, signal) =>
    act(path, signal, async () => {
      const { bavail, bsize } = await statfs(path, { bigint: true });
      return Number(bavail * bsize);
    }),
  mountsBelow: (path, signal) => act(path, signal, async () => mountPoints(await realpath(path))),
  holders: (path, signal) => act(path, signal, async () => findHolders(await realpath(path), signal)),
};
