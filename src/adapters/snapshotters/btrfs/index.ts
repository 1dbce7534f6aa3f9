import { HoldfastError } from '../../../domain/errors.ts';
import { isKeptState, timeInName } from '../../../domain/pool-names.ts';
import type { Snapshotter } from '../../../ports/snapshotter.ts';
import { makeSnapshotsFolder } from '../pool/folder.ts';
import {
  checkProvisional,
  exchangeIn,
  holds,
  inPool,
  inSnapshots,
  ownerOf,
  type Pool,
  refuseSubvolume,
  refuseTaken,
  renameIn,
  snapshotMissing,
  subvolumeMissing,
} from '../pool/pool.ts';
import { tell } from '../pool/program.ts';
import * as args from './args.ts';
import { diff } from './diff.ts';
import { moveNested } from './nested.ts';
import { parseShow } from './parse.ts';
import { examine, find, isSubvolume, list, lookAt, placeOf, roomIn, subvolumes } from './subvolumes.ts';

/** Instant snapshots of BTRFS subvolumes that lie directly in the pool's folder. */
export function btrfsSnapshotter(pool: Pool): Snapshotter {
  const { host } = pool;

  /** @throws SubvolumeMissing */
  async function subvolumeAt(name: string | null, signal: AbortSignal): Promise<string> {
    const path = name === null ? pool.path : inPool(pool, name);
    if (await isSubvolume(pool, path, signal)) return path;
    const there = (await host.files.status(path, signal)) !== null;
    throw subvolumeMissing(pool, name ?? '', there ? 'is no BTRFS subvolume' : 'does not exist');
  }

  /** The path of a snapshot, else of a kept state. @throws SnapshotMissing */
  async function snapshotAt(name: string, signal: AbortSignal): Promise<string> {
    const place = await placeOf(pool, name, signal);
    if (place === null) throw snapshotMissing(pool, name);
    return place.path;
  }

  return {
    pool: pool.name,
    path: pool.path,
    snapshotsPath: pool.snapshotsPath,
    kind: 'btrfs',
    capabilities: { instant: true, whole: true, atomic: pool.exchange !== null, generations: true, readOnly: true },
    subvolumes: (signal) => subvolumes(pool, signal),
    examine: (name, signal) => examine(pool, name, signal),
    holds: (name, signal) => holds(pool, name, signal),
    room: (signal) => roomIn(pool, signal),
    list: (signal) => list(pool, signal),
    find: (name, signal) => find(pool, name, signal),
    snapshot: async (subvolume, name, signal) => {
      const path = inSnapshots(pool, name);
      const from = await subvolumeAt(subvolume, signal);
      await makeSnapshotsFolder(host, pool.snapshotsPath, signal);
      // an existing folder would get the snapshot inside it, under the subvolume's name
      await refuseTaken(pool, path, signal);
      await tell(host, args.snapshot(from, path), path, signal);
      const made = async () => parseShow(await tell(host, args.show(path), path, signal)).madeAt;
      const madeAt = timeInName(name, pool.zone) ?? (await made());
      return { name, path, kind: 'snapshot', subvolume, madeAt, readOnly: true, exclusiveBytes: null };
    },
    materialize: async (snapshot, provisional, signal) => {
      checkProvisional(provisional);
      const from = await snapshotAt(snapshot, signal);
      const to = inPool(pool, provisional);
      await refuseTaken(pool, to, signal);
      await tell(host, args.writable(from, to), pool.path, signal);
    },
    exchange: (left, right, signal) => exchangeIn(pool, left, right, signal),
    rename: (from, to, signal) => renameIn(pool, from, to, signal),
    moveNested: (nested, from, to, signal) => moveNested(pool, nested, from, to, signal),
    remove: async (name, signal) => {
      const snapshot = inSnapshots(pool, name);
      const isSnapshot = await isSubvolume(pool, snapshot, signal);
      const path = isSnapshot ? snapshot : inPool(pool, name);
      if (!isSnapshot) {
        if ((await host.files.status(path, signal)) === null) return;
        refuseSubvolume(pool, name);
        await subvolumeAt(name, signal);
      }
      const { nested } = await lookAt(pool, path, signal);
      if (nested.length > 0)
        throw new HoldfastError('NestedSubvolumes', `${path} holds subvolumes: ${nested.join(', ')}.`, name, {
          hint: 'Move them out of it, or remove them by hand: btrfs subvolume delete PATH',
        });
      await tell(host, args.remove(path), path, signal);
    },
    diff: async function* (from, to, signal, subvolume) {
      const before = await snapshotAt(from, signal);
      if (to !== null) yield* diff(pool, before, await snapshotAt(to, signal), isKeptState(to), signal);
      else {
        const owner = subvolume ?? ownerOf(pool, from, await subvolumes(pool, signal));
        yield* diff(pool, before, await subvolumeAt(owner, signal), true, signal);
      }
    },
  };
}
