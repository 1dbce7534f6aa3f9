import { newestFirst } from './proof.ts';
import type { PointSummary } from './recovery-point.ts';
import { isInFuture } from './retention.ts';

/** Why the clock is not to be believed beside these points of a service (interface, section 10, line 6); null when it
 *  is. Points of other machines only count when they are far in the future, since their clocks may be a little ahead;
 *  foreign archives do not count, since their times are names and modification times. */
export function clockProblem(
  points: readonly Pick<PointSummary, 'id' | 'timestamp' | 'origin' | 'location' | 'foreign'>[],
  origin: string,
  now: Temporal.Instant,
): string | null {
  const sorted = points.filter(({ foreign }) => !foreign).toSorted(newestFirst);
  const future = sorted.find((point) => isInFuture(point, now));
  if (future !== undefined) return `point ${future.location} is of ${future.timestamp}, and the clock says ${now}`;
  const newest = sorted.find((point) => point.origin === origin);
  if (newest !== undefined && Temporal.Instant.compare(newest.timestamp, now) > 0)
    return `the clock says ${now}, earlier than the newest point ${newest.location} of ${newest.timestamp}`;
  return null;
}
