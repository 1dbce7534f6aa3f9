import { HoldfastError } from '../domain/errors.ts';
import { PROVISIONAL } from '../domain/pool-names.ts';
import { firstFree, keptStateName, numbered } from '../domain/snapshot-name.ts';
import type { StoredSnapshot, SubvolumeState } from '../ports/snapshotter.ts';
import type { Unit } from '../ports/unit.ts';
import {
  findSnapshot,
  findSubvolume,
  type GuardContext,
  keyOf,
  knownIn,
  neighbour,
  type Subject,
  unitsOf,
} from './guard-context.ts';
import { refuseState } from './snapshot.ts';
import { type SeenUnit, withState } from './units.ts';

/** What to take back: a snapshot or kept state by name, else the newest snapshot of a subvolume. */
export interface RollbackRequest {
  readonly what:
    | { readonly snapshot: string }
    | {
        readonly subvolume: string;
        /** The newest whose operation ended well. */
        readonly lastGood: boolean;
      };
  readonly withDependencies: boolean;
}

/** One subvolume that is taken back. */
export interface Replacement extends Subject {
  readonly snapshot: StoredSnapshot;
  readonly state: SubvolumeState;
  /** Where the present state goes, directly in the pool; null where nothing is left of it. */
  readonly kept: string | null;
  readonly keptPath: string | null;
  /** Under which name the writable copy is made, directly in the pool. */
  readonly provisional: string;
}

export interface RollbackPlan {
  readonly subvolume: string;
  /** The wanted one first, then its dependencies. */
  readonly replacements: readonly Replacement[];
  /** Dependencies that stay as they are, with why. */
  readonly leftAlone: readonly { readonly subvolume: string; readonly reason: string }[];
  /** In the order in which they start; each with whether it runs now. */
  readonly units: readonly SeenUnit[];
}

/** Finds out, without touching anything, what a rollback would stop and replace.
 *  @throws Usage, SnapshotMissing, SubvolumeMissing, TargetExists, NestedSubvolumes, PoolUnusable */
export async function planRollback(
  { what, withDependencies }: RollbackRequest,
  context: GuardContext,
  signal: AbortSignal,
): Promise<RollbackPlan> {
  const wanted =
    'snapshot' in what ? await findSnapshot(what.snapshot, context, signal) : await newestOf(what, context, signal);
  const at = context.clock.now();
  const id = context.identifiers.next(at).toLowerCase();
  const replacements = [await replacementOf(wanted, wanted.snapshot, { at, id, count: 1 }, context, signal)];
  const leftAlone: { subvolume: string; reason: string }[] = [];
  const dependencies = dependenciesOf(wanted, context);
  const stored = withDependencies && dependencies.length > 0 ? await knownIn(wanted, context, signal) : [];
  for (const name of dependencies) {
    const closest = closestBefore(name, wanted.snapshot, stored);
    if (!withDependencies) leftAlone.push({ subvolume: name, reason: 'only with --with-dependencies' });
    else if (closest === null) leftAlone.push({ subvolume: name, reason: 'it has no snapshot that early' });
    else {
      const names = { at, id, count: replacements.length + 1 };
      replacements.push(await replacementOf(neighbour(wanted, name, context), closest, names, context, signal));
    }
  }
  const units = new Map<string, Unit>();
  // a dependency's units start first, since others may need them
  for (const each of replacements.toReversed())
    for (const unit of await unitsOf(each, context)) units.set(keyOf(unit), unit);
  const states = await withState([...units.values()], signal);
  return { subvolume: wanted.subvolume, replacements, leftAlone, units: states };
}

/** @throws SnapshotMissing when there is none */
async function newestOf(
  { subvolume, lastGood }: { readonly subvolume: string; readonly lastGood: boolean },
  context: GuardContext,
  signal: AbortSignal,
): Promise<Subject & { readonly snapshot: StoredSnapshot }> {
  const subject = await findSubvolume(subvolume, context, signal, { mayBeGone: true });
  const snapshot = (await knownIn(subject, context, signal)).find(
    ({ kind, subvolume: owner, outcome }) =>
      kind === 'snapshot' && owner === subvolume && (!lastGood || outcome === 'success'),
  );
  if (snapshot !== undefined) return { ...subject, snapshot };
  const words = lastGood ? `No snapshot of ${subvolume} is recorded as success.` : `${subvolume} has no snapshot.`;
  throw new HoldfastError('SnapshotMissing', words, subvolume);
}

/** All that it depends on, also through others, each once and never itself. */
function dependenciesOf(subject: Subject, context: GuardContext): readonly string[] {
  const found = new Set<string>();
  const follow = ({ definition }: Pick<Subject, 'definition'>): void => {
    for (const name of definition.dependsOn) {
      if (found.has(name) || name === subject.subvolume) continue;
      found.add(name);
      follow(neighbour(subject, name, context));
    }
  };
  follow(subject);
  return [...found];
}

/** What a subvolume was beside another one: the state that the same rollback kept, where that is what is taken back; else
 *  the newest snapshot that is not newer. */
function closestBefore(
  subvolume: string,
  { kind, madeAt }: StoredSnapshot,
  stored: readonly StoredSnapshot[],
): StoredSnapshot | null {
  const own = stored.filter((one) => one.subvolume === subvolume);
  const together = own.find((one) => kind === 'kept-state' && one.kind === kind && one.madeAt.equals(madeAt));
  const earlier = own.find((one) => one.kind === 'snapshot' && Temporal.Instant.compare(one.madeAt, madeAt) <= 0);
  return together ?? earlier ?? null;
}

async function replacementOf(
  subject: Subject,
  snapshot: StoredSnapshot,
  { at, id, count }: { readonly at: Temporal.Instant; readonly id: string; readonly count: number },
  context: GuardContext,
  signal: AbortSignal,
): Promise<Replacement> {
  const { subvolume, snapshotter } = subject;
  const state = await snapshotter.examine(subvolume, signal);
  refuseState(state, subject);
  const kept = state.exists ? await freeKeptName(subject, at, context, signal) : null;
  if (kept === null && (await snapshotter.holds(subvolume, signal)))
    throw new HoldfastError('TargetExists', `${state.path} is there and is no subvolume any more.`, state.path, {
      hint: `Stop what uses it and move it aside: mv ${state.path} ${state.path}.aside; then take the snapshot back again`,
    });
  return {
    ...subject,
    snapshot,
    state,
    kept,
    keptPath: kept === null ? null : `${snapshotter.path}/${kept}`,
    provisional: `${PROVISIONAL}rollback-${id}-${count}`,
  };
}

function freeKeptName(
  { subvolume, snapshotter }: Subject,
  at: Temporal.Instant,
  { zone }: Pick<GuardContext, 'zone'>,
  signal: AbortSignal,
): Promise<string> {
  const wanted = keptStateName(subvolume, at, zone);
  return firstFree(
    (number) => numbered(wanted, number),
    (name) => snapshotter.holds(name, signal),
  );
}
