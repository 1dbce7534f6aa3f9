import { counted } from '../../domain/counted.ts';
import { formatDuration } from '../../domain/duration.ts';
import { formatBytes } from '../../domain/size.ts';
import type { KeptAside } from '../../operations/in-place-kept.ts';
import type { RestoreReport } from '../../operations/restore-request.ts';
import { coloured, doubtful } from './colour.ts';
import { timeForPeople } from './point.ts';
import { printable, table } from './table.ts';

export const keptAsJson = ({ path, original, kind, until }: KeptAside): object => ({
  path,
  original,
  kind,
  until: until.toString(),
});

export function restoreAsJson(report: RestoreReport): object {
  const { run, outcome, dryRun, service, point, target, items, missing, replaced, skipped, kept, durationMs } = report;
  return {
    run,
    outcome,
    dryRun,
    service,
    point: { id: point.id, repository: point.repository, timestamp: point.timestamp.toString() },
    target: target.kind === 'folder' ? { kind: 'folder', path: target.path } : { ...target },
    items: items.map(({ name, paths, files, bytes, proof }) => ({ name, paths, files, bytes, proof })),
    missing,
    replaced,
    skipped,
    kept: kept.map(keptAsJson),
    safetyPoint: report.safetyPoint,
    steps: report.steps,
    warnings: report.warnings,
    durationMs,
  };
}

export function restoreForPeople(report: RestoreReport): string {
  const { outcome, dryRun, service, point, items, missing, replaced, skipped, kept, steps, warnings } = report;
  const from = `${printable(service)} of ${timeForPeople(point.timestamp)} (${point.id}, ${printable(point.repository)})`;
  const said = [
    ...missing.map((name) => `${doubtful('missing')}: ${printable(name)}: its backup had failed`),
    ...warnings.map((warning) => `${doubtful('warning')}: ${printable(warning)}`),
  ];
  if (dryRun) return [`Would restore ${from}:`, ...steps.map((step) => `  ${printable(step)}`), ...said].join('\n');
  const columns = [
    { title: 'ITEM' },
    { title: 'FILES', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'PROVED BY' },
    { title: 'WHERE' },
  ] as const;
  const rows = items.map(({ name, files, bytes, proof, paths }) => [
    printable(name),
    String(files),
    formatBytes(bytes),
    printable(proof),
    paths.map(printable).join(', '),
  ]);
  return [
    table(columns, rows),
    ...said,
    ...(replaced + skipped > 0
      ? [`${counted(replaced, 'file was', 'files were')} replaced, ${skipped} left as they were`]
      : []),
    ...kept.map(
      ({ path, original, kind, until }) =>
        `${printable(original)}: its state before is kept as ${kind === 'database' ? 'the database ' : ''}${printable(path)} until ${timeForPeople(until)}`,
    ),
    ...(report.safetyPoint === null ? [] : [`The state before is kept as safety point ${report.safetyPoint}`]),
    `${coloured(outcome)}: restored ${from} in ${formatDuration(report.durationMs / 1000)}`,
  ].join('\n');
}
