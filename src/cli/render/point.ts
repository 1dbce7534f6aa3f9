import { formatDuration } from '../../domain/duration.ts';
import type { PointSummary } from '../../domain/recovery-point.ts';
import { formatBytes } from '../../domain/size.ts';
import { coloured, faint } from './colour.ts';
import { printable, table } from './table.ts';

/** `2026-11-21 02:00:04`, in the machine's time zone. */
export const timeForPeople = (at: Temporal.Instant, zone = Temporal.Now.timeZoneId()): string =>
  at.toString({ timeZone: zone, smallestUnit: 'second' }).slice(0, -'+00:00'.length).replace('T', ' ');

/** `3h ago`; a time that lies in the future says so. */
export function ageForPeople(at: Temporal.Instant, now: Temporal.Instant): string {
  const seconds = (now.epochMilliseconds - at.epochMilliseconds) / 1000;
  return seconds < 0 ? `in ${formatDuration(-seconds)}` : `${formatDuration(seconds)} ago`;
}

/** A row of `list --json` (interface, section 4), and what is added to it: outcome of each item is `show`'s. */
export function pointAsJson(point: PointSummary): object {
  const { id, service, repository, timestamp, outcome, totalSize, items, evidence, evidenceAt, held, foreign } = point;
  return {
    id,
    service,
    repository,
    timestamp: timestamp.toString(),
    outcome,
    totalSize,
    items: items.map(({ name }) => name),
    evidence,
    evidenceAt: evidenceAt.toString(),
    held: held?.reason ?? null,
    foreign,
    location: point.location,
    plan: point.plan,
    type: point.type,
  };
}

/** A point, and whether its plan is no longer configured, where that was asked. */
export type Remarkable = PointSummary & { readonly orphaned?: boolean };

/** What is remarkable about a point: held, foreign, made for safety, of a plan that is gone. */
export function remarkOf({ held, foreign, type, orphaned = false }: Remarkable): string {
  const words = [
    held === null ? '' : `held: ${held.reason}`,
    foreign ? 'foreign' : '',
    type === 'safety' ? 'safety' : '',
    orphaned ? 'orphaned' : '',
  ];
  return words.filter((word) => word !== '').join(', ');
}

/** A row of a list is one line; `show` says the whole. */
const LONGEST_REMARK = 72;
const cut = (text: string): string => (text.length <= LONGEST_REMARK ? text : `${text.slice(0, LONGEST_REMARK - 1)}…`);

export function pointsForPeople(points: readonly Remarkable[], now: Temporal.Instant): string {
  const columns = [
    { title: 'POINT' },
    { title: 'SERVICE' },
    { title: 'REPOSITORY' },
    { title: 'TIME' },
    { title: 'AGE', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'OUTCOME' },
    { title: 'PROVED' },
    { title: '' },
  ] as const;
  const zone = Temporal.Now.timeZoneId();
  const rows = points.map((point) => [
    point.id,
    printable(point.service),
    printable(point.repository),
    timeForPeople(point.timestamp, zone),
    ageForPeople(point.timestamp, now),
    formatBytes(point.totalSize),
    coloured(point.outcome),
    coloured(point.evidence),
    faint(cut(printable(remarkOf(point)))),
  ]);
  return table(columns, rows);
}
