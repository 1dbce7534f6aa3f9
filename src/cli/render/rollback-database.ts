import { formatDuration } from '../../domain/duration.ts';
import type { DatabaseRollback } from '../../operations/rollback-database.ts';
import type { KeptDatabase } from '../../ports/catalog.ts';
import { coloured } from './colour.ts';
import { recoveryAsJson } from './history.ts';
import { timeForPeople } from './point.ts';
import { keptAsJson } from './restore.ts';
import { printable } from './table.ts';
import { validationAsJson, validationForPeople } from './validation.ts';

export const databaseRollbackAsJson = ({ service, original }: KeptDatabase, done: DatabaseRollback): object => ({
  outcome: done.recovery.outcome,
  service,
  database: original,
  recovery: recoveryAsJson(done.recovery),
  kept: done.kept.map(keptAsJson),
  problem: done.bad?.message ?? null,
  warnings: done.warnings,
  validation: done.validation === null ? null : validationAsJson(done.validation),
});

export const databaseRollbackForPeople = (
  { original, database }: KeptDatabase,
  { kept, validation, warnings, bad, recovery }: DatabaseRollback,
): string =>
  [
    `${printable(original)} is ${printable(database)} again`,
    ...kept.map(
      ({ path, until }) => `its state before is the database ${printable(path)} until ${timeForPeople(until)}`,
    ),
    ...(validation === null ? [] : validationForPeople(validation)),
    ...warnings.map(printable),
    ...(bad === null ? [] : [printable(bad.message)]),
    `rollback: ${coloured(recovery.outcome)} in ${formatDuration(recovery.durationMs / 1000)}`,
  ].join('\n');
