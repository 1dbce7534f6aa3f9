import { counted } from '../../domain/counted.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { RecoveryPoint } from '../../domain/recovery-point.ts';
import { formatBytes } from '../../domain/size.ts';
import type { BackupReport } from '../../operations/backup.ts';
import type { PlannedBackup } from '../../operations/backup-plan.ts';
import type { StopReport } from '../../operations/backup-service.ts';
import type { Failure } from '../../operations/failure.ts';
import { bad, coloured, doubtful, strong } from './colour.ts';
import { pointAsJson } from './point.ts';
import { factsForPeople } from './show.ts';
import { printable, table } from './table.ts';

/** `backup --json` (interface, section 4), and beside it what failed without a point. */
export function backupAsJson({ run, outcome, durationMs, points, failures, stops }: BackupReport): object {
  const rows = points.map((point) => ({
    ...pointAsJson(point),
    items: (point.manifest?.items ?? []).map(({ name, outcome, size, error }) => ({ name, outcome, size, error })),
  }));
  return {
    run,
    outcome,
    durationMs,
    points: rows,
    failures: failures.map(failureAsJson),
    stops: stops.map(stopAsJson),
  };
}

const stopAsJson = ({ service, units, downtimeMs, readings }: StopReport): object => ({
  service,
  units,
  downtimeMs,
  readings: readings.map(({ source, snapshot, why }) => ({ source, snapshot, why })),
});

export const failureAsJson = ({ service, repository, code, message, hint }: Failure): object => ({
  service,
  repository,
  code,
  message,
  hint,
});

export function failureForPeople({ service, repository, message, hint }: Failure): string {
  const where = [service, repository].filter((one) => one !== null && one !== '').join(' in ');
  return `${bad('failed')}: ${printable(where)}: ${printable(message)}\n  next: ${printable(hint)}`;
}

function pointForPeople(point: RecoveryPoint): string {
  const items = point.manifest?.items ?? [];
  const heading = `${strong(printable(point.service))} in ${printable(point.repository)}: ${coloured(point.outcome)}  ${point.id}`;
  const columns = [
    { title: '  ITEM' },
    { title: 'OUTCOME' },
    { title: 'SIZE', align: 'right' },
    { title: 'TOOK', align: 'right' },
    { title: 'FACTS' },
  ] as const;
  const rows = items.map((item) => [
    `  ${printable(item.name)}`,
    coloured(item.outcome),
    formatBytes(item.size),
    formatDuration(item.durationMs / 1000),
    factsForPeople(item.facts),
  ]);
  const said = items.flatMap(({ name, error, warnings }) => [
    ...(error === null ? [] : [`  ${bad('error')}: ${printable(name)}: ${printable(error)}`]),
    ...warnings.map((warning) => `  ${doubtful('warning')}: ${printable(name)}: ${printable(warning)}`),
  ]);
  const held = point.held === null ? [] : [`  ${doubtful('held')}: ${printable(point.held.reason)}`];
  return [heading, table(columns, rows), ...said, ...held].join('\n');
}

const stopForPeople = ({ service, units, downtimeMs, readings }: StopReport): string =>
  [
    `${strong(printable(service))}: ${units.map(printable).join(', ')} down for ${(downtimeMs / 1000).toFixed(2)} s`,
    ...readings.map((reading) => `  ${readingForPeople(reading)}`),
  ].join('\n');

function readingForPeople({ source, snapshot, why }: StopReport['readings'][number]): string {
  if (snapshot !== null) return `${printable(source)} was read from a snapshot (${snapshot}) after the start`;
  return `${printable(source)} was read before the start${why === null ? '' : `: ${printable(why)}`}`;
}

export function backupForPeople({ outcome, durationMs, points, failures, stops }: BackupReport): string {
  const size = points.reduce((sum, { totalSize }) => sum + totalSize, 0);
  const made =
    points.length === 0 ? 'no recovery point' : `${counted(points.length, 'recovery point')}, ${formatBytes(size)}`;
  const summary = `${coloured(outcome)}: ${made}, in ${formatDuration(durationMs / 1000)}`;
  return [...points.map(pointForPeople), ...stops.map(stopForPeople), ...failures.map(failureForPeople), summary].join(
    '\n',
  );
}

export const plannedBackupForPeople = (planned: readonly PlannedBackup[]): string =>
  planned
    .map(({ service, repositories, items, stops }) => {
      const names = (words: readonly string[]): string => words.map(printable).join(', ');
      const stopped = stops.length === 0 ? '' : `, with ${names(stops)} stopped`;
      return `Would back up ${strong(printable(service))} into ${names(repositories)}${stopped}: ${names(items)}`;
    })
    .join('\n');
