import { basename, dirname } from 'node:path';
import { SNAPSHOTTERS } from './adapters/registry.ts';
import { kindOf } from './adapters/snapshotters/pool/kind.ts';
import { openPool } from './adapters/snapshotters/pool/pool.ts';
import type { PoolDefinition } from './domain/definitions.ts';
import { HoldfastError } from './domain/errors.ts';
import { COPIES_FOLDER } from './domain/pool-names.ts';
import type { Host } from './ports/host.ts';
import type { Snapshotter } from './ports/snapshotter.ts';

/** The snapshotter of a pool, by its kind or by what its path is.
 *  @param zone IANA name of the host's local time, in which the times in names are
 *  @throws PoolUnusable when the path is not there */
export async function openSnapshotter(
  definition: PoolDefinition,
  host: Host,
  zone: string,
  signal: AbortSignal,
): Promise<Snapshotter> {
  const pool = await openPool(definition, host, zone, signal);
  const kind = await kindOf(pool, definition, signal);
  const row = SNAPSHOTTERS.get(kind);
  if (row === undefined) throw new Error(`The registry has no kind ${kind} of snapshotter.`);
  return (await row.load())(pool);
}

/** The name of a pool that is the folder of a tree alone, as `reflink:/opt/mealie`: no declared pool has a colon. */
const TREE_POOL = /^(btrfs|reflink):(\/.*)$/s;

/** The pool that such a name means; null for any other name. */
export function treePoolNamed(name: string): PoolDefinition | null {
  const [, kind, path] = TREE_POOL.exec(name) ?? [];
  if (path === undefined) return null;
  return poolAt(path, name, kind === 'btrfs' ? 'btrfs' : 'reflink', []);
}

const poolAt = (
  path: string,
  name: string,
  kind: PoolDefinition['kind'],
  subvolumes: readonly string[],
): PoolDefinition => ({
  name,
  path,
  kind,
  snapshotsFolder: COPIES_FOLDER,
  share: null,
  subvolumes: new Map(subvolumes.map((one) => [one, { units: [], checks: [], dependsOn: [], nested: null }])),
});

/** The name of the pool in which a path can be snapshotted where it lies: a declared one whose folder holds it, else one
 *  that is its folder alone. Null for a mount point, and where the file system shares no contents between files.
 *  @param path with no symbolic link in it */
export async function treePoolOf(
  path: string,
  declared: Iterable<PoolDefinition>,
  host: Host,
  zone: string,
  signal: AbortSignal,
): Promise<string | null> {
  const [folder, base] = [dirname(path), basename(path)];
  if (folder === path || (await host.files.mountsBelow(path, signal)).includes(path)) return null;
  const real = (one: string): Promise<string | null> => host.files.realPath(one, signal).catch(() => null);
  for (const definition of declared) {
    if ((await real(definition.path)) !== folder) continue;
    const { kind, pool, subvolumes } = await openSnapshotter(definition, host, zone, signal);
    if (kind !== 'copy' && (await subvolumes(signal)).includes(base)) return pool; // a pool of BTRFS may hold folders too
  }
  const definition = poolAt(folder, folder, null, [base]);
  const kind = await kindOfFolder(definition, host, zone, signal);
  if (kind !== 'copy') return `${kind}:${folder}`;
  // what was tried may have made the folder for snapshots, and there will be none
  const rmdir = { program: 'rmdir', args: ['--ignore-fail-on-non-empty', '--', `${folder}/${COPIES_FOLDER}`] };
  await host.run(rmdir, { signal, accept: [0, 1] });
  return null;
}

/** `copy` also where this account may not write: what lies there is read into a repository then. */
async function kindOfFolder(
  definition: PoolDefinition,
  host: Host,
  zone: string,
  signal: AbortSignal,
): Promise<NonNullable<PoolDefinition['kind']>> {
  try {
    return await kindOf(await openPool(definition, host, zone, signal), definition, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return 'copy';
    throw error;
  }
}
