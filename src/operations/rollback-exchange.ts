import type { JournalEntry } from '../journal/entry.ts';
import type { OwnMount } from '../ports/occupancy.ts';
import type { GuardContext } from './guard-context.ts';
import { refuseOccupied, refuseOwnPaths } from './occupancy.ts';
import type { Replacement, RollbackPlan } from './rollback-plan.ts';
import { type Stopped, stopUnits } from './units.ts';

/** A mount of this machine that is made again. */
export interface Remount extends OwnMount {
  /** What it will show. */
  readonly path: string;
}

/** Up to the last exchange, all journalled: left with an error, the caller's journal takes it back. */
export async function exchange(
  plan: RollbackPlan,
  journal: JournalEntry,
  context: GuardContext,
  signal: AbortSignal,
): Promise<{ readonly stopped: readonly Stopped[]; readonly remounts: readonly Remount[] }> {
  const units = plan.units.map(({ unit }) => unit);
  for (const { state, snapshotter } of plan.replacements) {
    // with nothing to stop and an instant copy the look before the exchange is enough
    if (units.length === 0 && snapshotter.capabilities.instant) continue;
    await refuseOccupied(state.path, units, context, signal);
  }
  for (const { pool, provisional, snapshot, snapshotter, state } of plan.replacements) {
    const step = { kind: 'copy-made', pool, name: provisional, present: state.identity ?? '' } as const;
    await journal.step(step, () => snapshotter.materialize(snapshot.name, provisional, signal));
  }
  const stopped = await stopUnits(units, journal, context, signal);
  const remounts: Remount[] = [];
  for (const { state } of plan.replacements) {
    // what was stopped is gone by now: whoever is left owns what he holds
    const { own } = await refuseOccupied(state.path, [], context, signal);
    await refuseOwnPaths(state.path, own, context, signal);
    for (const mount of own.toReversed()) {
      const path = mount.inside === '' ? state.path : `${state.path}/${mount.inside}`;
      const step = { kind: 'remounted', point: mount.point, path, options: mount.options } as const;
      await journal.step(step, () => context.mounts.hide(mount.point, signal));
      remounts.unshift({ ...mount, path });
    }
  }
  for (const replacement of plan.replacements) await swap(replacement, journal, signal);
  return { stopped, remounts };
}

async function swap(
  { pool, subvolume, provisional, kept, state, snapshotter }: Replacement,
  journal: JournalEntry,
  signal: AbortSignal,
): Promise<void> {
  if (snapshotter.capabilities.atomic) {
    const step = { left: subvolume, right: provisional, identity: state.identity ?? '' };
    return journal.step({ kind: 'subvolume-exchanged', pool, ...step }, () =>
      snapshotter.exchange(subvolume, provisional, signal),
    );
  }
  for (const [from, to] of [
    [subvolume, kept],
    [provisional, subvolume],
  ] as const)
    await journal.step({ kind: 'subvolume-renamed', pool, from, to }, () => snapshotter.rename(from, to, signal));
}
