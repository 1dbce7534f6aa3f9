import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { SUBVOLUME_INODE } from './adapters/snapshotters/pool/folder.ts';
import { readPlace } from './adapters/snapshotters/pool/place.ts';
import type { PoolDefinition } from './domain/definitions.ts';
import type { Host } from './ports/host.ts';
import type { SnapshotPlace } from './ports/snapshotter.ts';
import { treePoolOf } from './snapshotters.ts';

type Place = SnapshotPlace | { readonly why: string };

/** Where a path of this machine can be read from a snapshot that exists for a moment, or why it cannot: on BTRFS in one of
 *  the subvolume that it lies in, elsewhere in a copy that shares its contents.
 *  @param path absolute, with no symbolic link in it */
export async function snapshotPlaceOf(
  path: string,
  declared: Iterable<PoolDefinition>,
  host: Host,
  zone: string,
  signal: AbortSignal,
): Promise<Place> {
  if (process.geteuid?.() !== 0) return { why: 'only root can make a snapshot, and remove it again' };
  const { fileSystem, readOnly } = await readPlace(host, path, signal);
  if (readOnly) return { why: 'its file system is read-only' };
  if (fileSystem === 'btrfs') return await btrfsPlaceOf(path, host, signal);
  if (NEVER_SHARE.has(fileSystem)) return { why: `its file system, ${fileSystem}, has no snapshots` };
  const pool = await treePoolOf(path, declared, host, zone, signal);
  if (pool === null) return { why: `its file system, ${fileSystem}, shares no contents, or it is a mount point` };
  return { pool, subvolume: basename(path), inside: '' };
}

/** File systems that are known to copy every byte, so that nothing has to be tried where somebody's data are. */
const NEVER_SHARE: ReadonlySet<string> = new Set(['ext2', 'ext3', 'ext4', 'tmpfs', 'vfat', 'f2fs', 'squashfs']);

async function btrfsPlaceOf(path: string, host: Host, signal: AbortSignal): Promise<Place> {
  if (!(await mayAdminister())) return { why: 'it takes the capability CAP_SYS_ADMIN to remove a snapshot again' };
  const subvolume = await subvolumeAround(path, host, signal);
  if (subvolume === null) return { why: 'the subvolume that it lies in is mounted elsewhere only' };
  const inside = path.slice(subvolume === '/' ? 1 : subvolume.length + 1);
  const mounted = (await host.files.mountsBelow(subvolume, signal)).includes(subvolume);
  if (!mounted) return { pool: `btrfs:${dirname(subvolume)}`, subvolume: basename(subvolume), inside };
  // the folder for snapshots would lie in what is read, and change it
  if (inside === '') return { why: 'it is a mount point' };
  return { pool: `btrfs:${subvolume}`, subvolume: null, inside };
}

/** The subvolume that a path lies in, where the same mount shows both. */
async function subvolumeAround(path: string, host: Host, signal: AbortSignal): Promise<string | null> {
  const device = (await host.files.status(path, signal))?.device;
  for (let folder = path; ; folder = dirname(folder)) {
    const status = await host.files.status(folder, signal);
    if (status === null || status.device !== device) return null;
    if (status.type === 'directory' && status.inode === SUBVOLUME_INODE) {
      const whole = await readPlace(host, folder, signal);
      const part = await readPlace(host, path, signal);
      const below = path.slice(folder === '/' ? 1 : folder.length + 1);
      // a mount on the way shows another part of the file system, which the snapshot has elsewhere
      return part.inside === [whole.inside, below].filter((one) => one !== '').join('/') ? folder : null;
    }
    if (folder === '/') return null;
  }
}

/** capabilities(7): CAP_SYS_ADMIN is bit 21. Root in a container mostly lacks it. */
async function mayAdminister(): Promise<boolean> {
  const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8')) ?? [];
  return ((BigInt(`0x${effective}`) >> 21n) & 1n) === 1n;
}
