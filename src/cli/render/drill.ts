import type { DrilledItem, DrillVerdict } from '../../domain/drill.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { Check } from '../../domain/verdict.ts';
import type { DrillReport } from '../../operations/drill.ts';
import { besideTarget, drillFields } from '../../operations/drill-report.ts';
import { coloured, doubtful, strong } from './colour.ts';
import { timeForPeople } from './point.ts';
import { printable, table } from './table.ts';

/** Of one point its own fields stand at the top, of several in `points` (interface, section 4). */
export function drillAsJson({ outcome, points, durationMs, run, warnings }: DrillReport): object {
  const said = warnings.map(({ subject, text }) => ({ subject, text }));
  const [only, ...others] = points;
  const about = { durationMs, run, warnings: said };
  if (only !== undefined && others.length === 0) return { ...drillFields(only), ...about, outcome };
  return { outcome, points: points.map(drillFields), ...about };
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`;
const checkRow = ({ name, outcome, durationMs, detail }: Check): string[] => [
  `  ${printable(name)}`,
  coloured(outcome),
  seconds(durationMs),
  printable(detail),
];
const itemRow = ({ name, outcome, durationMs, detail, dumpedBy, restoredBy }: DrilledItem): string[] => {
  const made = dumpedBy === null ? '' : `${dumpedBy.name} ${dumpedBy.version}, `;
  const tools = restoredBy === null ? '' : ` (${made}restored by ${restoredBy.name} ${restoredBy.version})`;
  return [`  ${printable(name)}`, coloured(outcome), seconds(durationMs), printable(detail + tools)];
};

const titled = (title: string, rows: readonly (readonly string[])[]): readonly string[] =>
  rows.length === 0
    ? []
    : [
        table(
          [{ title: `  ${title}` }, { title: 'OUTCOME' }, { title: 'TIME', align: 'right' }, { title: 'DETAIL' }],
          rows,
        ),
      ];

/** Said only where it is missed; reports say it always. */
const missed = (verdict: DrillVerdict): string => {
  const { rtoMs, rtoTargetMs } = verdict;
  return rtoMs !== null && rtoTargetMs !== null && rtoMs > rtoTargetMs ? doubtful(besideTarget(verdict)) : '';
};

function verdictForPeople(verdict: DrillVerdict): string {
  const { point, outcome, phases, items, checks, notChecked, rtoMs } = verdict;
  const where = `${strong(point.id)}  ${printable(point.service)} in ${printable(point.repository)}`;
  const recovery = rtoMs === null ? '' : `, back and verified in ${formatDuration(rtoMs / 1000)}${missed(verdict)}`;
  return [
    `${where}, ${timeForPeople(point.timestamp)}: ${coloured(outcome)}${recovery}`,
    ...titled('PHASE', phases.map(checkRow)),
    ...titled('ITEM', items.map(itemRow)),
    ...titled('CHECK', checks.map(checkRow)),
    ...notChecked.map(({ name, reason }) => `  not checked: ${printable(name)}: ${printable(reason)}`),
    ...items.flatMap(({ name, left }) => left.map((words) => `  left out: ${printable(name)}: ${printable(words)}`)),
  ].join('\n');
}

export function drillForPeople({ outcome, points, durationMs, warnings }: DrillReport): string {
  const said = warnings.map(({ subject, text }) => `${doubtful('warning')}: ${printable(subject)}: ${printable(text)}`);
  const summary = `${coloured(outcome)}: ${points.length === 1 ? 'a drill' : `${points.length} drills`} in ${formatDuration(durationMs / 1000)}`;
  return [
    ...points.map(verdictForPeople),
    ...said,
    points.length === 0 ? `${coloured(outcome)}: nothing to drill` : summary,
  ].join('\n');
}
