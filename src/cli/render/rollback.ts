import { formatDuration } from '../../domain/duration.ts';
import type { DiffTotals } from '../../operations/diff.ts';
import type { RollbackReport } from '../../operations/rollback.ts';
import type { PathRollback, PathRollbackPlan } from '../../operations/rollback-path.ts';
import type { RollbackPlan } from '../../operations/rollback-plan.ts';
import { coloured } from './colour.ts';
import { totalsForPeople } from './diff.ts';
import { recoveryAsJson } from './history.ts';
import { ageForPeople, timeForPeople } from './point.ts';
import { printable } from './table.ts';
import { validationAsJson, validationForPeople } from './validation.ts';

export const rollbackAsJson = (report: RollbackReport): object => ({
  outcome: report.outcome,
  recovery: recoveryAsJson(report.recovery),
  replaced: report.replaced.map(({ subvolume, snapshot, kept, nested, written }) => ({
    subvolume,
    snapshot,
    kept,
    nested,
    written,
  })),
  problems: report.problems,
  validation: validationAsJson(report.validation),
});

export const rollbackPlanAsJson = (
  { subvolume, replacements, leftAlone, units }: RollbackPlan,
  written: readonly (DiffTotals | null)[],
): object => ({
  dryRun: true,
  subvolume,
  replaced: replacements.map((one, index) => ({
    subvolume: one.subvolume,
    snapshot: one.snapshot.name,
    madeAt: one.snapshot.madeAt.toString(),
    kept: one.keptPath,
    nested: one.state.nested,
    written: written[index],
  })),
  leftAlone,
  units: units.map(({ unit, running }) => ({ name: unit.name, running })),
});

const NOTHING_NOW = '  nothing is there now';

const unitLines = (units: RollbackPlan['units']): readonly string[] =>
  units.map(({ unit, running }) => (running ? `stops ${unit.name}` : `${unit.name} is down and stays down`));

/** What would stop and be replaced, how old it is, and what was written since.
 *  @param written null where nobody decides by it: then the report tells */
export function rollbackPreview(
  { replacements, leftAlone, units }: RollbackPlan,
  written: readonly (DiffTotals | null)[] | null,
  now: Temporal.Instant,
): string {
  return [
    ...unitLines(units),
    ...replacements.flatMap(({ subvolume, snapshot, keptPath, state }, index) => [
      `replaces ${printable(subvolume)} by ${printable(snapshot.name)} of ${timeForPeople(snapshot.madeAt)}, ${ageForPeople(snapshot.madeAt, now)}`,
      ...writtenLine(written?.[index]),
      keptPath === null ? NOTHING_NOW : `  the present state is kept: ${printable(keptPath)}`,
      ...nestedLine(state.nested, 'go along as they are'),
    ]),
    ...leftAlone.map(({ subvolume, reason }) => `leaves ${printable(subvolume)} as it is: ${printable(reason)}`),
  ].join('\n');
}

const writtenLine = (written: DiffTotals | null | undefined): readonly string[] =>
  written ? [`  written since: ${totalsForPeople(written)}`] : [];

/** A snapshot does not hold them, so what they hold is not taken back. */
const nestedLine = (nested: readonly string[], words: string): readonly string[] =>
  nested.length === 0 ? [] : [`  subvolumes inside ${words}, not taken back: ${printable(nested.join(', '))}`];

export function rollbackForPeople({ outcome, recovery, replaced, problems, validation }: RollbackReport): string {
  return [
    ...replaced.flatMap(({ subvolume, snapshot, kept, nested, written }) => [
      `${printable(subvolume)} is ${printable(snapshot)} again; ${kept === null ? 'nothing was left of it' : `the state before is ${printable(kept)}`}`,
      ...writtenLine(written),
      ...nestedLine(nested, 'went along as they were'),
    ]),
    ...validationForPeople(validation),
    ...problems.map(printable),
    `rollback: ${coloured(outcome)} in ${formatDuration(recovery.durationMs / 1000)}`,
  ].join('\n');
}

export const pathRollbackPlanAsJson = ({ subvolume, snapshot, path, kept, units }: PathRollbackPlan): object => ({
  dryRun: true,
  subvolume,
  replaced: [{ subvolume, snapshot: snapshot.name, madeAt: snapshot.madeAt.toString(), path, kept }],
  units: units.map(({ unit, running }) => ({ name: unit.name, running })),
});

/** What would stop and be replaced, and how old it is. */
export const pathRollbackPreview = ({ snapshot, path, kept, units }: PathRollbackPlan, now: Temporal.Instant): string =>
  [
    ...unitLines(units),
    `${kept === null ? 'makes' : 'replaces'} ${printable(path)} as in ${printable(snapshot.name)} of ${timeForPeople(snapshot.madeAt)}, ${ageForPeople(snapshot.madeAt, now)}`,
    kept === null ? NOTHING_NOW : `  the present state is kept: ${printable(kept)}`,
  ].join('\n');

export const pathRollbackAsJson = (done: PathRollback): object => ({
  outcome: done.recovery.outcome,
  recovery: recoveryAsJson(done.recovery),
  replaced: [{ subvolume: done.subvolume, snapshot: done.snapshot, path: done.path, kept: done.kept }],
  problems: done.problems,
});

export const pathRollbackForPeople = ({ path, snapshot, kept, problems, recovery }: PathRollback): string =>
  [
    `${printable(path)} is as in ${printable(snapshot)} again; ${kept === null ? 'nothing was there before' : `what was there is ${printable(kept)}`}`,
    ...problems.map(printable),
    `rollback: ${coloured(recovery.outcome)} in ${formatDuration(recovery.durationMs / 1000)}`,
  ].join('\n');
