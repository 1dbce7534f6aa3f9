import { messageOf } from '../domain/errors.ts';
import type { JournalEntry } from '../journal/entry.ts';
import { type ForwardStep, recoveryRecorded } from '../journal/step.ts';
import type { KeptState, Recovery } from '../ports/catalog.ts';
import type { OwnMount } from '../ports/occupancy.ts';
import type { Unit } from '../ports/unit.ts';
import type { Validator } from '../ports/validator.ts';
import { checkedOf, type GuardContext, settleSettings } from './guard-context.ts';
import { type PoolDetail, refuseOtherRollback, VERBS, waitForCommands } from './guards.ts';
import { refuseOccupied, refuseOwnPaths, usersOf } from './occupancy.ts';
import type { Replacement, RollbackPlan } from './rollback-plan.ts';
import { removeEndedKeptStates } from './snapshot.ts';
import { type Stopped, startsOf, stopUnits } from './units.ts';
import { type Baselines, demandingGood, takeBaseline, type Validation, validate } from './validate.ts';

/** What must be good afterwards, as it was before the change that is taken back. */
export interface Expectation {
  readonly validators: readonly Validator[];
  readonly baselines: Baselines;
}

export interface RollbackOptions {
  readonly reason: Recovery['reason'];
  /** Null: by hand. Everything declared must be good then, as far as it is not down by intent. */
  readonly expected: Expectation | null;
  /** What ran before the change that is taken back, and runs again afterwards; null: what runs now. */
  readonly startAgain: readonly Stopped[] | null;
}

export interface RollbackReport {
  /** `failed`: the data are taken back, and something does not work with them. */
  readonly outcome: Recovery['outcome'];
  readonly recovery: Recovery;
  readonly replaced: readonly {
    readonly subvolume: string;
    readonly snapshot: string;
    readonly kept: string;
    readonly written: Replacement['written'];
  }[];
  /** What a person has to do by hand, with the command where there is one. */
  readonly problems: readonly string[];
  readonly validation: Validation;
}

/** Puts snapshots in the place of subvolumes. The present states are kept; until the last exchange a failure or a crash
 *  takes everything back, after it work goes forward only.
 *  @throws TargetBusy, StateBusy and whatever kept it from the exchange: then all is as it was */
export async function rollback(
  plan: RollbackPlan,
  options: RollbackOptions,
  context: GuardContext,
  signal: AbortSignal,
): Promise<RollbackReport> {
  const { pool } = plan.replacements[0] as Replacement;
  const subvolumes = plan.replacements.map(({ subvolume }) => subvolume);
  const startedAt = context.clock.now();
  const fromMs = context.clock.monotonicMs();
  const until = startedAt.add({ seconds: context.guard.keptStates });
  const recoveryId = context.identifiers.next(startedAt);
  const recoveryOf = (outcome: Recovery['outcome'], kept: readonly KeptState[]): Recovery => ({
    ...{ id: recoveryId, subject: { kind: 'subvolume', name: plan.subvolume }, startedAt, outcome, kept },
    ...{ restored: plan.replacements[0]?.snapshot.name ?? '', reason: options.reason },
    durationMs: Math.round(context.clock.monotonicMs() - fromMs),
  });
  const kept = plan.replacements.map(({ keptPath }) => ({ host: 'local', path: keptPath, until }));
  let exchanged = false;
  try {
    const expected = options.expected ?? (await expectationOf(plan, context, signal));
    await waitForCommands(pool, subvolumes, context, signal);
    const detail: PoolDetail = { pool, subvolumes, snapshot: plan.replacements[0]?.snapshot.name ?? '' };
    await using journal = await (await context.journal()).begin({
      ...{ verb: VERBS.rollback, subject: plan.subvolume, detail },
    });
    await refuseOtherRollback(journal.id, pool, subvolumes, context);
    const { stopped, remounts } = await exchange(plan, journal, context, signal);
    const again = options.startAgain ?? stopped;
    await journal.forwardOnly(remaining(plan, again, remounts, recoveryOf('success', kept)));
    exchanged = true;
    const problems = await goForward(plan, again, remounts, context);
    await context.catalog.recordRecovery(recoveryOf('success', kept));
    await journal.done();
    const { validators, baselines } = expected;
    problems.push(...(await stillOnOldData(plan, context, signal)));
    const validation = await validate(validators, baselines, settleSettings(context.guard), context.clock, signal);
    const outcome = problems.length > 0 || validation.outcome === 'invalid' ? 'failed' : 'success';
    const recovery = recoveryOf(outcome, kept);
    await context.catalog.recordRecovery(recovery);
    await removeEndedKeptStates(context, signal);
    const replaced = plan.replacements.map(({ subvolume, snapshot, keptPath, written }) => ({
      ...{ subvolume, snapshot: snapshot.name, kept: keptPath, written },
    }));
    return { outcome, recovery, replaced, problems, validation };
  } catch (error) {
    try {
      await context.catalog.recordRecovery(recoveryOf('failed', exchanged ? kept : []));
    } catch (second) {
      throw new SuppressedError(second, error, 'The recovery could not be recorded either.');
    }
    throw error;
  }
}

