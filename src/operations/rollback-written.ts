import { messageOf } from '../domain/errors.ts';
import { type DiffTotals, totalsOf } from './diff.ts';
import type { GuardContext } from './guard-context.ts';
import type { RollbackPlan } from './rollback-plan.ts';

/** What was written since the snapshots of a plan, in the order of its replacements, before anybody decides. Null where
 *  nothing is left to compare with. */
export async function writtenSince(plan: RollbackPlan, signal: AbortSignal): Promise<readonly (DiffTotals | null)[]> {
  const written: (DiffTotals | null)[] = [];
  for (const { snapshotter, snapshot, subvolume, state } of plan.replacements)
    written.push(state.exists ? await totalsOf(snapshotter.diff(snapshot.name, null, signal, subvolume)) : null);
  return written;
}

/** The same of the states that a rollback kept: it needs not be known before the service is back. The rollback has
 *  succeeded, whether it can be told or not: null, with a warning. */
export async function writtenInKept(
  plan: RollbackPlan,
  { progress }: Pick<GuardContext, 'progress'>,
  signal: AbortSignal,
): Promise<readonly (DiffTotals | null)[]> {
  const written: (DiffTotals | null)[] = [];
  for (const { snapshotter, snapshot, kept, subvolume } of plan.replacements)
    try {
      written.push(kept === null ? null : await totalsOf(snapshotter.diff(snapshot.name, kept, signal, subvolume)));
    } catch (error) {
      signal.throwIfAborted();
      const text = `what was written since cannot be told: ${messageOf(error)}`;
      progress({ type: 'warning', subject: kept ?? subvolume, text });
      written.push(null);
    }
  return written;
}
