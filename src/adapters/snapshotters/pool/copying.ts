import { HoldfastError } from '../../../domain/errors.ts';
import { isKeptState, isProvisional, timeInName } from '../../../domain/pool-names.ts';
import type { Host } from '../../../ports/host.ts';
import type { Room, Snapshotter, StoredSnapshot, SubvolumeState } from '../../../ports/snapshotter.ts';
import { makeSnapshotsFolder, readEntries, SUBVOLUME_INODE } from './folder.ts';
import { leftoversIn, momentaryName } from './leftovers.ts';
import { readPlace } from './place.ts';
import {
  byName,
  checkProvisional,
  exchangeIn,
  holds,
  inPool,
  inSnapshots,
  isSubvolumeName,
  newestFirst,
  ownerOf,
  type Pool,
  refuseSubvolume,
  refuseTaken,
  renameIn,
  snapshotMissing,
  subvolumeMissing,
} from './pool.ts';
import { tell } from './program.ts';
import { walkedDiff } from './walked-diff.ts';

/** Clearing up must work after an abort too. */
const REMOVE_LIMIT_MS = 10 * 60_000;

export interface Copying {
  readonly kind: 'reflink' | 'copy';
  /** The argument of cp(1) that says how a file's content is taken over. */
  readonly reflink: 'always' | 'auto';
}

/** Snapshots of folders that are copies of them: of a file system that shares contents, or of any. They are made under
 *  another name and renamed, so that one that is there is whole. Nothing keeps root from writing to them. */
export function copyingSnapshotter(pool: Pool, { kind, reflink }: Copying): Snapshotter {
  const { host } = pool;

  async function isFolder(path: string, signal: AbortSignal): Promise<boolean> {
    return (await host.files.status(path, signal))?.type === 'directory';
  }

  async function subvolumeAt(name: string | null, signal: AbortSignal): Promise<string> {
    if (name === null) throw notWhole(pool);
    const path = inPool(pool, name);
    if (await isFolder(path, signal)) return path;
    const there = (await host.files.status(path, signal)) !== null;
    throw subvolumeMissing(pool, name, there ? 'is no folder' : 'does not exist');
  }

  async function snapshotAt(name: string, signal: AbortSignal): Promise<string> {
    const path = inSnapshots(pool, name);
    if (!isProvisional(name) && (await isFolder(path, signal))) return path;
    const kept = inPool(pool, name);
    if (isKeptState(name) && (await isFolder(kept, signal))) return kept;
    throw snapshotMissing(pool, name);
  }

  /** Copies a folder, whole, to a path at which nothing is; what is mounted in it stays out. What is made for the moment
   *  need not outlive a power cut, and its units wait for it. */
  async function copy(from: string, to: string, durable: boolean, signal: AbortSignal): Promise<void> {
    const argv = [
      'cp',
      '--archive',
      '--one-file-system',
      `--reflink=${reflink}`,
      '--no-target-directory',
      '--',
    ] as const;
    try {
      await tell(host, [...argv, from, to], to, signal);
      if (durable) await tell(host, ['sync', '--file-system', to], to, signal);
    } catch (error) {
      await host.files.remove(to, AbortSignal.timeout(REMOVE_LIMIT_MS));
      throw error;
    }
  }

  async function subvolumes(signal: AbortSignal): Promise<readonly string[]> {
    const entries = await readEntries(host, pool.path, signal);
    return entries.map(({ name }) => name).filter((name) => name !== 'lost+found' && isSubvolumeName(pool, name));
  }

  async function examine(name: string | null, signal: AbortSignal): Promise<SubvolumeState> {
    if (name === null) throw notWhole(pool);
    const path = inPool(pool, name);
    const status = await host.files.status(path, signal);
    const exists = status?.type === 'directory';
    const [nested, place] = await Promise.all([
      exists ? nestedIn(pool, path, signal) : [],
      readPlace(host, pool.path, signal),
    ]);
    const identity = exists ? `${status.inode}` : null;
    return { path, exists, identity, nested, readOnlyPool: place.readOnly };
  }

  async function list(signal: AbortSignal): Promise<readonly StoredSnapshot[]> {
    const [inPoolFolder, inSnapshotsFolder] = await Promise.all([
      readEntries(host, pool.path, signal),
      readEntries(host, pool.snapshotsPath, signal),
    ]);
    const present = inPoolFolder.map(({ name }) => name).filter((name) => isSubvolumeName(pool, name));
    const open = { readOnly: false, exclusiveBytes: null };
    const kept = inPoolFolder.filter(({ name }) => isKeptState(name) && !isProvisional(name));
    const snapshots = inSnapshotsFolder.filter(({ name }) => !isProvisional(name));
    return [
      ...kept.map(({ name, path, bornAt }) => ({
        ...byName(pool, name, present, bornAt),
        path,
        ...open,
        kind: 'kept-state' as const,
      })),
      ...snapshots.map(({ name, path, bornAt }) => ({
        ...byName(pool, name, present, bornAt),
        path,
        ...open,
        kind: 'snapshot' as const,
      })),
    ].toSorted(newestFirst);
  }

  /** What a kill left behind of copies that were being made or removed. */
  async function clear(folder: string, signal: AbortSignal): Promise<void> {
    for (const left of await leftoversIn(pool, folder, signal)) await host.files.remove(left, signal);
  }

  /** Takes a folder away from under its name at once, so that no half of it is ever seen. */
  async function discard(path: string, folder: string, signal: AbortSignal): Promise<void> {
    const mounts = await host.files.mountsBelow(path, signal);
    if (mounts.length > 0) await host.files.remove(path, signal); // refuses, and says what is mounted
    const removed = `${folder}/${momentaryName('removed')}`;
    await host.files.rename(path, removed, signal);
    await host.files.remove(removed, signal);
    await clear(folder, signal);
  }

  return {
    pool: pool.name,
    path: pool.path,
    snapshotsPath: pool.snapshotsPath,
    kind,
    capabilities: { instant: false, whole: false, atomic: pool.exchange !== null, generations: false, readOnly: false },
    subvolumes,
    examine,
    list,
    holds: (name, signal) => holds(pool, name, signal),
    find: async (name, signal) => (await list(signal)).find((one) => one.name === name) ?? null,
    room: (signal) => roomIn(host, pool.path, signal),
    snapshot: async (subvolume, name, signal) => {
      const path = inSnapshots(pool, name);
      const from = await subvolumeAt(subvolume, signal);
      await makeSnapshotsFolder(host, pool.snapshotsPath, signal);
      await refuseTaken(pool, path, signal);
      await clear(pool.snapshotsPath, signal);
      const provisional = inSnapshots(pool, momentaryName('making'));
      await copy(from, provisional, !isProvisional(name), signal);
      await host.files.rename(provisional, path, signal);
      const born = async () => (await list(signal)).find((one) => one.path === path)?.madeAt;
      const madeAt = timeInName(name, pool.zone) ?? (await born());
      if (madeAt === undefined) throw snapshotMissing(pool, name);
      return { name, path, kind: 'snapshot', subvolume, madeAt, readOnly: false, exclusiveBytes: null };
    },
    materialize: async (snapshot, provisional, signal) => {
      checkProvisional(provisional);
      const from = await snapshotAt(snapshot, signal);
      const to = inPool(pool, provisional);
      await refuseTaken(pool, to, signal);
      await copy(from, to, true, signal);
    },
    exchange: (left, right, signal) => exchangeIn(pool, left, right, signal),
    rename: (from, to, signal) => renameIn(pool, from, to, signal),
    moveNested: async (nested, from, to, signal) => {
      signal.throwIfAborted();
      const [first] = nested;
      // a mount cannot be moved by a rename, and a subvolume in a folder has no place of its own in its copy
      if (first !== undefined) throw subvolumeMissing(pool, `${from}/${first}`, `cannot be moved to ${to}`);
    },
    remove: async (name, signal) => {
      const snapshot = inSnapshots(pool, name);
      if (await isFolder(snapshot, signal)) return await discard(snapshot, pool.snapshotsPath, signal);
      const path = inPool(pool, name);
      if ((await host.files.status(path, signal)) === null) return await clear(pool.snapshotsPath, signal);
      refuseSubvolume(pool, name);
      await subvolumeAt(name, signal);
      await discard(path, pool.path, signal);
    },
    diff: async function* (from, to, signal, subvolume) {
      const before = await snapshotAt(from, signal);
      const owner = async () => subvolume ?? ownerOf(pool, from, await subvolumes(signal));
      const after = to === null ? await subvolumeAt(await owner(), signal) : await snapshotAt(to, signal);
      yield* walkedDiff(host, before, after, signal);
    },
  };
}

