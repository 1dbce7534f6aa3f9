import { formatDuration } from '../../domain/duration.ts';
import type { GuardReport } from '../../operations/guard.ts';
import { rollbackAsJson, rollbackForPeople } from './rollback.ts';
import { printable } from './table.ts';
import { validationAsJson, validationForPeople } from './validation.ts';

export const guardAsJson = (report: GuardReport): object => ({
  subvolume: report.subvolume,
  operation: report.operation,
  decision: report.decision,
  snapshot_name: report.snapshot,
  outcome: report.outcome,
  commandExit: report.commandExit,
  commandError: report.commandError,
  rolledBack: report.rolledBack,
  validation: report.validation === null ? null : validationAsJson(report.validation),
  rollback: report.rollback === null ? null : rollbackAsJson(report.rollback),
  rollbackError: report.rollbackError,
  rollbackHint: report.rollbackHint,
  exitCode: report.exitCode,
  durationMs: report.durationMs,
});

export const OUTCOMES: Readonly<Record<GuardReport['outcome'], string>> = {
  pending: 'the outcome is open',
  success: 'success',
  command_failed: 'the command failed',
  validation_failed: 'the checks failed',
  rolled_back: 'rolled back',
  rollback_failed: 'the rollback failed',
  unprotected: 'no snapshot was needed',
};

/** Whether what the command left is still there, so that the way back is told. */
export const isUntouched = ({ outcome, rollbackError }: Pick<GuardReport, 'outcome' | 'rollbackError'>): boolean =>
  outcome === 'command_failed' || outcome === 'validation_failed' || outcome === 'pending' || rollbackError !== null;

export function guardForPeople(report: GuardReport): string {
  const { operation, outcome, snapshot, commandExit, commandError, validation, rollback, rollbackError, rollbackHint } =
    report;
  return [
    ...(commandError === null ? [] : [printable(commandError)]),
    ...(commandExit === null || commandExit === 0 ? [] : [`the command ended with ${commandExit}`]),
    ...(validation === null ? [] : validationForPeople(validation)),
    ...(rollback === null ? [] : [rollbackForPeople(rollback)]),
    ...(rollbackError === null ? [] : [`the data could not be taken back: ${printable(rollbackError)}`]),
    ...(rollbackHint === null ? [] : [`  next: ${printable(rollbackHint)}`]),
    `guard ${printable(operation)}: ${OUTCOMES[outcome]}, ${formatDuration(report.durationMs / 1000)}`,
    ...(snapshot === null ? [`  why: ${printable(report.decision.reason)}`] : [`  snapshot: ${printable(snapshot)}`]),
    ...(isUntouched(report) && snapshot !== null
      ? [`  back: holdfast rollback --snapshot ${printable(snapshot)}`]
      : []),
  ].join('\n');
}
