import { HoldfastError } from '../domain/errors.ts';
import type { Snapshot } from '../ports/catalog.ts';
import type { Snapshotter } from '../ports/snapshotter.ts';

/** What steps in a pool are taken back and performed with. */
export type PoolSnapshotter = Pick<Snapshotter, 'examine' | 'exchange' | 'rename' | 'remove' | 'moveNested' | 'list'>;

/** A writable copy was made under a provisional name, to be put in the place of a subvolume; or a snapshot, to be read
 *  while its units run. */
export interface CopyMade {
  readonly kind: 'copy-made';
  readonly pool: string;
  readonly name: string;
  /** Identity of what must never be removed under this name: the present state, which comes there by the exchange. Empty
   *  where nothing is exchanged. */
  readonly present: string;
}

/** Two names in a pool were exchanged. */
export interface SubvolumeExchanged {
  readonly kind: 'subvolume-exchanged';
  readonly pool: string;
  readonly left: string;
  readonly right: string;
  /** What was under `left` before. */
  readonly identity: string;
}

/** A name in a pool became another one. */
export interface SubvolumeRenamed {
  readonly kind: 'subvolume-renamed';
  readonly pool: string;
  readonly from: string;
  /** Nothing is there before the step. */
  readonly to: string;
}

/** Nested subvolumes follow from the kept state into the restored one. */
export interface NestedMoved {
  readonly kind: 'nested-moved';
  readonly pool: string;
  readonly nested: readonly string[];
  readonly from: string;
  readonly to: string;
}

/** A snapshot was made, or was about to be: when it is there, the catalog is told. It is never taken back, because it
 *  may be all that is left of the state before a command. */
export interface SnapshotMade {
  readonly kind: 'snapshot-made';
  readonly snapshot: Omit<Snapshot, 'madeAt'> & { readonly madeAt: string };
}

export const snapshotMade = (snapshot: Snapshot): SnapshotMade => ({
  kind: 'snapshot-made',
  snapshot: { ...snapshot, madeAt: `${snapshot.madeAt}` },
});

/** Takes a step back; it may run twice, or for a step that was only intended. @throws Refused */
export async function undoPoolStep(
  step: CopyMade | SubvolumeExchanged | SubvolumeRenamed,
  snapshotter: PoolSnapshotter,
  signal: AbortSignal,
): Promise<void> {
  if (step.kind === 'subvolume-renamed') return renameOnce(step.to, step.from, snapshotter, signal);
  if (step.kind === 'copy-made') {
    const found = await snapshotter.examine(step.name, signal);
    if (found.identity === step.present) throw misplaced(step.pool, step.name);
    return snapshotter.remove(step.name, signal);
  }
  const { pool, left, right, identity } = step;
  if ((await snapshotter.examine(left, signal)).identity === identity) return;
  if ((await snapshotter.examine(right, signal)).identity !== identity) throw misplaced(pool, left);
  await snapshotter.exchange(left, right, signal);
}

/** Does a step, or sees that it was done already. @throws Refused */
export async function performPoolStep(
  step: SubvolumeRenamed | NestedMoved,
  snapshotter: PoolSnapshotter,
  signal: AbortSignal,
): Promise<void> {
  if (step.kind === 'subvolume-renamed') return renameOnce(step.from, step.to, snapshotter, signal);
  await snapshotter.moveNested(step.nested, step.from, step.to, signal);
}

export async function recordSnapshotMade(
  { snapshot }: SnapshotMade,
  ports: {
    snapshotter(pool: string): Promise<Pick<Snapshotter, 'list'>>;
    recordNewSnapshot(snapshot: Snapshot): Promise<void>;
  },
  signal: AbortSignal,
): Promise<void> {
  const { pool, name } = snapshot;
  const there = await (await ports.snapshotter(pool)).list(signal);
  if (!there.some((stored) => stored.name === name && stored.kind === 'snapshot')) return;
  await ports.recordNewSnapshot({ ...snapshot, madeAt: Temporal.Instant.from(snapshot.madeAt) });
}

async function renameOnce(from: string, to: string, snapshotter: PoolSnapshotter, signal: AbortSignal): Promise<void> {
  if (!(await snapshotter.examine(from, signal)).exists) return;
  if ((await snapshotter.examine(to, signal)).exists) {
    const message = `${from} cannot be renamed to ${to}, because something was made there meanwhile.`;
    throw new HoldfastError('Refused', message, to, { hint: `Move ${to} away, then: holdfast unlock` });
  }
  await snapshotter.rename(from, to, signal);
}

function misplaced(pool: string, name: string): HoldfastError {
  const message = `What is at ${name} in the pool ${pool} was moved by somebody else meanwhile; nothing is touched.`;
  return new HoldfastError('Refused', message, name, {
    hint: `Look for the right state with: holdfast snapshot list; then: holdfast unlock`,
  });
}
