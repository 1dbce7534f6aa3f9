import { HoldfastError, messageOf } from '../domain/errors.ts';
import { type Decision, decide, type GuardSettings, guardExitCode, type SnapshotOutcome } from '../domain/guard.ts';
import type { Outcome } from '../domain/recovery-point.ts';
import { guardSnapshotName } from '../domain/snapshot-name.ts';
import type { JournalEntry } from '../journal/entry.ts';
import { snapshotMade } from '../journal/pool-step.ts';
import type { Snapshot } from '../ports/catalog.ts';
import type { Unit } from '../ports/unit.ts';
import { checkedOf, findSubvolume, type GuardContext, type Subject, settleSettings } from './guard-context.ts';
import { type PoolDetail, VERBS } from './guards.ts';
import { refuseOccupied, refuseOwnPaths } from './occupancy.ts';
import { type Expectation, type RollbackReport, rollback } from './rollback.ts';
import { planRollback } from './rollback-plan.ts';
import { refuseUnsafe, withFreeName } from './snapshot.ts';
import { retainSnapshots } from './snapshot-retention.ts';
import type { Stopped } from './units.ts';
import { takeBaseline, type Validation, validate } from './validate.ts';

export interface GuardRequest {
  readonly subvolume: string;
  /** As it was typed. */
  readonly operation: string;
  readonly autoRollback: boolean;
  /** Null: as configured. */
  readonly when: GuardSettings['when'] | null;
  /** False: the snapshot is made and nothing is run. */
  readonly execute: boolean;
}

/** How the guarded command ended. */
export interface CommandEnd {
  /** As a shell tells it: 128 and the number of the signal that ended it. */
  readonly exitCode: number;
  /** The person at the terminal, or whoever ended Holdfast, interrupted it. */
  readonly interrupted: 'SIGINT' | 'SIGTERM' | null;
}

/** Runs the command in the foreground, with the caller's terminal. The environment is added to the caller's.
 *  @throws when it cannot be started at all */
export type RunCommand = (environment: Readonly<Record<string, string>>) => Promise<CommandEnd>;

export interface GuardReport {
  readonly subvolume: string;
  readonly operation: string;
  readonly decision: Decision;
  /** The name of the snapshot; null when none was needed. */
  readonly snapshot: string | null;
  readonly outcome: SnapshotOutcome | 'unprotected';
  /** Null when nothing was run. */
  readonly commandExit: number | null;
  /** Why it could not be started at all, or null. */
  readonly commandError: string | null;
  readonly rolledBack: boolean;
  readonly validation: Validation | null;
  readonly rollback: RollbackReport | null;
  /** Why the data could not be taken back, or null. */
  readonly rollbackError: string | null;
  readonly exitCode: number;
  readonly durationMs: number;
}

/** Runs a command between a snapshot and checks, and takes the snapshot back when they fail. Whatever throws before
 *  `run` is called has started nothing and is exit code 4 (64 for a wrong name); afterwards the outcome is in the report.
 *  @throws SubvolumeMissing, PoolUnusable, NoSpace, NestedSubvolumes, Refused, TargetBusy; Usage */
export async function guard(
  request: GuardRequest,
  run: RunCommand,
  context: GuardContext,
  signal: AbortSignal,
): Promise<GuardReport> {
  const startedAt = context.clock.now();
  const fromMs = context.clock.monotonicMs();
  const elapsed = (): number => Math.round(context.clock.monotonicMs() - fromMs);
  const subject = await findSubvolume(request.subvolume, context, signal);
  const decision = await decisionOn(request, subject, context, signal);
  const report = decision.protect
    ? await protectedRun(request, decision, subject, run, context, signal)
    : await unprotectedRun(request, decision, run);
  const { snapshot, outcome, commandExit, rolledBack, operation } = report;
  await context.catalog.recordRun({
    ...{ id: context.identifiers.next(startedAt), verb: 'guard', plan: null, services: [], startedAt },
    ...{ durationMs: elapsed(), outcome: runOutcome(report.exitCode) },
    detail: { subvolume: request.subvolume, operation, snapshot, outcome, commandExit, rolledBack },
  });
  return { ...report, durationMs: elapsed() };
}

export const runOutcome = (exitCode: number): Outcome =>
  exitCode === 0 ? 'passed' : exitCode === 5 ? 'inconclusive' : 'failed';

type Guarded = Omit<GuardReport, 'durationMs'>;

