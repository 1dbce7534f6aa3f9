import type { PointSummary } from '../../domain/recovery-point.ts';
import { pointAsJson } from './point.ts';
import { printable } from './table.ts';

/** A line for each point, `Would hold ID  SERVICE in REPOSITORY`; or that there is none. */
export const plannedForPeople = (verb: string, points: readonly PointSummary[]): string =>
  points.length === 0
    ? `Nothing to ${verb}.`
    : points
        .map(({ id, service, repository }) => `Would ${verb} ${id}  ${printable(service)} in ${printable(repository)}`)
        .join('\n');

export const plannedAsJson = (points: readonly PointSummary[]): object => ({
  dryRun: true,
  points: points.map(pointAsJson),
});
