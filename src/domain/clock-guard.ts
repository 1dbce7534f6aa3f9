import { newestFirst } from './proof.ts';
import type { PointSummary } from './recovery-point.ts';
import { isInFuture } from './retention.ts';

/** Why the clock is not to be believed beside these points of a service (interface, section 10, line 6); null when it
 *  is. Points of other machines only count when they are far in the future, since their clocks may be a little ahead;
 *  foreign archives do not count, since their times are names and modification times. Nor does what a person holds:
 *  that is the way out when the wrong clock was the one that made the point. */
export function clockProblem(
  points: readonly Pick<PointSummary, 'id' | 'timestamp' | 'origin' | 'location' | 'foreign' | 'held'>[],
  origin: string,
  now: Temporal.Instant,
): string | null {
  const sorted = points.filter(({ foreign, held }) => !foreign && held?.by !== 'user').toSorted(newestFirst);
  const future = sorted.find((point) => isInFuture(point, now));
  const ahead = sorted.find((point) => point.origin === origin && Temporal.Instant.compare(point.timestamp, now) > 0);
  const point = future ?? ahead;
  if (point === undefined) return null;
  const way = `when that one was made by a wrong clock: holdfast hold ${point.id}`;
  const says = now.round({ smallestUnit: 'second', roundingMode: 'floor' });
  return `it says ${says}, and point ${point.location} is of ${point.timestamp} (${way})`;
}
