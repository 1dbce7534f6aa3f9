import { HoldfastError } from '../domain/errors.ts';
import type { SnapshotOutcome } from '../domain/guard.ts';
import { checkPoolName } from '../domain/pool-names.ts';
import { numbered, snapshotName } from '../domain/snapshot-name.ts';
import { newestSnapshotFirst } from '../domain/snapshot-order.ts';
import { lastName } from '../domain/tree-path.ts';
import type { Snapshot } from '../ports/catalog.ts';
import type { StoredSnapshot, SubvolumeState } from '../ports/snapshotter.ts';
import { findSubvolume, type GuardContext, type Subject } from './guard-context.ts';
import { poolOfService, recordedPoints } from './service-record.ts';

/** A snapshot or kept state as it is on the disk, with what was recorded of it. */
export interface ListedSnapshot extends Omit<StoredSnapshot, 'exclusiveBytes' | 'readOnly'> {
  readonly pool: string;
  readonly type: Snapshot['type'] | 'kept-state' | 'by-hand';
  readonly operation: string | null;
  /** Null for what nobody recorded. */
  readonly outcome: SnapshotOutcome | null;
  readonly sizeBytes: number | null;
}

/** Tries `NAME`, `NAME-2`, … until nobody has it. @param make throws TargetExists for a name that is taken */
export async function withFreeName<Made>(name: string, make: (name: string) => Promise<Made>): Promise<Made> {
  for (let count = 1; ; count++) {
    try {
      return await make(numbered(name, count));
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'TargetExists') || count === 100) throw error;
    }
  }
}

export interface CreateRequest {
  readonly subvolumes: readonly string[];
  /** Null: `manual`. */
  readonly label: string | null;
}

/** Makes a snapshot of each subvolume; all names are looked at before the first is made.
 *  @throws Usage, SubvolumeMissing, NestedSubvolumes, NoSpace, PoolUnusable */
export async function createSnapshots(
  { subvolumes, label }: CreateRequest,
  context: Pick<GuardContext, 'pools' | 'snapshotter' | 'catalog' | 'clock' | 'zone' | 'guard'>,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const at = context.clock.now(); // of all: what one depends on is not younger, so that it is found beside it
  const made: Snapshot[] = [];
  for (const { pool, subvolume, snapshotter, name } of await planSnapshots(
    { subvolumes, label },
    at,
    context,
    signal,
  )) {
    const stored = await withFreeName(name, (free) => snapshotter.snapshot(subvolume, free, signal));
    const snapshot: Snapshot = {
      pool,
      name: stored.name,
      subvolume,
      type: 'manual',
      operation: null,
      madeAt: at,
      outcome: 'success',
      sizeBytes: stored.exclusiveBytes,
    };
    await context.catalog.recordSnapshot(snapshot);
    made.push(snapshot);
  }
  return made;
}

export interface PlannedSnapshot extends Subject {
  /** What it is called at that moment, unless somebody has the name. */
  readonly name: string;
}

/** What {@link createSnapshots} would make. @throws as `createSnapshots` */
export async function planSnapshots(
  { subvolumes, label }: CreateRequest,
  at: Temporal.Instant,
  context: Pick<GuardContext, 'pools' | 'snapshotter' | 'catalog' | 'zone' | 'guard'>,
  signal: AbortSignal,
): Promise<readonly PlannedSnapshot[]> {
  const planned: PlannedSnapshot[] = [];
  for (const each of subvolumes) {
    const subject = await findSubvolume(each, context, signal);
    planned.push({ ...subject, name: snapshotName(subject.subvolume, label ?? 'manual', at, context.zone) });
  }
  for (const subject of planned) await refuseUnsafe(subject, context, signal);
  return planned;
}

/** What keeps a snapshot from being whole, or from leaving room.
 *  @returns what the subvolume is now
 *  @throws NestedSubvolumes, PoolUnusable, NoSpace */
export async function refuseUnsafe(
  subject: Subject,
  { guard }: Pick<GuardContext, 'guard'>,
  signal: AbortSignal,
): Promise<SubvolumeState> {
  const { subvolume, snapshotter } = subject;
  const [state, room] = await Promise.all([snapshotter.examine(subvolume, signal), snapshotter.room(signal)]);
  refuseState(state, subject);
  if (room.freeShare >= guard.minFree) return state;
  const percent = (share: number): string => `${Math.floor(share * 1000) / 10} %`;
  const words = `${percent(room.freeShare)} of the pool ${snapshotter.pool} are free, and ${percent(guard.minFree)} must be.`;
  throw new HoldfastError('NoSpace', words, snapshotter.path, {
    hint: 'Remove snapshots (holdfast snapshot list), free space, or lower guard.minFree',
  });
}