/** A copy of the folder would lie in the folder that is copied. */
const notWhole = ({ name, path }: Pool): HoldfastError =>
  new HoldfastError('Unsupported', `A snapshot of ${path} itself would be a copy of it inside of it.`, name);

/** What a copy does not hold: mounts, and BTRFS subvolumes inside a folder. Relative to it. */
async function nestedIn({ host, fileSystem }: Pool, path: string, signal: AbortSignal): Promise<readonly string[]> {
  const below = (all: readonly string[]): string[] => all.filter((one) => one !== path);
  const mounts = below(await host.files.mountsBelow(path, signal));
  if (fileSystem !== 'btrfs') return mounts.map((mount) => mount.slice(path.length + 1)).sort();
  const argv = [
    'find',
    path,
    '-xdev',
    '-mindepth',
    '1',
    '-type',
    'd',
    '-inum',
    `${SUBVOLUME_INODE}`,
    '-print0',
  ] as const;
  const found = (await tell(host, argv, path, signal)).split('\0').filter((one) => one !== '');
  return [...new Set([...mounts, ...found])].map((one) => one.slice(path.length + 1)).sort();
}

/** statfs(2), by stat(1): of the blocks that an account that is not root may use. */
async function roomIn(host: Host, path: string, signal: AbortSignal): Promise<Room> {
  const printed = await tell(host, ['stat', '--file-system', '--format', '%a %b %S', '--', path], path, signal);
  const [available = 0, all = 0, size = 0] = printed.trim().split(' ').map(Number);
  return { freeShare: all > 0 ? available / all : 0, freeBytes: available * size };
}
