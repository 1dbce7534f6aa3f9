import type { JournalEntry } from '../journal/entry.ts';
import type { Occupancy, OwnMount } from '../ports/occupancy.ts';
import type { Unit } from '../ports/unit.ts';
import type { GuardContext } from './guard-context.ts';
import { refuseOccupied, refuseOwnPaths } from './occupancy.ts';
import type { Replacement, RollbackPlan } from './rollback-plan.ts';
import { type Stopped, stopUnits } from './units.ts';

/** A mount of this machine that is made again. */
export interface Remount extends OwnMount {
  /** What it will show. */
  readonly path: string;
}

/** Who is on a subvolume that is gone: nobody whom an exchange would leave behind. */
const NOBODY: Occupancy = { occupants: [], own: [], foreign: [], inner: [] };

/** Up to the last exchange, all journalled: left with an error, the caller's journal takes it back. */
export async function exchange(
  plan: RollbackPlan,
  journal: JournalEntry,
  context: GuardContext,
  signal: AbortSignal,
): Promise<{ readonly stopped: readonly Stopped[]; readonly remounts: readonly Remount[] }> {
  const units = plan.units.map(({ unit }) => unit);
  // with nothing to stop and an instant copy one look, at the time of the copy, is enough
  const once = units.length === 0 && plan.replacements.every(({ snapshotter }) => snapshotter.capabilities.instant);
  const look = async (owners: readonly Unit[]): Promise<readonly Occupancy[]> => {
    const found: Occupancy[] = [];
    for (const { state } of plan.replacements)
      found.push(state.exists ? await refuseOccupied(state.path, owners, context, signal) : NOBODY);
    return found;
  };
  if (!once) await look(units);
  const [copied, early] = await Promise.allSettled([makeCopies(plan, journal, signal), once ? look([]) : null]);
  for (const one of [copied, early]) if (one.status === 'rejected') throw one.reason;
  const stopped = await stopUnits(units, journal, context, signal);
  // what was stopped is gone by now: whoever is left owns what he holds
  const occupancies = (early.status === 'fulfilled' ? early.value : null) ?? (await look([]));
  const remounts: Remount[] = [];
  for (const [index, { state }] of plan.replacements.entries()) {
    const { own } = occupancies[index] as Occupancy;
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

async function makeCopies({ replacements }: RollbackPlan, journal: JournalEntry, signal: AbortSignal): Promise<void> {
  for (const { pool, provisional, snapshot, snapshotter, state } of replacements) {
    const step = { kind: 'copy-made', pool, name: provisional, present: state.identity ?? '' } as const;
    await journal.step(step, () => snapshotter.materialize(snapshot.name, provisional, signal));
  }
}

async function swap(
  { pool, subvolume, provisional, kept, state, snapshotter }: Replacement,
  journal: JournalEntry,
  signal: AbortSignal,
): Promise<void> {
  if (snapshotter.capabilities.atomic && kept !== null) {
    const step = { left: subvolume, right: provisional, identity: state.identity ?? '' };
    return journal.step({ kind: 'subvolume-exchanged', pool, ...step }, () =>
      snapshotter.exchange(subvolume, provisional, signal),
    );
  }
  const aside = kept === null ? [] : [[subvolume, kept] as const];
  for (const [from, to] of [...aside, [provisional, subvolume] as const])
    await journal.step({ kind: 'subvolume-renamed', pool, from, to }, () => snapshotter.rename(from, to, signal));
}
