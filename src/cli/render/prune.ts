import { counted } from '../../domain/counted.ts';
import { formatDuration } from '../../domain/duration.ts';
import type { Decision } from '../../domain/pruning.ts';
import { formatBytes } from '../../domain/size.ts';
import { nameOfKept } from '../../operations/kept-states.ts';
import type { PruneReport } from '../../operations/prune.ts';
import type { PlannedPrune, PrunePlan } from '../../operations/prune-plan.ts';
import type { KeptState } from '../../ports/catalog.ts';
import { failureAsJson, failureForPeople } from './backup.ts';
import { bad, coloured, doubtful, good, strong } from './colour.ts';
import { timeForPeople } from './point.ts';
import { printable, table } from './table.ts';

const decisionAsJson = ({ point, action, reasons }: Decision): object => ({
  point: point.id,
  timestamp: point.timestamp.toString(),
  evidence: point.evidence,
  size: point.totalSize,
  action,
  reasons,
});

const serviceAsJson = ({ repository, service, plan, decisions, refused, question }: PlannedPrune): object => ({
  repository,
  service,
  plan,
  refused,
  question,
  decisions: decisions.map(decisionAsJson),
});

const placeAsJson = (state: KeptState): object =>
  'path' in state
    ? { host: state.host, path: state.path }
    : { service: state.service, source: state.source, database: state.database };
const keptStatesAsJson = ({ keptStates }: PrunePlan): object[] =>
  keptStates.map((state) => ({ ...placeAsJson(state), until: state.until.toString() }));

export const plannedPruneAsJson = (plan: PrunePlan): object => ({
  dryRun: true,
  services: plan.services.map(serviceAsJson),
  keptStates: keptStatesAsJson(plan),
  failures: plan.failures.map(failureAsJson),
});

export const pruneAsJson = ({
  run,
  outcome,
  durationMs,
  services,
  removed,
  removedStates,
  passedOver,
  failures,
}: PruneReport): object => ({
  run,
  outcome,
  durationMs,
  services: services.map(serviceAsJson),
  removed: removed.map(({ id, service, repository }) => ({ id, service, repository })),
  removedStates: removedStates.map(placeAsJson),
  passedOver: passedOver.map(({ point, reason }) => ({ point: point.id, repository: point.repository, reason })),
  failures: failures.map(failureAsJson),
});

/** The newest whole point is the newest of each of its sources too: said once. */
function whyForPeople(reasons: readonly string[]): string {
  const whole = reasons.some((reason) => reason.startsWith('the newest whole one '));
  return reasons.filter((reason) => !whole || !reason.startsWith('the newest of source ')).join(', ');
}

function serviceForPeople({ repository, service, plan, decisions, refused, question }: PlannedPrune): string {
  const heading = `${strong(printable(service))} in ${printable(repository)}, ${plan === null ? 'made by hand' : `plan ${printable(plan)}`}`;
  const rows = decisions.map(({ point, action, reasons }) => [
    `  ${action === 'keep' ? good('keep') : bad('remove')}`,
    point.id,
    timeForPeople(point.timestamp),
    coloured(point.evidence),
    formatBytes(point.totalSize),
    printable(whyForPeople(reasons)),
  ]);
  const columns = [
    { title: '  ACTION' },
    { title: 'POINT' },
    { title: 'TIME' },
    { title: 'PROVED' },
    { title: 'SIZE', align: 'right' },
    { title: 'WHY' },
  ] as const;
  const said = [
    ...(refused === null ? [] : [`  ${bad('refused')}: ${printable(refused)}`]),
    ...(question === null ? [] : [`  ${doubtful('asks')}: ${printable(question)}`]),
  ];
  return [heading, table(columns, rows), ...said].join('\n');
}

export function plannedPruneForPeople({ services, keptStates, failures }: PrunePlan): string {
  const lines = [
    ...services.map(serviceForPeople),
    ...keptStates.map(
      (state) => `${bad('remove')}  ${printable(nameOfKept(state))}, kept until ${timeForPeople(state.until)}`,
    ),
    ...failures.map(failureForPeople),
  ];
  return lines.length === 0 ? 'No points to decide about.' : lines.join('\n');
}

export function pruneForPeople(report: PruneReport): string {
  const { outcome, durationMs, services, removed, removedStates, passedOver, failures } = report;
  const kept = services.reduce((sum, { decisions }) => sum + decisions.length, 0) - removed.length;
  const freed = removed.reduce((sum, { totalSize }) => sum + totalSize, 0);
  const gone =
    removed.length === 0 ? 'nothing to remove' : `${counted(removed.length, 'point')} removed (${formatBytes(freed)})`;
  return [
    ...removed.map((point) => `removed  ${point.id}  ${printable(point.service)} in ${printable(point.repository)}`),
    ...removedStates.map((state) => `removed  ${printable(nameOfKept(state))}, a state that was kept`),
    ...passedOver.map(({ point, reason }) => `${doubtful('kept')}  ${point.id}: ${printable(reason)}`),
    ...failures.map(failureForPeople),
    `${coloured(outcome)}: ${gone}, ${kept} kept, in ${formatDuration(durationMs / 1000)}`,
  ].join('\n');
}