async function decisionOn(
  { when, autoRollback, operation, subvolume }: GuardRequest,
  { snapshotter }: Subject,
  { guard: settings, clock, catalog }: GuardContext,
  signal: AbortSignal,
): Promise<Decision> {
  const wanted = autoRollback ? 'always' : (when ?? settings.when); // there must be something to take back
  if (wanted === 'always') return decide(operation, wanted, settings, null, clock.now());
  const stored = (await snapshotter.list(signal)).filter(
    (one) => one.kind === 'snapshot' && one.subvolume === subvolume,
  );
  const recorded = (await catalog.snapshots({ subvolume })).filter(({ name }) =>
    stored.some((one) => one.name === name),
  );
  const newest = [...stored, ...recorded]
    .map(({ madeAt }) => madeAt)
    .toSorted(Temporal.Instant.compare)
    .at(-1);
  return decide(operation, wanted, settings, newest ?? null, clock.now());
}

const nothing = { validation: null, rollback: null, rollbackError: null, rolledBack: false } as const;

async function unprotectedRun(request: GuardRequest, decision: Decision, run: RunCommand): Promise<Guarded> {
  const { subvolume, operation, execute } = request;
  const ended = execute ? await endOf(run, { HOLDFAST_OPERATION: operation }) : null;
  const [commandExit, interrupted] = [ended?.exitCode ?? null, ended?.interrupted ?? null];
  const end = { outcome: 'unprotected', commandExit, interrupted, inconclusive: false } as const;
  return {
    ...{ subvolume, operation, decision, snapshot: null, outcome: 'unprotected', commandExit },
    ...{ ...nothing, commandError: ended?.error ?? null, exitCode: guardExitCode(end) },
  };
}

type Ended = CommandEnd & { readonly error: string | null };

/** A command that cannot be started has failed: 127, as a shell tells it. */
export async function endOf(run: RunCommand, environment: Readonly<Record<string, string>>): Promise<Ended> {
  try {
    return { ...(await run(environment)), error: null };
  } catch (error) {
    return { exitCode: 127, interrupted: null, error: messageOf(error) };
  }
}

async function protectedRun(
  request: GuardRequest,
  decision: Decision,
  subject: Subject,
  run: RunCommand,
  context: GuardContext,
  signal: AbortSignal,
): Promise<Guarded> {
  const { subvolume, operation, autoRollback, execute } = request;
  await refuseUnsafe(subject, context, signal);
  const checked = await checkedOf([subject], context);
  const path = `${subject.snapshotter.path}/${subvolume}`;
  const own = autoRollback ? (await refuseOccupied(path, checked.units, context, signal)).own : [];
  await refuseOwnPaths(path, own, context, signal);
  const validators = execute ? await context.validators(checked) : [];
  const expected = { validators, baselines: await takeBaseline(validators, signal) };
  const before = await runningOf(checked.units, signal);

  await using taken = await take(operation, subject, context, signal);
  const { snapshot, entry } = taken;
  const common = { subvolume, operation, decision, snapshot: snapshot.name };
  if (!execute) {
    await entry.done();
    return { ...common, ...nothing, outcome: 'pending', commandExit: null, commandError: null, exitCode: 0 };
  }
  const detail: PoolDetail = { pool: subject.pool, subvolumes: [subvolume], snapshot: snapshot.name };
  const ended = await asCommand(subvolume, detail, context, () =>
    endOf(run, { HOLDFAST_SNAPSHOT: snapshot.name, HOLDFAST_OPERATION: operation, HOLDFAST_SUBVOLUME: path }),
  );
  const judged = await judge(ended, expected, context, signal);
  // from here an abort must not keep the data from being taken back
  const back =
    autoRollback && judged.bad !== null
      ? await takeBack(snapshot, judged.bad, expected, before, context)
      : { outcome: judged.outcome, rollback: null, rollbackError: null };
  await context.catalog.recordSnapshot({ ...snapshot, outcome: back.outcome });
  await entry.done();
  await retainSnapshots(subject, context);
  const rolledBack = back.rollback !== null;
  const interrupted = judged.interrupted;
  const end = { outcome: back.outcome, commandExit: ended.exitCode, interrupted, inconclusive: judged.inconclusive };
  return {
    ...{ ...common, ...back, rolledBack, commandExit: ended.exitCode, commandError: ended.error },
    ...{ validation: judged.validation, exitCode: guardExitCode(end) },
  };
}

async function runningOf(units: readonly Unit[], signal: AbortSignal): Promise<readonly Stopped[]> {
  const all = await Promise.all(units.map(async (unit) => ({ unit, members: await unit.running(signal) })));
  return all.filter(({ members }) => members.length > 0);
}

interface Taken extends AsyncDisposable {
  readonly snapshot: Snapshot;
  /** Open until the verdict is recorded: a crash before leaves the snapshot `pending`, and this to tell of it. */
  readonly entry: JournalEntry;
}

