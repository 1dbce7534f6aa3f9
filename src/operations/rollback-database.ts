import { HoldfastError } from '../domain/errors.ts';
import type { KeptDatabase } from '../ports/catalog.ts';
import { type InPlaceResult, restoreInPlace } from './in-place.ts';
import { freeKeptName } from './in-place-databases.ts';
import { refuseInPlace } from './in-place-holders.ts';
import { type InPlacePlan, planUnits } from './in-place-plan.ts';
import { servingPlan } from './in-place-servers.ts';
import { serverOfKept } from './kept-states.ts';
import { recordReplaced } from './rollback-record.ts';
import { type ServiceContext, serviceNamed } from './service-context.ts';
import { waitForService } from './service-wait.ts';
import type { Serving } from './serving.ts';
import { removeEndedKeptStates } from './snapshot-removal.ts';

/** What taking back a kept database would do, found out without touching anything. */
export interface DatabaseRollbackPlan {
  readonly state: KeptDatabase;
  readonly plan: InPlacePlan;
  readonly serving: Serving;
}

/** A kept database takes its place again: a restore in place, or a rollback, is rolled back.
 *  @throws ServiceNotFound; Refused when it is not known in which server it is, or its account may not exchange it;
 *  SnapshotMissing when it is gone */
export async function planDatabaseRollback(
  state: KeptDatabase,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<DatabaseRollbackPlan> {
  const { database: kept, original, source } = state;
  const service = serviceNamed(state.service, context);
  const databases = await serverOfKept(state, context);
  if (databases === null)
    throw new HoldfastError('Refused', `The configuration has no source ${service.name}.${source} any more.`, kept, {
      hint: 'Give the database its name back in its server, by hand',
    });
  if (!(await databases.exists(kept, signal)))
    throw new HoldfastError(
      'SnapshotMissing',
      `The server of ${service.name}.${source} has no database ${kept}.`,
      kept,
      {
        hint: `Somebody dropped or renamed it. Out of the list: holdfast snapshot remove ${kept}`,
      },
    );
  const present = await databases.exists(original, signal);
  await databases.confirmExchange(present ? [original, kept] : [kept], signal);
  const free = await freeKeptName(original, context.clock.now(), (name) => databases.exists(name, signal));
  const choice = { name: kept, source, tree: false, file: null, listedAs: null, item: null, path: null, bytes: 0 };
  const exchange = { choice, service: service.name, databases, database: original, staged: kept, present, kept: free };
  const around = await planUnits(service, context, signal);
  const plan = { ...around, exchanges: [], databases: [{ ...exchange, returns: true }], applied: [], sharers: [] };
  return { state, plan, serving: await servingPlan(plan, context, signal) };
}

export type DatabaseRollback = Omit<InPlaceResult, 'items' | 'safetyPoint'>;

/** Exchanges the two, with the units of the service stopped; the present database is kept in turn.
 *  @throws whatever kept it from the exchange: then all is as it was */
export async function rollbackDatabase(
  { state, plan }: DatabaseRollbackPlan,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<DatabaseRollback> {
  await waitForService(state.service, 'rollback', context, signal);
  await refuseInPlace(plan, { live: false }, context, signal);
  const options = { live: false, withoutSafety: true, keptSeconds: context.guard.keptStates };
  const restored = { point: state.database, selected: null };
  const done = await restoreInPlace(plan, options, restored, context, signal);
  const replaced = plan.databases.map(({ database, present, kept }) => ({
    path: database,
    kept: present ? kept : null,
    written: null,
  }));
  await recordReplaced(done.recovery, replaced, context);
  await removeEndedKeptStates(context, signal);
  return done;
}
