import type { PoolDefinition } from '../../../domain/definitions.ts';
import { makeSnapshotsFolder, readFolders, SUBVOLUME_INODE } from './folder.ts';
import { momentaryName } from './leftovers.ts';
import { readPlace } from './place.ts';
import { isSubvolumeName, type Pool } from './pool.ts';

const REMOVE_LIMIT_MS = 60_000;

/** Which kind of snapshots a pool can have, when its definition does not say it: `btrfs` where what is declared, or all
 *  that is in it, are subvolumes; `reflink` where the file system shares contents between files; else `copy`. */
export async function kindOf(
  pool: Pool,
  definition: PoolDefinition,
  signal: AbortSignal,
): Promise<NonNullable<PoolDefinition['kind']>> {
  if (definition.kind !== null) return definition.kind;
  if (pool.fileSystem !== 'btrfs') return (await sharesContents(pool, signal)) ? 'reflink' : 'copy';
  const entries = (await readFolders(pool.host, pool.path, signal)).filter(({ name }) => isSubvolumeName(pool, name));
  const declared = entries.filter(({ name }) => pool.declared.includes(name));
  const asked = declared.length > 0 ? declared : entries;
  return asked.length === 0 || asked.some(({ inode }) => inode === SUBVOLUME_INODE) ? 'btrfs' : 'reflink';
}

/** Tried with a file of one block, since no file system tells it. A pool that cannot be written to has neither. */
async function sharesContents(pool: Pool, signal: AbortSignal): Promise<boolean> {
  const { host } = pool;
  if ((await readPlace(host, pool.path, signal)).readOnly) return false;
  await makeSnapshotsFolder(host, pool.snapshotsPath, signal);
  const folder = `${pool.snapshotsPath}/${momentaryName('making')}`;
  const [file, other] = [`${folder}/a`, `${folder}/b`];
  try {
    await host.files.makeFolder(folder, 0o700, signal);
    await host.run({ program: 'dd', args: ['if=/dev/zero', `of=${file}`, 'bs=4096', 'count=1'] }, { signal });
    const copied = await host.run(
      { program: 'cp', args: ['--reflink=always', '--', file, other] },
      { signal, accept: [0, 1] },
    );
    return copied.exitCode === 0;
  } finally {
    await host.files.remove(folder, AbortSignal.timeout(REMOVE_LIMIT_MS));
  }
}
