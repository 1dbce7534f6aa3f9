import { isKeptState, isProvisional } from '../../../domain/pool-names.ts';
import type { StoredSnapshot, SubvolumeState } from '../../../ports/snapshotter.ts';
import { type Entry, readEntries, SUBVOLUME_INODE } from '../pool/folder.ts';
import { readPlace } from '../pool/place.ts';
import { byName, inPool, isSubvolumeName, newestFirst, type Pool } from '../pool/pool.ts';
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

async function roomIn(pool: Pool, signal: AbortSignal): Promise<{ freeShare: number; freeBytes: number }> {
  const room = parseUsage(await tell(pool.host, args.usage(pool.path), pool.path, signal));
  return room ?? { freeShare: 0, freeBytes: 0 };
}

export async function examine(pool: Pool, name: string, signal: AbortSignal): Promise<SubvolumeState> {
  const path = inPool(pool, name);
  const exists = await isSubvolume(pool, path, signal);
  const [shown, nested, room, place] = await Promise.all([
    exists ? tell(pool.host, args.show(path), path, signal) : null,
    exists ? nestedIn(pool, path, signal) : [],
    roomIn(pool, signal),
    readPlace(pool.host, pool.path, signal),
  ]);
  const identity = shown === null ? null : parseShow(shown).uuid;
  return { path, exists, identity, nested, readOnlyPool: place.readOnly, ...room };
}

const areSubvolumes = (entries: readonly Entry[]): readonly Entry[] =>
  entries.filter(({ inode }) => inode === SUBVOLUME_INODE);

export async function subvolumes(pool: Pool, signal: AbortSignal): Promise<readonly string[]> {
  const entries = areSubvolumes(await readEntries(pool.host, pool.path, signal));
  return entries.map(({ name }) => name).filter((name) => isSubvolumeName(pool, name));
}

/** What `btrfs subvolume list` tells of the subvolumes in a folder, by their paths from the top level. */
async function listedIn(pool: Pool, folder: string, signal: AbortSignal) {
  const list = async (argv: readonly [string, ...string[]]) => parseList(await tell(pool.host, argv, folder, signal));
  const [all, snapshots, readOnly, place] = await Promise.all([
    list(args.inside(folder)),
    list(args.snapshotsInside(folder)),
    list(args.readOnlyInside(folder)),
    readPlace(pool.host, folder, signal),
  ]);
  const made = new Map(snapshots.map(({ path, madeAt }) => [path, madeAt]));
  const closed = new Set(readOnly.map(({ path }) => path));
  const ids = new Map(all.map(({ path, id }) => [path, id]));
  return (name: string) => {
    const path = `${place.inside}/${name}`.replace(/^\//, '');
    return { id: ids.get(path) ?? null, madeAt: made.get(path) ?? null, readOnly: closed.has(path) };
  };
}

/** Quotas are off on most pools. */
async function exclusiveBytes(pool: Pool, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
  return parseQuotas((await ask(pool.host, args.quotas(pool.path), pool.path, signal, /quotas? not enabled/)) ?? '');
}

export async function list(pool: Pool, signal: AbortSignal): Promise<readonly StoredSnapshot[]> {
  const [inPoolFolder, inSnapshotsFolder, sizes] = await Promise.all([
    readEntries(pool.host, pool.path, signal).then(areSubvolumes),
    readEntries(pool.host, pool.snapshotsPath, signal).then(areSubvolumes),
    exclusiveBytes(pool, signal),
  ]);
  const present = inPoolFolder.map(({ name }) => name).filter((name) => isSubvolumeName(pool, name));
  const kept = inPoolFolder.filter(({ name }) => isKeptState(name));
  const snapshots = inSnapshotsFolder.filter(({ name }) => !isProvisional(name));
  const described = async (entries: readonly Entry[], folder: string, kind: StoredSnapshot['kind']) => {
    if (entries.length === 0) return [];
    const look = await listedIn(pool, folder, signal);
    return entries.map(({ name, path, bornAt }): StoredSnapshot => {
      const { id, madeAt, readOnly } = look(name);
      const exclusive = id === null ? null : (sizes.get(id) ?? null);
      return { ...byName(pool, name, present, madeAt ?? bornAt), path, kind, readOnly, exclusiveBytes: exclusive };
    });
  };
  const [states, others] = await Promise.all([
    described(kept, pool.path, 'kept-state'),
    described(snapshots, pool.snapshotsPath, 'snapshot'),
  ]);
  return [...states, ...others].toSorted(newestFirst);
}
