import { counted } from '../../domain/counted.ts';
import { formatDuration } from '../../domain/duration.ts';
import { checkFields, type PointVerdict } from '../../domain/verdict.ts';
import type { VerifyReport } from '../../operations/verify.ts';
import { coloured, doubtful, strong } from './colour.ts';
import { timeForPeople } from './point.ts';
import { printable, table } from './table.ts';

const verdictAsJson = ({ point, outcome, checks, evidence, evidenceAt }: PointVerdict): object => ({
  outcome,
  checks: checks.map(checkFields),
  point: point.id,
  service: point.service,
  repository: point.repository,
  evidence,
  evidenceAt: evidenceAt.toString(),
});

/** Of one point its own fields stand at the top, of several in `points` (interface, section 4). Copies of one point in
 *  several repositories have both: whoever asked for that point finds its checks where they always are. */
export function verifyAsJson({ outcome, points, level, durationMs, run, warnings }: VerifyReport): object {
  const said = warnings.map(({ subject, text }) => ({ subject, text }));
  const [only, ...others] = points;
  const about = { level, durationMs, run, warnings: said };
  if (only !== undefined && others.length === 0) return { ...verdictAsJson(only), ...about, outcome };
  const several = { points: points.map(verdictAsJson), ...about };
  if (only === undefined || points.some(({ point }) => point.id !== only.point.id)) return { outcome, ...several };
  const checks = points.flatMap((copy) =>
    copy.checks.map((check) => ({ ...checkFields(check), repository: copy.point.repository })),
  );
  return { outcome, checks, point: only.point.id, service: only.point.service, ...several };
}

function verdictForPeople({ point, outcome, checks }: PointVerdict): string {
  const heading = `${strong(point.id)}  ${printable(point.service)} in ${printable(point.repository)}, ${timeForPeople(point.timestamp)}: ${coloured(outcome)}`;
  const rows = checks.map(({ name, outcome, detail }) => [
    `  ${printable(name)}`,
    coloured(outcome),
    printable(detail),
  ]);
  return `${heading}\n${table([{ title: '  CHECK' }, { title: 'OUTCOME' }, { title: 'DETAIL' }], rows)}`;
}

export function verifyForPeople({ outcome, points, level, durationMs, warnings }: VerifyReport): string {
  const said = warnings.map(({ subject, text }) => `${doubtful('warning')}: ${printable(subject)}: ${printable(text)}`);
  const looked = counted(points.length, 'recovery point');
  const summary = `${coloured(outcome)}: ${looked} checked for "${level}" in ${formatDuration(durationMs / 1000)}`;
  return [
    ...points.map(verdictForPeople),
    ...said,
    points.length === 0 ? `${coloured(outcome)}: nothing to prove` : summary,
  ].join('\n');
}
