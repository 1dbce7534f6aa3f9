import { type Decision, decide } from '../domain/guard.ts';
import { type GuardContext, ownerOf, type Subject } from './guard-context.ts';
import type { GuardRequest } from './guard-request.ts';

/** Whether a snapshot is made, and why. `auto` looks how fresh the newest one is. */
export async function decisionOn(
  { when, autoRollback, operation, subvolume }: GuardRequest,
  { snapshotter }: Subject,
  { guard: settings, clock, catalog }: GuardContext,
  signal: AbortSignal,
): Promise<Decision> {
  const wanted = autoRollback ? 'always' : (when ?? settings.when); // there must be something to take back
  if (wanted === 'always') return decide(operation, wanted, settings, null, clock.now());
  const listed = (await snapshotter.list(signal)).filter(({ kind }) => kind === 'snapshot');
  const records = await catalog.snapshots({ pool: snapshotter.pool, names: listed.map(({ name }) => name) });
  const stored = listed.filter((one) => ownerOf(one, records) === subvolume);
  const recorded = records.filter((one) => one.subvolume === subvolume && stored.some(({ name }) => name === one.name));
  const newest = [...stored, ...recorded]
    .map(({ madeAt }) => madeAt)
    .toSorted(Temporal.Instant.compare)
    .at(-1);
  return decide(operation, wanted, settings, newest ?? null, clock.now());
}
