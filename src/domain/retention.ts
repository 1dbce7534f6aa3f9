import type { Retention } from './definitions.ts';
import { heldReasons } from './held-series.ts';
import { newestFirst, provenPoints, worth } from './proof.ts';
import type { PointSummary } from './recovery-point.ts';
import { BUCKET_RULES, type BucketRule, bucketOf } from './retention-buckets.ts';

/** How far a point may lie in the future before its clock, or this one, is not believed (interface, section 10, line 6). */
export const CLOCK_TOLERANCE_SECONDS = 600;

/** Whether a point stays, and why; or why it may go. */
export interface Verdict {
  readonly stays: boolean;
  readonly reasons: readonly string[];
}

type Count = (rule: BucketRule) => number;

/** Judges the points that one plan made of one service in one repository, by grandfather-father-son rules in `zone`
 *  (IANA). Held points take no place of another. A partial point takes a bucket only where no whole one is, and a point
 *  whose check failed only where no other is; neither uses up a place of a whole one. A policy without a positive number
 *  keeps all. Answers by location. */
export function retain(
  points: readonly PointSummary[],
  policy: Retention,
  zone: string,
  now: Temporal.Instant,
): ReadonlyMap<string, Verdict> {
  const sorted = points.toSorted(newestFirst);
  const trusted = sorted.filter(({ held }) => held === null);
  const stay = new Map<string, string[]>(sorted.map(({ location }) => [location, []]));
  const go = new Map<string, string[]>(sorted.map(({ location }) => [location, []]));
  const rules = BUCKET_RULES.filter((rule) => (policy[rule] ?? 0) > 0);
  const count: Count = (rule) => policy[rule] ?? 0;
  for (const rule of rules)
    for (const { location, stays, why } of takePlaces(rule, count(rule), trusted, zone))
      (stays ? stay : go).get(location)?.push(why);
  const within = withinOf(policy);
  if (within > 0)
    for (const { location, stays, why } of recent(within, trusted, now)) (stays ? stay : go).get(location)?.push(why);
  if (rules.length === 0 && within === 0)
    for (const { location } of sorted) stay.get(location)?.push('the policy is empty');
  for (const [location, why] of heldReasons(sorted, zone)) stay.get(location)?.push(why);
  for (const [location, why] of provenPoints(trusted)) stay.get(location)?.push(...why);
  for (const { location, held } of sorted)
    if (held !== null) go.get(location)?.push(`held: ${held.reason}; others of its series stay`);
  return new Map(
    sorted.map(({ location }) => {
      const reasons = stay.get(location) ?? [];
      const stays = reasons.length > 0;
      return [location, { stays, reasons: stays ? reasons : (go.get(location) ?? []) }];
    }),
  );
}

interface Place {
  readonly location: string;
  readonly stays: boolean;
  readonly why: string;
}

/** One point for each of the newest `count` buckets. `points` newest first. */
function* takePlaces(rule: BucketRule, count: number, points: readonly PointSummary[], zone: string): Iterable<Place> {
  const buckets = Map.groupBy(points, ({ timestamp, location }) => bucketOf(rule, timestamp, location, zone));
  const taken = [0, 0, 0]; // by worth: the lesser ones are counted apart, so that they push no better one out
  for (const [bucket, members] of buckets) {
    const taker = members.toSorted((left, right) => worth(right) - worth(left))[0] as PointSummary;
    const full = taken.slice(worth(taker)).some((places) => places >= count);
    taken[worth(taker)] = (taken[worth(taker)] ?? 0) + 1;
    const name = rule === 'latest' ? '' : ` ${bucket}`;
    for (const { location } of members)
      if (location !== taker.location)
        yield { location, stays: false, why: `${rule}${name}: ${taker.timestamp} stands for it` };
      else if (full) yield { location, stays: false, why: `${rule}${name}: beyond the newest ${count}` };
      else yield { location, stays: true, why: `${rule}${name}` };
  }
}

/** How old a point may be at most, in seconds; 0 where its age is no reason. */
export const withinOf = ({ within = 0, leeway = 0 }: Retention): number => (within > 0 ? within + leeway : 0);

/** Those of the last `seconds` before the newest whole point that is not in the future; all, when there is none. */
function* recent(seconds: number, points: readonly PointSummary[], now: Temporal.Instant): Iterable<Place> {
  const anchor = points.find((point) => worth(point) === 2 && !isInFuture(point, now));
  const since = anchor?.timestamp.subtract({ seconds });
  for (const { location, timestamp } of points) {
    const stays = since === undefined || Temporal.Instant.compare(timestamp, since) >= 0;
    yield { location, stays, why: stays ? 'within' : `within: made before ${since}` };
  }
}

/** Later than {@link CLOCK_TOLERANCE_SECONDS} from now. */
export const isInFuture = ({ timestamp }: Pick<PointSummary, 'timestamp'>, now: Temporal.Instant): boolean =>
  Temporal.Instant.compare(timestamp, now.add({ seconds: CLOCK_TOLERANCE_SECONDS })) > 0;
