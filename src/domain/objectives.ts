import { newestFirst } from './proof.ts';
import { evidenceRank, type PointSummary } from './recovery-point.ts';

/** What a service is meant to keep to, in seconds. */
export interface Objectives {
  /** How much work may be lost. */
  readonly rpo: number;
  /** How long it may be away. */
  readonly rto: number;
}

/** Of services that say none, whatever their tier (requirements, row D8): a day, and four hours. */
export const DEFAULT_OBJECTIVES: Objectives = { rpo: 24 * 3600, rto: 4 * 3600 };

/** In seconds; `actual` is null while nothing was proved. */
export interface Objective {
  readonly target: number;
  readonly actual: number | null;
}

/** A point that a service can be taken back to for sure: whole, its structure proved, and not suspicious. */
export const isRelied = ({
  outcome,
  evidence,
  held,
  foreign,
}: Pick<PointSummary, 'outcome' | 'evidence' | 'held' | 'foreign'>): boolean =>
  outcome === 'passed' && held === null && !foreign && evidenceRank(evidence) >= evidenceRank('sound');

/** What would be lost now: the age of the newest point that can be relied on, in seconds; null when there is none. */
export function lossNow(points: readonly PointSummary[], now: Temporal.Instant): number | null {
  const [newest] = points.filter(isRelied).toSorted(newestFirst);
  return newest === undefined ? null : Math.max(0, secondsBetween(newest.timestamp, now));
}

export interface Proved {
  readonly timestamp: Temporal.Instant;
  /** When its structure was proved first. */
  readonly provedAt: Temporal.Instant;
}

/** One moment at which a later point was proved, so that less would have been lost: from `before` seconds, null at the
 *  first one, to `seconds`. Between two moments it grows with the time. */
export interface LossAt {
  readonly at: Temporal.Instant;
  readonly before: number | null;
  readonly seconds: number;
}

/** What would have been lost over the time, oldest first. A proof of a point earlier than one that was proved changes
 *  nothing. */
export function lossSeries(proved: readonly Proved[]): readonly LossAt[] {
  const inTime = proved.toSorted(
    (left, right) =>
      Temporal.Instant.compare(left.provedAt, right.provedAt) ||
      Temporal.Instant.compare(left.timestamp, right.timestamp),
  );
  const series: LossAt[] = [];
  let newest: Temporal.Instant | null = null;
  for (const { timestamp, provedAt } of inTime) {
    if (newest !== null && Temporal.Instant.compare(timestamp, newest) <= 0) continue;
    const before = newest === null ? null : secondsBetween(newest, provedAt);
    series.push({ at: provedAt, before, seconds: secondsBetween(timestamp, provedAt) });
    newest = timestamp;
  }
  return series;
}

const secondsBetween = (from: Temporal.Instant, to: Temporal.Instant): number =>
  Math.round((to.epochMilliseconds - from.epochMilliseconds) / 1000);