/** A rollback by hand is made because something is bad: what runs must be good afterwards. When nothing of the declared
 *  units runs, that is by intent, and what is asked is only that nothing gets worse. */
async function expectationOf(plan: RollbackPlan, context: GuardContext, signal: AbortSignal): Promise<Expectation> {
  const validators = await context.validators(await checkedOf(plan.replacements, context));
  const baselines = await takeBaseline(validators, signal);
  const down = plan.units.length > 0 && plan.units.every(({ running }) => !running);
  return { validators, baselines: down ? baselines : demandingGood(baselines) };
}

interface Remount extends OwnMount {
  /** What it will show. */
  readonly path: string;
}

/** Up to the last exchange, all journalled: left with an error, the caller's journal takes it back. */
async function exchange(
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

function remaining(
  plan: RollbackPlan,
  units: readonly Stopped[],
  remounts: readonly Remount[],
  recovery: Recovery,
): readonly ForwardStep[] {
  return [
    ...plan.replacements.flatMap(afterSwap),
    ...remounts.map(({ point, path, options }) => ({ kind: 'remounted', point, path, options }) as const),
    recoveryRecorded(recovery),
    ...startsOf(units),
  ];
}

function afterSwap({ pool, subvolume, provisional, kept, state, snapshotter }: Replacement): readonly ForwardStep[] {
  const atomic = snapshotter.capabilities.atomic;
  return [
    ...(atomic ? [{ kind: 'subvolume-renamed', pool, from: provisional, to: kept } as const] : []),
    ...(state.nested.length > 0
      ? [{ kind: 'nested-moved', pool, nested: state.nested, from: kept, to: subvolume } as const]
      : []),
  ];
}

/** After the point of no return, with limits of its own: an abort must leave nothing half done. Answers with what has to
 *  be done by hand. */
async function goForward(
  plan: RollbackPlan,
  units: readonly Stopped[],
  remounts: readonly Remount[],
  context: GuardContext,
): Promise<string[]> {
  const problems: string[] = [];
  const own = new AbortController().signal;
  for (const { subvolume, provisional, kept, state, snapshotter } of plan.replacements) {
    if (snapshotter.capabilities.atomic) await snapshotter.rename(provisional, kept, own);
    if (state.nested.length > 0) await snapshotter.moveNested(state.nested, kept, subvolume, own);
  }
  for (const mount of remounts) {
    try {
      await context.mounts.show(mount, own);
    } catch (error) {
      problems.push(
        `${mount.point} is not mounted: ${messageOf(error)} By hand: mount --bind ${mount.path} ${mount.point}`,
      );
    }
  }
  for (const { unit, members } of units) {
    context.progress({ type: 'step', subject: unit.name, text: 'starting' });
    try {
      await unit.start(members, own);
    } catch (error) {
      problems.push(`${unit.name} does not start: ${messageOf(error)} By hand: ${startCommand(unit)}`);
    }
  }
  return problems;
}

function startCommand({ reference }: Unit): string {
  if (reference.kind === 'container') return `docker start ${reference.container}`;
  if (reference.kind === 'compose') return `docker compose --file ${reference.file} start`;
  const manager =
    reference.user === null ? '' : reference.user === true ? '--user ' : `--user --machine=${reference.user}@ `;
  return `systemctl ${manager}start ${reference.unit}`;
}

/** Every unit must be seen on the restored data (interface, section 10, line 1). */
async function stillOnOldData(
  plan: RollbackPlan,
  context: GuardContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const units = plan.units.map(({ unit }) => unit);
  const problems: string[] = [];
  for (const { keptPath, subvolume } of plan.replacements) {
    const users = await usersOf(keptPath, units, context, signal);
    if (users.length === 0) continue;
    problems.push(`${users.join(', ')} still uses the state of ${subvolume} from before, now ${keptPath}: restart it`);
  }
  return problems;
}
