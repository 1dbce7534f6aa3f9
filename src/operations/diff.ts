import { HoldfastError } from '../domain/errors.ts';
import type { Difference } from '../ports/snapshotter.ts';
import { findSnapshot, type GuardContext } from './guard-context.ts';

export interface DiffRequest {
  readonly from: string;
  /** Another snapshot or kept state of the same pool; null for the subvolume as it is now. */
  readonly to: string | null;
}

export interface Comparison {
  readonly subvolume: string;
  readonly changes: AsyncIterable<Difference>;
}

/** What changed from one snapshot to another one, or to now, in the order of paths.
 *  @throws SnapshotMissing, SubvolumeMissing; Usage for two pools */
export async function diff(
  { from, to }: DiffRequest,
  context: Pick<GuardContext, 'pools' | 'snapshotter' | 'catalog'>,
  signal: AbortSignal,
): Promise<Comparison> {
  const before = await findSnapshot(from, context, signal);
  const after = to === null ? null : await findSnapshot(to, context, signal);
  if (after !== null && after.pool !== before.pool)
    throw new HoldfastError('Usage', `${from} and ${to} are in different pools.`, from);
  const { subvolume, snapshotter } = before;
  return { subvolume, changes: snapshotter.diff(from, to, signal, subvolume) };
}

/** Counts of differences: bytes are those of what was added, modified or removed. */
export interface DiffTotals {
  readonly added: number;
  readonly removed: number;
  readonly modified: number;
  readonly bytes: number;
}

export async function totalsOf(changes: AsyncIterable<Difference>): Promise<DiffTotals> {
  const totals = { added: 0, removed: 0, modified: 0, bytes: 0 };
  for await (const { change, bytes } of changes) {
    totals[change] += 1;
    totals.bytes += bytes;
  }
  return totals;
}
