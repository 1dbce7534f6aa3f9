import { messageOf } from '../domain/errors.ts';
import { removableSnapshots } from '../domain/snapshot-retention.ts';
import type { GuardContext, Subject } from './guard-context.ts';

/** Removes snapshots of a subvolume that guard made and that nobody needs any more (interface, section 10, line 15). Only
 *  what was recorded goes; what cannot be removed is told and keeps nothing else. A subvolume with few snapshots costs
 *  one look at their folder, however long the history is. */
export async function retainSnapshots(
  { pool, subvolume, snapshotter }: Subject,
  { guard, catalog, clock, host, progress, journal }: GuardContext,
): Promise<readonly string[]> {
  const signal = new AbortController().signal;
  const removed: string[] = [];
  try {
    const names = new Set(await (await host('local')).files.list(snapshotter.snapshotsPath, signal));
    if ([...names].filter((name) => name.startsWith(`${subvolume}-`)).length <= guard.keep.latest) return [];
    const inUse = new Set(
      (await journal()).open().map(({ detail }) => (detail as { readonly snapshot?: unknown } | null)?.snapshot),
    );
    const recorded = (await catalog.snapshots({ subvolume, pool, names: [...names] })).filter(
      (one) => one.type === 'pre-operation' && !inUse.has(one.name),
    );
    for (const { name } of removableSnapshots(recorded, guard.keep, clock.now())) {
      await snapshotter.remove(name, signal);
      removed.push(name);
    }
  } catch (error) {
    progress({ type: 'warning', subject: subvolume, text: `old snapshots were not removed: ${messageOf(error)}` });
  }
  return removed;
}
