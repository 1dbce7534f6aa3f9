import { isKeptState, isProvisional, subvolumeOf } from '../../../domain/pool-names.ts';
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

/** Paths of the subvolumes directly in a subvolume, relative to it. */
export async function nestedIn(pool: Pool, path: string, signal: AbortSignal): Promise<readonly string[]> {
  const [printed, place] = await Promise.all([
    tell(pool.host, args.inside(path), path, signal),
    readPlace(pool.host, path, signal),
  ]);
  const prefix = `${place.inside}/`;
  return parseList(printed)
    .filter((listed) => listed.path.startsWith(prefix))
    .map((listed) => listed.path.slice(prefix.length))
    .sort();
}

export async function roomIn(pool: Pool, signal: AbortSignal): Promise<Room> {
  const room = parseUsage(await tell(pool.host, args.usage(pool.path), pool.path, signal));
  return room ?? { freeShare: 0, freeBytes: 0 };
}

export async function examine(pool: Pool, name: string, signal: AbortSignal): Promise<SubvolumeState> {
  const path = inPool(pool, name);
  const exists = await isSubvolume(pool, path, signal);
  const [shown, nested, place] = await Promise.all([
    exists ? tell(pool.host, args.show(path), path, signal) : null,
    exists ? nestedIn(pool, path, signal) : [],
    readPlace(pool.host, pool.path, signal),
  ]);
  const identity = shown === null ? null : parseShow(shown).uuid;
  return { path, exists, identity, nested, readOnlyPool: place.readOnly };
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

/** One program instead of those that {@link list} needs, where the name tells whose it is. */
export async function find(pool: Pool, name: string, signal: AbortSignal): Promise<StoredSnapshot | null> {
  if (isProvisional(name)) return null;
  const places = [
    { path: inSnapshots(pool, name), kind: 'snapshot' as const },
    ...(isKeptState(name) ? [{ path: inPool(pool, name), kind: 'kept-state' as const }] : []),
  ];
  for (const { path, kind } of places) {
    if (!(await isSubvolume(pool, path, signal))) continue;
    const [shown, present] = await Promise.all([
      tell(pool.host, args.show(path), path, signal).then(parseShow),
      subvolumes(pool, signal),
    ]);
    const { madeAt, readOnly } = shown;
    const stored = { ...byName(pool, name, present, madeAt), path, kind, readOnly, exclusiveBytes: null };
    return (await withOwners(pool, [stored], present, signal))[0] ?? null;
  }
  return null;
}
