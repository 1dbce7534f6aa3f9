import { access, constants } from 'node:fs/promises';
import { isKeptState, isProvisional, subvolumeOf, timeInName } from '../../../domain/pool-names.ts';
import type { Room, StoredSnapshot, SubvolumeState } from '../../../ports/snapshotter.ts';
import { type Entry, readEntries, readFolders, SUBVOLUME_INODE } from '../pool/folder.ts';
import { readPlace } from '../pool/place.ts';
import { byName, inPool, inSnapshots, isSubvolumeName, newestFirst, type Pool } from '../pool/pool.ts';
import { ask, tell } from '../pool/program.ts';
import * as args from './args.ts';
import { parseList, parseQuotas, parseShow, parseUsage } from './parse.ts';

export async function isSubvolume(pool: Pool, path: string, signal: AbortSignal): Promise<boolean> {
  const status = await pool.host.files.status(path, signal);
  return status?.type === 'directory' && status.inode === SUBVOLUME_INODE;
}

export async function roomIn(pool: Pool, signal: AbortSignal): Promise<Room> {
  const room = parseUsage(await tell(pool.host, args.usage(pool.path), pool.path, signal));
  return room ?? { freeShare: 0, freeBytes: 0 };
}

export async function examine(pool: Pool, name: string | null, signal: AbortSignal): Promise<SubvolumeState> {
  const path = name === null ? pool.path : inPool(pool, name);
  const exists = await isSubvolume(pool, path, signal);
  const [itself, place] = await Promise.all([
    exists ? lookAt(pool, path, signal) : null,
    readPlace(pool.host, pool.path, signal),
  ]);
  const { identity, nested } = itself ?? { identity: null, nested: [] };
  return { path, exists, identity, nested, readOnlyPool: place.readOnly };
}

/** What no list names: BTRFS_FS_TREE_OBJECTID of the on-disk format. */
const TOP_LEVEL = { id: '5', uuid: 'top level' };

/** A subvolume's UUID, and what lies directly in it: one list, since a program costs more than its lines. */
export async function lookAt(
  pool: Pool,
  path: string,
  signal: AbortSignal,
): Promise<Pick<SubvolumeState, 'identity' | 'nested'>> {
  const [printed, { inside }] = await Promise.all([
    tell(pool.host, args.all(path), path, signal),
    readPlace(pool.host, path, signal),
  ]);
  const listed = parseList(printed);
  const own = inside === '' ? TOP_LEVEL : listed.find((one) => one.path === inside);
  if (own === undefined) throw new TypeError(`btrfs subvolume list does not name ${inside}:\n${printed}`);
  const nested = listed
    .filter(({ top }) => top === own.id)
    .map((one) => one.path.slice(inside === '' ? 0 : inside.length + 1));
  return { identity: own.uuid, nested: nested.sort() };
}

const areSubvolumes = <Folder extends { readonly inode: bigint }>(folders: readonly Folder[]): readonly Folder[] =>
  folders.filter(({ inode }) => inode === SUBVOLUME_INODE);

export async function subvolumes(pool: Pool, signal: AbortSignal): Promise<readonly string[]> {
  const folders = areSubvolumes(await readFolders(pool.host, pool.path, signal));
  return folders.map(({ name }) => name).filter((name) => isSubvolumeName(pool, name));
}

interface Told {
  readonly exclusiveBytes: number | null;
  readonly madeAt: Temporal.Instant | null;
  readonly readOnly: boolean;
}

/** What btrfs tells of the subvolumes that lie in the same subvolume as a folder, by their paths from the top level. */
async function toldNear(pool: Pool, folder: string, signal: AbortSignal): Promise<(path: string) => Told> {
  const read = async (argv: readonly [string, ...string[]]) => parseList(await tell(pool.host, argv, folder, signal));
  const [snapshots, readOnly, sizes] = await Promise.all([
    read(args.snapshotsInside(folder)),
    read(args.readOnlyInside(folder)),
    // quotas are off on most pools
    ask(pool.host, args.quotas(pool.path), pool.path, signal, /quotas? not enabled/),
  ]);
  const exclusive = parseQuotas(sizes ?? '');
  const all = sizes === null ? [] : await read(args.inside(folder));
  const made = new Map(snapshots.map(({ path, madeAt }) => [path, madeAt]));
  const closed = new Set(readOnly.map(({ path }) => path));
  const ids = new Map(all.map(({ path, id }) => [path, id]));
  return (path) => ({
    exclusiveBytes: exclusive.get(ids.get(path) ?? '') ?? null,
    madeAt: made.get(path) ?? null,
    readOnly: closed.has(path),
  });
}

async function described(
  pool: Pool,
  entries: readonly Entry[],
  present: readonly string[],
  kind: StoredSnapshot['kind'],
  told: (path: string) => Told,
  signal: AbortSignal,
): Promise<readonly StoredSnapshot[]> {
  const folder = kind === 'snapshot' ? pool.snapshotsPath : pool.path;
  const { inside } = await readPlace(pool.host, folder, signal);
  return entries.map(({ name, path, bornAt }) => {
    const { madeAt, ...rest } = told(inside === '' ? name : `${inside}/${name}`);
    return { ...byName(pool, name, present, madeAt ?? bornAt), path, kind, ...rest };
  });
}