/** Makes the snapshot and records it. The journal knows its name beforehand, and it is never taken back: after a crash it
 *  may be all that is left of the state before the command. */
async function take(
  operation: string,
  { pool, subvolume, snapshotter }: Subject,
  context: GuardContext,
  signal: AbortSignal,
): Promise<Taken> {
  const journal = await context.journal();
  const at = context.clock.now();
  return withFreeName(guardSnapshotName(subvolume, operation, at, context.zone), async (name) => {
    await using stack = new AsyncDisposableStack();
    const detail: PoolDetail = { pool, subvolumes: [subvolume], snapshot: name };
    const entry = stack.use(await journal.begin({ verb: VERBS.guard, subject: subvolume, detail }));
    const planned: Snapshot = {
      ...{ pool, name, subvolume, type: 'pre-operation', operation, madeAt: at, outcome: 'pending', sizeBytes: null },
    };
    await refuseKnown(name, snapshotter.snapshotsPath, context, signal);
    await entry.forwardOnly([snapshotMade(planned)]);
    const snapshot = { ...planned, sizeBytes: (await snapshotter.snapshot(subvolume, name, signal)).exclusiveBytes };
    await context.catalog.recordSnapshot(snapshot);
    const moved = stack.move();
    return { snapshot, entry, [Symbol.asyncDispose]: () => moved.disposeAsync() };
  });
}

/** Before the journal says that it is ours. */
async function refuseKnown(
  name: string,
  folder: string,
  { host }: Pick<GuardContext, 'host'>,
  signal: AbortSignal,
): Promise<void> {
  if ((await (await host('local')).files.status(`${folder}/${name}`, signal)) !== null)
    throw new HoldfastError('TargetExists', `${folder}/${name} is there already.`, name);
}

/** While the command runs, an entry says so to rollbacks of others, which wait for it. */
async function asCommand(
  subject: string,
  detail: PoolDetail,
  { journal }: Pick<GuardContext, 'journal'>,
  run: () => Promise<Ended>,
): Promise<Ended> {
  await using entry = await (await journal()).begin({ verb: VERBS.command, subject, detail });
  const ended = await run();
  await entry.done();
  return ended;
}

interface Judged {
  readonly outcome: SnapshotOutcome;
  /** Why the data would be taken back; null when nothing is bad. */
  readonly bad: 'command-failed' | 'validation-failed' | null;
  readonly validation: Validation | null;
  readonly inconclusive: boolean;
  readonly interrupted: CommandEnd['interrupted'];
}

export async function judge(
  ended: Ended,
  { validators, baselines }: Expectation,
  { guard: settings, clock }: GuardContext,
  signal: AbortSignal,
): Promise<Judged> {
  const base = { validation: null, inconclusive: false, interrupted: null } as const;
  if (ended.exitCode !== 0)
    return { ...base, outcome: 'command_failed', bad: 'command-failed', interrupted: ended.interrupted };
  try {
    const validation = await validate(validators, baselines, settleSettings(settings), clock, signal);
    if (validation.outcome === 'invalid')
      return { ...base, outcome: 'validation_failed', bad: 'validation-failed', validation };
    const inconclusive = validation.outcome === 'inconclusive';
    return { ...base, outcome: inconclusive ? 'pending' : 'success', bad: null, validation, inconclusive };
  } catch (error) {
    if (!signal.aborted) return { ...base, outcome: 'pending', bad: null, inconclusive: true };
    const terminated = error instanceof HoldfastError && error.code === 'Terminated';
    const interrupted = terminated ? 'SIGTERM' : 'SIGINT';
    return { ...base, outcome: 'pending', bad: 'validation-failed', interrupted };
  }
}

async function takeBack(
  snapshot: Snapshot,
  reason: 'command-failed' | 'validation-failed',
  expected: Expectation,
  startAgain: readonly Stopped[],
  context: GuardContext,
): Promise<Pick<GuardReport, 'rollback' | 'rollbackError'> & { readonly outcome: SnapshotOutcome }> {
  const own = new AbortController().signal;
  try {
    const plan = await planRollback({ what: { snapshot: snapshot.name }, withDependencies: false }, context, own);
    const report = await rollback(plan, { reason, expected, startAgain }, context, own);
    const outcome = report.outcome === 'success' ? 'rolled_back' : 'rollback_failed';
    return { outcome, rollback: report, rollbackError: null };
  } catch (error) {
    const cause = error instanceof SuppressedError ? error.suppressed : error;
    return { outcome: 'rollback_failed', rollback: null, rollbackError: messageOf(cause) };
  }
}
