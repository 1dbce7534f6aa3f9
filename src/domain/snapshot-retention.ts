import type { SnapshotOutcome } from './guard.ts';

/** A snapshot that guard made: only what was recorded is removed (design, rule 6). */
export interface RetainedSnapshot {
  readonly name: string;
  readonly subvolume: string;
  readonly madeAt: Temporal.Instant;
  readonly outcome: SnapshotOutcome;
}

/** What may be removed of the snapshots that guard made. The newest `latest` of each subvolume stay, those younger than
 *  `within` seconds, every one whose outcome nobody has settled, and the newest that ended well, to which
 *  `rollback --last-good` leads (interface, section 10, line 15). */
export function removableSnapshots(
  snapshots: readonly RetainedSnapshot[],
  { latest, within }: { readonly latest: number; readonly within: number },
  now: Temporal.Instant,
): readonly RetainedSnapshot[] {
  const newestFirst = snapshots.toSorted((a, b) => Temporal.Instant.compare(b.madeAt, a.madeAt));
  const counts = new Map<string, number>();
  const good = new Set<string>();
  return newestFirst.filter(({ subvolume, madeAt, outcome }) => {
    const count = (counts.get(subvolume) ?? 0) + 1;
    counts.set(subvolume, count);
    const lastGood = outcome === 'success' && !good.has(subvolume);
    if (lastGood) good.add(subvolume);
    const young = now.epochMilliseconds - madeAt.epochMilliseconds < within * 1000;
    return !(count <= latest || young || lastGood || !SETTLED.has(outcome));
  });
}

/** `rollback_failed` is not: the snapshot may be the only whole state. Nor is what was never taken back and may be. */
const SETTLED: ReadonlySet<SnapshotOutcome> = new Set(['success', 'rolled_back']);
