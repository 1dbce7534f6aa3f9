import { HoldfastError, messageOf } from '../domain/errors.ts';
import { lastName } from '../domain/tree-path.ts';
import type { KeptState } from '../ports/catalog.ts';
import type { Snapshotter, StoredSnapshot } from '../ports/snapshotter.ts';
import { findSnapshot, type GuardContext } from './guard-context.ts';
import { dropKeptDatabase, findKeptState, nameOfKept } from './kept-states.ts';
import { recordedPoints } from './service-record.ts';

/** Removes one snapshot or kept state, by its whole name: a database by its name as well, any other by its path. What was
 *  recorded of a snapshot stays in the history.
 *  @param yes also when a service's point cannot be taken back without it, or somebody else has dropped a database whose
 *  server is not known any more
 *  @throws Usage, SnapshotMissing; Refused while a rollback uses it; TargetBusy while somebody talks with the database */
export async function removeSnapshot(
  { name, yes }: { readonly name: string; readonly yes: boolean },
  context: RemovalPorts,
  signal: AbortSignal,
): Promise<Pick<StoredSnapshot, 'name' | 'path'>> {
  const kept = await findKeptState(name, context);
  if (kept !== null && !(await isInPool(kept, context))) {
    await removeKeptState(kept, yes, context, signal);
    return { name: lastName(name), path: name };
  }
  const { snapshot, snapshotter, subvolume, pool } = await findSnapshot(name, context, signal);
  refuseInUse(subvolume, name, (await context.journal()).open());
  if (!yes) await refusePartOfPoint(pool, name, context);
  await snapshotter.remove(name, signal);
  if (snapshot.kind === 'kept-state') await forgetKept(snapshot.path, context);
  return snapshot;
}

type RemovalPorts = Pick<
  GuardContext,
  'pools' | 'snapshotter' | 'catalog' | 'journal' | 'services' | 'source' | 'host'
>;

/** By its name alone such a one is found as a snapshot of the pool. */
async function isInPool(kept: KeptState, context: Pick<GuardContext, 'pools' | 'snapshotter'>): Promise<boolean> {
  return 'path' in kept && (await poolPlaceOf(kept.path, context)) !== null;
}

async function removeKeptState(
  kept: KeptState,
  yes: boolean,
  context: RemovalPorts,
  signal: AbortSignal,
): Promise<void> {
  try {
    await removeKept(kept, context, signal);
  } catch (error) {
    // somebody who says so has dropped it by hand
    const unreachable = 'database' in kept && error instanceof HoldfastError && error.code === 'Refused';
    if (!(yes && unreachable)) throw error;
  }
  await context.catalog.forgetKeptState(kept);
}

async function refusePartOfPoint(
  pool: string,
  name: string,
  { catalog }: Pick<GuardContext, 'catalog'>,
): Promise<void> {
  for (const { point } of await recordedPoints(null, { catalog })) {
    if (!point.trees.some((tree) => 'pool' in tree && tree.pool === pool && tree.name === name)) continue;
    const words = `${name} is a part of the point ${point.id} of ${point.service}, which cannot be taken back without it.`;
    throw new HoldfastError('Refused', words, name, {
      hint: 'Guard removes it when nobody needs the point any more. Now: with --yes',
    });
  }
}

function refuseInUse(
  subvolume: string,
  name: string,
  open: readonly { readonly state: string; readonly detail: unknown; readonly verb: string }[],
): void {
  const uses = ({ detail, state }: { readonly detail: unknown; readonly state: string }): boolean =>
    state === 'running' && (detail as { readonly snapshot?: unknown } | null)?.snapshot === name;
  const user = open.find(uses);
  if (user !== undefined)
    throw new HoldfastError('Refused', `${name} is used by a ${user.verb} of ${subvolume} that runs.`, name, {
      hint: 'Wait until it has ended',
    });
}

const forgetKept = (path: string, { catalog }: Pick<GuardContext, 'catalog'>): Promise<void> =>
  catalog.forgetKeptState({ host: 'local', path });

/** Removes the kept states of this machine whose time is over: of subvolumes, of single paths, of services and their
 *  databases. One that cannot be removed keeps no other. Only what a recovery recorded goes. */
export async function removeEndedKeptStates(
  context: Pick<
    GuardContext,
    'pools' | 'snapshotter' | 'catalog' | 'clock' | 'progress' | 'host' | 'services' | 'source'
  >,
  signal: AbortSignal,
): Promise<readonly KeptState[]> {
  const removed: KeptState[] = [];
  const ended = await context.catalog.keptStates({ endedBy: context.clock.now() });
  for (const kept of ended) {
    if ('path' in kept && kept.host !== 'local') continue;
    try {
      await removeKept(kept, context, signal);
      await context.catalog.forgetKeptState(kept);
      removed.push(kept);
    } catch (error) {
      signal.throwIfAborted();
      context.progress({ type: 'warning', subject: nameOfKept(kept), text: `not removed: ${messageOf(error)}` });
    }
  }
  return removed;
}

async function removeKept(
  kept: KeptState,
  context: Pick<GuardContext, 'pools' | 'snapshotter' | 'host' | 'services' | 'source'>,
  signal: AbortSignal,
): Promise<void> {
  if ('database' in kept) return await dropKeptDatabase(kept, context, signal);
  const place = await poolPlaceOf(kept.path, context);
  if (place !== null) return await place.snapshotter.remove(place.name, signal);
  await (await context.host(kept.host)).files.remove(kept.path, signal);
}

/** The pool that a kept state lies directly in, and its name there; null for any other path. */
async function poolPlaceOf(
  path: string,
  context: Pick<GuardContext, 'pools' | 'snapshotter'>,
): Promise<{ readonly snapshotter: Snapshotter; readonly name: string } | null> {
  for (const pool of context.pools.keys()) {
    const snapshotter = await context.snapshotter(pool);
    const name = nameIn(snapshotter, path);
    if (name !== null) return { snapshotter, name };
  }
  return null;
}

/** The name of a kept state that lies directly in the pool; null for any other path. */
function nameIn({ path }: Snapshotter, kept: string): string | null {
  const name = kept.startsWith(`${path}/`) ? kept.slice(path.length + 1) : '';
  return name === '' || name.includes('/') ? null : name;
}
