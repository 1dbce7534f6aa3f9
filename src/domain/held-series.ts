import type { PointSummary } from './recovery-point.ts';
import { bucketOf } from './retention-buckets.ts';

/** Holds do not pile up (interface, section 10, line 12). A series are the points that were held as suspicious one after
 *  the other. Of each, the first, the newest and one a week stay; so does the last point before it, which is what a
 *  person compares the series with. What a person holds, or what a wrong clock made, always stays.
 *  `points` newest first. Answers with reasons by location; a held point that is not in it may be removed. */
export function heldReasons(points: readonly PointSummary[], zone: string): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  let series: PointSummary[] = [];
  let before: PointSummary | undefined;
  const close = (): void => {
    const [first, newest] = [series[0], series.at(-1)];
    if (first === undefined || newest === undefined) return;
    if (before !== undefined) reasons.set(before.location, `the last one before those held since ${first.timestamp}`);
    for (const [week, members] of weeks(series, zone)) {
      const last = members.at(-1);
      if (last !== undefined) reasons.set(last.location, `held: ${last.held?.reason}; one of ${week} stays`);
    }
    reasons.set(newest.location, `held: ${newest.held?.reason}; the newest of its series stays`);
    reasons.set(first.location, `held: ${first.held?.reason}; the first of its series stays`);
    series = [];
  };
  for (const point of points.toReversed()) {
    if (point.held === null) {
      close();
      before = point;
    } else if (point.held.by === 'anomaly') series.push(point);
    else reasons.set(point.location, `held: ${point.held.reason}`);
  }
  close();
  return reasons;
}

const weeks = (series: readonly PointSummary[], zone: string): Map<string, PointSummary[]> =>
  Map.groupBy(series, ({ timestamp, location }) => bucketOf('weekly', timestamp, location, zone));
