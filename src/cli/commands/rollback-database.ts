import { inPlaceSteps } from '../../operations/in-place-steps.ts';
import { planDatabaseRollback, rollbackDatabase } from '../../operations/rollback-database.ts';
import type { KeptDatabase } from '../../ports/catalog.ts';
import type { Application, Face } from '../face.ts';
import { databaseRollbackAsJson, databaseRollbackForPeople } from '../render/rollback-database.ts';
import { printable } from '../render/table.ts';

/** `rollback --snapshot NAME` of a database that a restore or rollback had kept: it takes its place again. */
export async function takeDatabaseBack(
  state: KeptDatabase,
  autoConfirm: boolean,
  application: Application,
  face: Face,
): Promise<void> {
  const found = await planDatabaseRollback(state, application, face.signal);
  const steps = inPlaceSteps(found.plan, null, found.serving);
  if (face.globals().dryRun) {
    face.print(steps.map(printable).join('\n'));
    return face.printJson({ dryRun: true, service: state.service, database: state.original, steps });
  }
  face.note(steps.map(printable).join('\n'));
  if (!autoConfirm && !(await face.confirm(`Take ${printable(state.original)} back?`))) return face.exit(1);
  const done = await rollbackDatabase(found, application, face.signal);
  face.print(databaseRollbackForPeople(state, done));
  face.printJson(databaseRollbackAsJson(state, done));
  face.exit(done.bad === null ? 0 : 1);
}
