import { firstOf, HoldfastError } from '../domain/errors.ts';
import { type Decision, guardExitCode, type SnapshotOutcome } from '../domain/guard.ts';
import type { Outcome } from '../domain/recovery-point.ts';
import type { Recovery, Snapshot } from '../ports/catalog.ts';
import { wordsOfAll } from './failure.ts';
import { asCommand, endOf, guardsOf, type RunCommand } from './guard-command.ts';
import { findSubvolume, type GuardContext, type Subject } from './guard-context.ts';
import { decisionOn } from './guard-decision.ts';
import { judge } from './guard-judgement.ts';
import { lookBefore } from './guard-plan.ts';
import type { GuardRequest } from './guard-request.ts';
import { takeSnapshot } from './guard-snapshot.ts';
import { inTurn, type PoolDetail } from './guards.ts';
import { type RollbackReport, rollback } from './rollback.ts';
import type { Expectation } from './rollback-expectation.ts';
import { planRollback } from './rollback-plan.ts';
import { retainSnapshots } from './snapshot-retention.ts';
import type { Stopped } from './units.ts';
import type { Validation } from './validate.ts';

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
  /** Why the data could not be taken back, and what to do next; or null. */
  readonly rollbackError: string | null;
  readonly rollbackHint: string | null;
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
    : await unprotectedRun(request, decision, run, signal);
  const { snapshot, outcome, commandExit, rolledBack, operation } = report;
  await context.catalog.recordRun({
    id: context.identifiers.next(startedAt),
    verb: 'guard',
    plan: null,
    services: [],
    startedAt,
    durationMs: elapsed(),
    outcome: runOutcome(report.exitCode),
    detail: { subvolume: request.subvolume, operation, snapshot, outcome, commandExit, rolledBack },
  });
  return { ...report, durationMs: elapsed() };
}

/** What the record of a run says of an exit code of guard (interface, section 3). */
export function runOutcome(exitCode: number): Outcome {
  if (exitCode === 0) return 'passed';
  return exitCode === 5 ? 'inconclusive' : 'failed';
}

type Guarded = Omit<GuardReport, 'durationMs'>;

const NOT_BACK = { rollback: null, rollbackError: null, rollbackHint: null } as const;

/** What a guard tells that validated nothing and took nothing back. */
export const UNTOUCHED = { ...NOT_BACK, validation: null, rolledBack: false } as const;

async function unprotectedRun(
  request: GuardRequest,
  decision: Decision,
  run: RunCommand,
  signal: AbortSignal,
): Promise<Guarded> {
  const { subvolume, operation, execute } = request;
  const ended = execute ? await endOf(run, { HOLDFAST_OPERATION: operation }, signal) : null;
  const commandExit = ended?.exitCode ?? null;
  const interrupted = ended?.interrupted ?? null;
  const end = { outcome: 'unprotected', commandExit, interrupted, inconclusive: false } as const;
  return {
    subvolume,
    operation,
    decision,
    snapshot: null,
    outcome: 'unprotected',
    commandExit,
    ...UNTOUCHED,
    commandError: ended?.error ?? null,
    exitCode: guardExitCode(end),
  };
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
  const { path, nested, expected, before } = await lookBefore(request, subject, context, signal);

  await using taken = await takeSnapshot(operation, subject, context, signal);
  const { snapshot, entry } = taken;
  const common = { subvolume, operation, decision, snapshot: snapshot.name };
  if (!execute) {
    await entry.done();
    return { ...common, ...UNTOUCHED, outcome: 'pending', commandExit: null, commandError: null, exitCode: 0 };
  }
  const detail: PoolDetail = {
    pool: subject.pool,
    subvolumes: [subvolume],
    folders: [path],
    snapshot: snapshot.name,
  };
  const environment = {
    HOLDFAST_SNAPSHOT: snapshot.name,
    HOLDFAST_OPERATION: operation,
    HOLDFAST_SUBVOLUME: path,
    ...guardsOf(snapshot.name, context),
  };
  const ended = await asCommand(subvolume, detail, context, () => endOf(run, environment, signal));
  const gone = async () => ((await subject.snapshotter.subvolumes(signal)).includes(subvolume) ? [] : [path]);
  const judged = await judge(ended, expected, gone, context, signal);
  // from here an abort must not keep the data from being taken back
  const back =
    autoRollback && judged.bad !== null
      ? await takeBack(snapshot, judged.bad, { detail, expected, before, nested }, context)
      : { ...NOT_BACK, outcome: judged.outcome };
  await context.catalog.recordSnapshot({ ...snapshot, outcome: back.outcome });
  await entry.done();
  await retainSnapshots(subject, context);
  const rolledBack = back.rollback !== null;
  const interrupted = judged.interrupted;
  const end = { outcome: back.outcome, commandExit: ended.exitCode, interrupted, inconclusive: judged.inconclusive };
  return {
    ...common,
    ...back,
    rolledBack,
    commandExit: ended.exitCode,
    commandError: ended.error,
    validation: judged.validation,
    exitCode: guardExitCode(end),
  };
}

/** What all was like before the command. */
interface Before {
  readonly detail: PoolDetail;
  readonly expected: Expectation;
  /** The units that ran. */
  readonly before: readonly Stopped[];
  /** Subvolumes inside the subvolume. */
  readonly nested: readonly string[];
}

async function takeBack(
  snapshot: Snapshot,
  reason: 'command-failed' | 'validation-failed',
  { detail, expected, before, nested }: Before,
  context: GuardContext,
): Promise<NotBack & { readonly outcome: SnapshotOutcome }> {
  const own = new AbortController().signal;
  const startedAt = context.clock.now();
  let begun = false;
  try {
    const report = await inTurn(snapshot.subvolume, detail, context, own, async () => {
      const plan = await planRollback({ what: { snapshot: snapshot.name }, withDependencies: false }, context, own);
      begun = true;
      return rollback(plan, { reason, expected, startAgain: before, nested }, context, own);
    });
    const outcome = report.outcome === 'success' ? 'rolled_back' : 'rollback_failed';
    return { ...NOT_BACK, outcome, rollback: report };
  } catch (error) {
    if (!begun) await recordRefused(snapshot, reason, startedAt, context); // else it recorded itself
    return { ...NOT_BACK, outcome: 'rollback_failed', ...whyNotBack(error) };
  }
}

type NotBack = Pick<GuardReport, 'rollback' | 'rollbackError' | 'rollbackHint'>;

/** A recovery that was not even begun has failed like one that broke off. */
const recordRefused = (
  { name, subvolume }: Snapshot,
  reason: Recovery['reason'],
  startedAt: Temporal.Instant,
  { catalog, clock, identifiers }: GuardContext,
): Promise<void> =>
  catalog.recordRecovery({
    id: identifiers.next(startedAt),
    subject: { kind: 'subvolume', name: subvolume },
    restored: name,
    reason,
    startedAt,
    durationMs: startedAt.until(clock.now()).total('milliseconds'),
    outcome: 'failed',
    kept: [],
  });

/** Why a rollback failed, and what to do next where that is known. */
export function whyNotBack(error: unknown): { readonly rollbackError: string; readonly rollbackHint: string | null } {
  const cause = firstOf(error);
  return { rollbackError: wordsOfAll(error), rollbackHint: cause instanceof HoldfastError ? cause.hint : null };
}