/** Whose snapshots are whose names do not tell it: by what they were made of, which a rollback may have made a kept state. */
async function withOwners(
  pool: Pool,
  stored: readonly StoredSnapshot[],
  present: readonly string[],
  signal: AbortSignal,
): Promise<readonly StoredSnapshot[]> {
  if (stored.every(({ subvolume }) => subvolume !== null)) return stored;
  const [printed, { inside }] = await Promise.all([
    tell(pool.host, args.uuidsInside(pool.path), pool.path, signal),
    readPlace(pool.host, pool.path, signal),
  ]);
  const prefix = inside === '' ? '' : `${inside}/`;
  const owners = new Map<string, string | null>();
  for (const { path, uuid } of parseList(printed)) {
    const name = path.startsWith(prefix) ? path.slice(prefix.length) : '/';
    if (uuid === null || name.includes('/')) continue;
    owners.set(uuid, isSubvolumeName(pool, name) ? name : subvolumeOf(name, [...pool.declared, ...present]));
  }
  const found: StoredSnapshot[] = [];
  for (const one of stored) {
    const shown =
      one.subvolume === null ? parseShow(await tell(pool.host, args.show(one.path), one.path, signal)) : null;
    found.push({ ...one, subvolume: one.subvolume ?? owners.get(shown?.parent ?? '') ?? null });
  }
  return found;
}

export async function list(pool: Pool, signal: AbortSignal): Promise<readonly StoredSnapshot[]> {
  const { host, path, snapshotsPath } = pool;
  const [inPoolFolder, inSnapshotsFolder, top, below] = await Promise.all([
    readEntries(host, path, signal).then(areSubvolumes),
    readEntries(host, snapshotsPath, signal).then(areSubvolumes),
    host.files.status(path, signal),
    host.files.status(snapshotsPath, signal),
  ]);
  const kept = inPoolFolder.filter(({ name }) => isKeptState(name) && !isProvisional(name));
  const snapshots = inSnapshotsFolder.filter(({ name }) => !isProvisional(name));
  if (kept.length + snapshots.length === 0) return [];
  const present = inPoolFolder.map(({ name }) => name).filter((name) => isSubvolumeName(pool, name));
  // each subvolume has a device number of its own: one that is the same is one list for both
  const near = await toldNear(pool, path, signal);
  const nearSnapshots =
    below === null || below.device === top?.device ? near : await toldNear(pool, snapshotsPath, signal);
  const stored = [
    ...(await described(pool, kept, present, 'kept-state', near, signal)),
    ...(await described(pool, snapshots, present, 'snapshot', nearSnapshots, signal)),
  ];
  return (await withOwners(pool, stored, present, signal)).toSorted(newestFirst);
}

/** Where a snapshot of this name lies, else a kept state; null when there is neither. */
export async function placeOf(
  pool: Pool,
  name: string,
  signal: AbortSignal,
): Promise<Pick<StoredSnapshot, 'path' | 'kind'> | null> {
  const snapshot = inSnapshots(pool, name);
  if (await isSubvolume(pool, snapshot, signal)) return { path: snapshot, kind: 'snapshot' };
  const kept = inPool(pool, name);
  if (isKeptState(name) && (await isSubvolume(pool, kept, signal))) return { path: kept, kind: 'kept-state' };
  return null;
}

/** No program where the name tells whose it is and when it was made, and one instead of those that {@link list} needs
 *  where it does not. */
export async function find(pool: Pool, name: string, signal: AbortSignal): Promise<StoredSnapshot | null> {
  const place = isProvisional(name) ? null : await placeOf(pool, name, signal);
  if (place === null) return null;
  const { path } = place;
  const present = await subvolumes(pool, signal);
  const [subvolume, madeAt] = [subvolumeOf(name, [...pool.declared, ...present]), timeInName(name, pool.zone)];
  const known = { name, ...place, exclusiveBytes: null };
  if (subvolume !== null && madeAt !== null)
    return { ...known, subvolume, madeAt, readOnly: await isReadOnly(pool, path, signal) };
  const { madeAt: shownAt, readOnly } = parseShow(await tell(pool.host, args.show(path), path, signal));
  const stored = { ...known, ...byName(pool, name, present, shownAt), readOnly };
  return (await withOwners(pool, [stored], present, signal))[0] ?? null;
}

/** On this machine by access(2), which refuses even root: a program less. */
export async function isReadOnly(pool: Pool, path: string, signal: AbortSignal): Promise<boolean> {
  if (!pool.host.capabilities.localPaths)
    return /^ro=true$/m.test(await tell(pool.host, args.isReadOnly(path), path, signal));
  try {
    await access(path, constants.W_OK);
    return false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EROFS') return true;
    throw error;
  }
}
