import type { Decision } from '../domain/guard.ts';
import { guardSnapshotName } from '../domain/snapshot-name.ts';
import { checkedOf, findSubvolume, type GuardContext, type Subject } from './guard-context.ts';
import { decisionOn } from './guard-decision.ts';
import type { GuardRequest } from './guard-request.ts';
import { refuseOccupied, refuseOwnPaths } from './occupancy.ts';
import type { Expectation } from './rollback-expectation.ts';
import { refuseUnsafe } from './snapshot.ts';
import { runningOf, type Stopped } from './units.ts';
import { takeBaseline } from './validate.ts';

/** All that a guard looks at before it makes anything. */
export interface Looked {
  /** Of the subvolume. */
  readonly path: string;
  /** Subvolumes inside it. */
  readonly nested: readonly string[];
  readonly expected: Expectation;
  /** The units that run. */
  readonly before: readonly Stopped[];
}

/** @throws NestedSubvolumes, PoolUnusable, NoSpace, Refused; TargetBusy when it could not be taken back of itself */
export async function lookBefore(
  { subvolume, autoRollback, execute }: GuardRequest,
  subject: Subject,
  context: GuardContext,
  signal: AbortSignal,
): Promise<Looked> {
  const { nested } = await refuseUnsafe(subject, context, signal);
  const checked = await checkedOf([subject], context);
  const path = `${subject.snapshotter.path}/${subvolume}`;
  const own = autoRollback ? (await refuseOccupied(path, checked.units, context, signal)).own : [];
  await refuseOwnPaths(path, own, context, signal);
  const validators = execute ? await context.validators(checked) : [];
  const expected = { validators, baselines: await takeBaseline(validators, signal) };
  return { path, nested, expected, before: await runningOf(checked.units, signal) };
}

/** What a guard would do, and how all is before it. */
export interface GuardPlan {
  /** The subvolume or the service. */
  readonly name: string;
  readonly operation: string;
  readonly decision: Decision;
  /** The name of each snapshot that would be made, unless somebody has it by then. */
  readonly snapshots: readonly string[];
  /** Which sources would be read, and where to; null when snapshots hold all, or nothing would be made. */
  readonly archive: { readonly repository: string; readonly sources: readonly string[] } | null;
  /** Declared units of which something runs. */
  readonly running: readonly string[];
  /** `good` null where it could not be told. Those that are not good now take nothing back. */
  readonly checks: readonly { readonly name: string; readonly good: boolean | null; readonly detail: string }[];
}

/** What `guard` would do, without a change. @throws as `guard` before it starts the command */
export async function planGuard(request: GuardRequest, context: GuardContext, signal: AbortSignal): Promise<GuardPlan> {
  const { subvolume, operation } = request;
  const subject = await findSubvolume(subvolume, context, signal);
  const decision = await decisionOn(request, subject, context, signal);
  const plan = { name: subvolume, operation, decision, archive: null };
  if (!decision.protect) return { ...plan, ...NOTHING_LOOKED_AT };
  const looked = await lookBefore(request, subject, context, signal);
  const name = guardSnapshotName(subvolume, operation, context.clock.now(), context.zone);
  return { ...plan, snapshots: [name], ...seenIn(looked) };
}

/** Of a command that runs without a recovery point. */
export const NOTHING_LOOKED_AT = { snapshots: [], archive: null, running: [], checks: [] } as const;

/** For people and records: the units and checks as they are. */
export const seenIn = ({
  before,
  expected: { validators, baselines },
}: Pick<Looked, 'before' | 'expected'>): Pick<GuardPlan, 'running' | 'checks'> => ({
  running: before.map(({ unit }) => unit.name),
  checks: validators.map(({ name }, index) => {
    const baseline = baselines[index] ?? null;
    return { name, good: baseline?.good ?? null, detail: baseline?.detail ?? 'could not be looked at' };
  }),
});
