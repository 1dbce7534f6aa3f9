import { formatDuration } from '../../domain/duration.ts';
import type { RunReport } from '../../operations/run.ts';
import type { RunPlan } from '../../operations/run-plan.ts';
import { backupAsJson, backupForPeople, plannedBackupForPeople } from './backup.ts';
import { coloured, doubtful } from './colour.ts';
import { plannedPruneAsJson, plannedPruneForPeople, pruneAsJson, pruneForPeople } from './prune.ts';
import { printable } from './table.ts';
import { verifyAsJson, verifyForPeople } from './verify.ts';

export const runAsJson = ({ run, outcome, durationMs, backup, verify, prune, unproved }: RunReport): object => ({
  run,
  outcome,
  durationMs,
  backup: backupAsJson(backup),
  verify: verifyAsJson(verify),
  prune: prune === null ? null : pruneAsJson(prune),
  unproved: unproved.map(({ service, repository }) => ({ service, repository })),
});

export function runForPeople({ outcome, durationMs, backup, verify, prune, unproved }: RunReport): string {
  return [
    backupForPeople(backup),
    verifyForPeople(verify),
    ...(prune === null ? [] : [pruneForPeople(prune)]),
    ...unproved.map(
      ({ service, repository }) =>
        `${doubtful('not pruned')}: ${printable(service)} in ${printable(repository)}: its new point was not proved`,
    ),
    `${coloured(outcome)}: the whole run, in ${formatDuration(durationMs / 1000)}`,
  ].join('\n\n');
}

export const plannedRunAsJson = ({ plan, backup, verify, prune }: RunPlan): object => ({
  dryRun: true,
  plan,
  backup: { services: backup },
  verify: { level: verify },
  prune: plannedPruneAsJson(prune),
});

export function plannedRunForPeople({ backup, verify, prune }: RunPlan): string {
  const older = prune.services.length + prune.keptStates.length + prune.failures.length > 0;
  const proof = `Would prove each new point as ${verify}.`;
  const after = older
    ? [`${proof} Where one is, this becomes of the older ones:`, plannedPruneForPeople(prune)]
    : [proof];
  return [plannedBackupForPeople(backup), ...after].join('\n\n');
}
