import { open } from 'node:fs/promises';
import type { PoolDefinition } from '../../../domain/definitions.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { checkPoolName, isKeptState, isProvisional, subvolumeOf, timeInName } from '../../../domain/pool-names.ts';
import type { Host } from '../../../ports/host.ts';
import type { StoredSnapshot } from '../../../ports/snapshotter.ts';
import { type Exchange, findExchange } from './exchange.ts';
import { checkSnapshotsFolder } from './folder.ts';
import { readPlace } from './place.ts';
import { tell } from './program.ts';

/** A pool that is open: what every kind of snapshotter knows of it. */
export interface Pool {
  readonly name: string;
  readonly host: Host;
  /** With no symbolic link in it. */
  readonly path: string;
  readonly snapshotsPath: string;
  readonly declared: readonly string[];
  /** IANA name: the times in names are local. */
  readonly zone: string;
  readonly fileSystem: string;
  /** Null where two names cannot be exchanged in one step. */
  readonly exchange: Exchange | null;
}

/** @param zone IANA name of the host's local time
 *  @throws PoolUnusable when the path is no folder, or the snapshots folder leads out of it */
export async function openPool(
  definition: PoolDefinition,
  host: Host,
  zone: string,
  signal: AbortSignal,
): Promise<Pool> {
  const { name, path: configured, snapshotsFolder, subvolumes } = definition;
  const path = await host.files.realPath(configured, signal).catch((cause: unknown) => {
    signal.throwIfAborted();
    throw new HoldfastError(
      'PoolUnusable',
      `The pool ${name} is not there: ${configured} does not exist.`,
      configured,
      {
        cause,
        hint: 'Look whether its disk is mounted',
      },
    );
  });
  const snapshotsPath = path === '/' ? `/${snapshotsFolder}` : `${path}/${snapshotsFolder}`;
  const [place] = await Promise.all([readPlace(host, path, signal), checkSnapshotsFolder(host, snapshotsPath, signal)]);
  const exchange = await findExchange(host, place.fileSystem, signal);
  const declared = [...subvolumes.keys()];
  return { name, host, path, snapshotsPath, declared, zone, fileSystem: place.fileSystem, exchange };
}

/** The path of a name directly in the pool. @throws Usage */
export const inPool = (pool: Pool, name: string): string => `${pool.path}/${checkPoolName(name)}`;
/** The path of a name in the snapshots folder. @throws Usage */
export const inSnapshots = (pool: Pool, name: string): string => `${pool.snapshotsPath}/${checkPoolName(name)}`;

export const subvolumeMissing = (pool: Pool, name: string, why = 'does not exist'): HoldfastError =>
  new HoldfastError('SubvolumeMissing', `${pool.path}/${name} ${why}.`, name);
export const snapshotMissing = (pool: Pool, name: string): HoldfastError =>
  new HoldfastError('SnapshotMissing', `There is no snapshot ${name} in ${pool.snapshotsPath}.`, name);

export const holds = async (pool: Pool, name: string, signal: AbortSignal): Promise<boolean> =>
  (await pool.host.files.status(inPool(pool, name), signal)) !== null;

/** @throws TargetExists */
export async function refuseTaken(pool: Pool, path: string, signal: AbortSignal): Promise<void> {
  if ((await pool.host.files.status(path, signal)) === null) return;
  throw new HoldfastError('TargetExists', `${path} is there already.`, path, { hint: 'Move it aside first' });
}

/** Names that a program would take for provisional copies are the only ones under which one is made.
 *  @throws TypeError: a mistake of ours */
export function checkProvisional(name: string): void {
  if (!isProvisional(checkPoolName(name))) throw new TypeError(`${name} is no provisional name.`);
}

/** Only what was made to be removed: never a subvolume. @throws Refused */
export function refuseSubvolume(pool: Pool, name: string): void {
  if (isKeptState(name) || isProvisional(name)) return;
  const message = `${pool.path}/${name} is no snapshot, kept state or provisional copy: it is not removed.`;
  throw new HoldfastError('Refused', message, name);
}

/** What is in the pool's folder under a name, and is neither the snapshots folder, a kept state nor a provisional copy. */
export const isSubvolumeName = (pool: Pool, name: string): boolean =>
  !isKeptState(name) && !isProvisional(name) && pool.snapshotsPath.slice(pool.path.length + 1).split('/')[0] !== name;

/** Whose it is and when it was made, by its name. @param present subvolumes that are there */
export const byName = (
  pool: Pool,
  name: string,
  present: readonly string[],
  bornAt: Temporal.Instant,
): Pick<StoredSnapshot, 'name' | 'subvolume' | 'madeAt'> => ({
  name,
  subvolume: subvolumeOf(name, [...pool.declared, ...present]),
  madeAt: timeInName(name, pool.zone) ?? bornAt,
});

export const newestFirst = (a: StoredSnapshot, b: StoredSnapshot): number =>
  Temporal.Instant.compare(b.madeAt, a.madeAt) || (a.name < b.name ? 1 : -1);

/** Exchanges two names in the pool's folder, durably. @throws Unsupported, SubvolumeMissing */
export async function exchangeIn(pool: Pool, left: string, right: string, signal: AbortSignal): Promise<void> {
  const { exchange, host, path, fileSystem } = pool;
  if (exchange === null) {
    const message = `Two folders cannot be exchanged in one step in the pool ${pool.name} (${fileSystem}).`;
    throw new HoldfastError('Unsupported', message, pool.name, { hint: 'Install perl, or coreutils 9.5 or later' });
  }
  for (const name of [left, right]) {
    const status = await host.files.status(inPool(pool, name), signal);
    if (status?.type !== 'directory') throw subvolumeMissing(pool, name);
  }
  await exchange(inPool(pool, left), inPool(pool, right), signal);
  await syncFolder(host, path, signal);
}

async function syncFolder(host: Host, path: string, signal: AbortSignal): Promise<void> {
  if (!host.capabilities.localPaths) return void (await tell(host, ['sync', path], path, signal));
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** Of a name in the pool's folder, durably. @throws SubvolumeMissing, TargetExists */
export async function renameIn(pool: Pool, from: string, to: string, signal: AbortSignal): Promise<void> {
  if ((await pool.host.files.status(inPool(pool, from), signal))?.type !== 'directory')
    throw subvolumeMissing(pool, from);
  await refuseTaken(pool, inPool(pool, to), signal);
  await pool.host.files.rename(inPool(pool, from), inPool(pool, to), signal);
}

/** The subvolume that a snapshot is compared with as it is now. @throws SubvolumeMissing */
export function ownerOf(pool: Pool, snapshot: string, present: readonly string[]): string {
  const owner = subvolumeOf(snapshot, [...pool.declared, ...present]);
  if (owner !== null) return owner;
  throw new HoldfastError('SubvolumeMissing', `The name ${snapshot} does not tell whose snapshot it is.`, snapshot, {
    hint: 'Name two snapshots',
  });
}
