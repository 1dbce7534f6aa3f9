import { formatDuration } from '../../domain/duration.ts';
import type { RunReport } from '../../operations/run.ts';
import { backupAsJson, backupForPeople } from './backup.ts';
import { coloured, doubtful } from './colour.ts';
import { pruneAsJson, pruneForPeople } from './prune.ts';
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
