import type { ListReport } from '../../operations/list.ts';
import { failureAsJson } from './backup.ts';
import { doubtful } from './colour.ts';
import { pointAsJson, pointsForPeople } from './point.ts';
import { printable } from './table.ts';

export const listAsJson = ({ points, unreadable, failures }: ListReport): object => ({
  points: points.map((point) => ({ ...pointAsJson(point), orphaned: point.orphaned })),
  unreadable: unreadable.map(({ service, repository, location, problem }) => ({
    service,
    repository,
    location,
    problem,
  })),
  failures: failures.map(failureAsJson),
});

export function listForPeople({ points, unreadable, failures }: ListReport, now: Temporal.Instant): string {
  const damaged = unreadable.map(
    ({ repository, location, problem }) =>
      `${doubtful('unreadable')}: ${printable(repository)}: ${printable(location)}: ${printable(problem)}`,
  );
  const none =
    failures.length === 0 ? 'No recovery points yet. Make one with: holdfast backup' : 'No recovery points to be seen.';
  const shown = points.length === 0 ? none : pointsForPeople(points, now);
  return [shown, ...damaged].join('\n');
}