/** @throws PoolUnusable where nothing can be written; NestedSubvolumes for what no snapshot holds, unless it may be moved */
export function refuseState(
  { path, readOnlyPool, nested }: SubvolumeState,
  { subvolume, definition, snapshotter }: Subject,
): void {
  if (readOnlyPool)
    throw new HoldfastError('PoolUnusable', `${snapshotter.path} is mounted read-only.`, snapshotter.path);
  if (nested.length === 0 || definition.nested === 'move') return;
  throw new HoldfastError('NestedSubvolumes', `${path} holds other subvolumes: ${nested.join(', ')}.`, subvolume);
}

/** What is on the disk, newest first, with what was recorded of it. @param subvolume of this one only */
export async function listSnapshots(
  { subvolume }: { readonly subvolume?: string },
  context: Pick<GuardContext, 'pools' | 'snapshotter' | 'catalog'>,
  signal: AbortSignal,
): Promise<readonly ListedSnapshot[]> {
  const records = new Map((await context.catalog.snapshots({})).map((one) => [`${one.pool}/${one.name}`, one]));
  for (const [key, record] of await recordsOfServices(records, context)) records.set(key, record);
  const listed: ListedSnapshot[] = [];
  for (const pool of context.pools.keys()) {
    for (const stored of await (await context.snapshotter(pool)).list(signal))
      listed.push(listedOf(stored, pool, records.get(`${pool}/${stored.name}`)));
  }
  return listed.filter((one) => subvolume === undefined || one.subvolume === subvolume).toSorted(newestSnapshotFirst);
}

/** What guards of services snapshotted, as parts of their points: with what was recorded of the point. */
async function recordsOfServices(
  records: ReadonlyMap<string, Snapshot>,
  { catalog }: Pick<GuardContext, 'catalog'>,
): Promise<ReadonlyMap<string, Snapshot>> {
  const found = new Map<string, Snapshot>();
  for (const { detail, point } of await recordedPoints(null, { catalog })) {
    const record = records.get(`${poolOfService(point.service)}/${detail.snapshot}`);
    if (record === undefined) continue;
    for (const tree of point.trees) {
      if (!('pool' in tree)) continue;
      const { pool, name, path } = tree;
      found.set(`${pool}/${name}`, {
        ...record,
        pool,
        name,
        subvolume: lastName(path),
        sizeBytes: null, // the point's is that of its part in the repository
      });
    }
  }
  return found;
}

const listedOf = (stored: StoredSnapshot, pool: string, record: Snapshot | undefined): ListedSnapshot => ({
  name: stored.name,
  path: stored.path,
  kind: stored.kind,
  pool,
  subvolume: record?.subvolume ?? stored.subvolume,
  madeAt: record?.madeAt ?? stored.madeAt,
  type: stored.kind === 'kept-state' ? 'kept-state' : (record?.type ?? 'by-hand'),
  operation: record?.operation ?? null,
  outcome: record?.outcome ?? null,
  sizeBytes: stored.exclusiveBytes ?? record?.sizeBytes ?? null,
});

/** Tells how the change ended that a snapshot was made for. @throws SnapshotMissing when it was never recorded */
export async function markSnapshot(
  { name, outcome }: { readonly name: string; readonly outcome: SnapshotOutcome },
  { catalog }: Pick<GuardContext, 'catalog'>,
): Promise<Snapshot> {
  checkPoolName(name);
  const [record, ...others] = await catalog.snapshots({ names: [name] });
  if (record === undefined)
    throw new HoldfastError('SnapshotMissing', `No snapshot ${name} was recorded.`, name, {
      hint: 'Only what guard or `snapshot create` made has an outcome: holdfast history',
    });
  if (others.length > 0) throw new HoldfastError('Refused', `Several pools have a snapshot ${name}.`, name);
  const marked = { ...record, outcome };
  await catalog.recordSnapshot(marked);
  return marked;
}
