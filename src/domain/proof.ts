import { type Evidence, evidenceRank, type PointSummary } from './recovery-point.ts';

/** What a point is worth to retention: 2 whole, 1 partial, 0 when its last check failed, which counts for nothing. */
export function worth({ outcome, evidence }: Pick<PointSummary, 'outcome' | 'evidence'>): 0 | 1 | 2 {
  if (evidence === 'failed') return 0;
  return outcome === 'passed' ? 2 : 1;
}

/** The sources of which every item is stored whole. */
export function passedSources({ items }: Pick<PointSummary, 'items'>): readonly string[] {
  const bySource = Map.groupBy(items, ({ source }) => source);
  return [...bySource]
    .filter(([, itemsOfIt]) => itemsOfIt.every(({ outcome }) => outcome === 'passed'))
    .map(([source]) => source);
}

/** Newest first, ties by id. */
export const newestFirst = (
  left: Pick<PointSummary, 'timestamp' | 'id'>,
  right: Pick<PointSummary, 'timestamp' | 'id'>,
): number =>
  Temporal.Instant.compare(right.timestamp, left.timestamp) || (right.id < left.id ? -1 : Number(right.id > left.id));

const proved = (evidence: Evidence): string =>
  evidence === 'failed' ? 'there is, though its last check failed' : `is ${evidence}`;

/** The gate of proof (interface, section 10, line 4): for the service as a whole and for each of its sources, the newest
 *  of the points that are proved best. `points` newest first, none of them held. Reasons by location. */
export function provenPoints(points: readonly PointSummary[]): ReadonlyMap<string, readonly string[]> {
  const reasons = new Map<string, string[]>();
  const keepBest = (candidates: readonly PointSummary[], words: string): void => {
    // Sorting is stable, so this is the newest of the best proved.
    const best = candidates.toSorted((left, right) => evidenceRank(right.evidence) - evidenceRank(left.evidence))[0];
    if (best === undefined) return;
    reasons.set(best.location, [...(reasons.get(best.location) ?? []), `${words} ${proved(best.evidence)}`]);
  };
  keepBest(
    points.filter(({ outcome }) => outcome === 'passed'),
    'the newest whole one that',
  );
  const bySource = new Map<string, PointSummary[]>();
  for (const point of points)
    for (const source of passedSources(point)) {
      const candidates = bySource.get(source) ?? [];
      candidates.push(point);
      bySource.set(source, candidates);
    }
  for (const [source, candidates] of bySource) keepBest(candidates, `the newest of source ${source} that`);
  return reasons;
}
