import { HoldfastError } from '../domain/errors.ts';
import { type Decision, guardExitCode, type SnapshotOutcome } from '../domain/guard.ts';
import type { Outcome } from '../domain/recovery-point.ts';
import type { Unit } from '../ports/unit.ts';
import { sourcesOf } from './backup.ts';
import { runOutcome, UNTOUCHED, whyNotBack } from './guard.ts';
import { asCommand, endOf, guardsOf, type RunCommand } from './guard-command.ts';
import { decisionOnService } from './guard-decision.ts';
import { judge } from './guard-judgement.ts';
import type { GuardServiceRequest } from './guard-request.ts';
import { type LookedService, lookBeforeService } from './guard-service-plan.ts';
import { VERBS } from './guards.ts';
import type { Expectation } from './rollback-expectation.ts';
import { planWayBack, rollbackService, type ServiceRollback } from './rollback-service.ts';
import { type ServiceContext, serviceNamed } from './service-context.ts';
import { makePoint, namePoint, type PlannedPoint, removePoint, retainPoints } from './service-point.ts';
import { rowOf, type ServicePoint, type ServiceRunDetail } from './service-record.ts';
import type { Stopped } from './units.ts';
import type { Validation } from './validate.ts';

export interface GuardServiceReport {
  readonly service: string;
  readonly operation: string;
  readonly decision: Decision;
  /** What the command stood before; null when none was needed. */
  readonly point: ServicePoint | null;
  readonly outcome: SnapshotOutcome | 'unprotected';
  readonly commandExit: number | null;
  readonly commandError: string | null;
  readonly rolledBack: boolean;
  readonly validation: Validation | null;
  readonly rollback: ServiceRollback | null;
  /** Why the data could not be taken back, and what to do next; or null. */
  readonly rollbackError: string | null;
  readonly rollbackHint: string | null;
  readonly exitCode: number;
  readonly durationMs: number;
}

/** Runs a command between a recovery point of a whole service and its checks, and takes the point back when they fail.
 *  Whatever throws before `run` is called has started nothing (exit code 4).
 *  @throws ServiceNotFound; Refused when something of the service could not be captured; TargetBusy */
export async function guardService(
  request: GuardServiceRequest,
  run: RunCommand,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<GuardServiceReport> {
  const startedAt = context.clock.now();
  const fromMs = context.clock.monotonicMs();
  const elapsed = (): number => Math.round(context.clock.monotonicMs() - fromMs);
  const service = serviceNamed(request.service, context);
  const decision = await decisionOnService(request, context);
  const record = async (outcome: Outcome, detail: object): Promise<void> =>
    context.catalog.recordRun({
      id: runId,
      verb: 'guard',
      plan: null,
      services: [service.name],
      startedAt,
      durationMs: elapsed(),
      outcome,
      detail,
    });
  const runId = context.identifiers.next(startedAt);
  const { operation, execute } = request;
  const common = { service: service.name, operation, decision };
  if (!decision.protect) {
    const environment = { HOLDFAST_OPERATION: operation, HOLDFAST_SERVICE: service.name };
    const ended = execute ? await endOf(run, environment, signal) : null;
    const end = { commandExit: ended?.exitCode ?? null, interrupted: ended?.interrupted ?? null };
    const exitCode = guardExitCode({ ...end, outcome: 'unprotected', inconclusive: false });
    const told = { operation, snapshot: null, outcome: 'unprotected', commandExit: end.commandExit, rolledBack: false };
    await record(runOutcome(exitCode), told);
    return {
      ...common,
      ...UNTOUCHED,
      point: null,
      outcome: 'unprotected',
      commandExit: end.commandExit,
      commandError: ended?.error ?? null,
      exitCode,
      durationMs: elapsed(),
    };
  }
  const looked = await lookBeforeService(request, service, context, signal);
  const guarded = { request, looked, id: runId, startedAt, record, run };
  return { ...common, ...(await protectedRun(guarded, context, signal)), durationMs: elapsed() };
}

interface Guarded {
  readonly request: GuardServiceRequest;
  readonly looked: LookedService;
  readonly id: string;
  readonly startedAt: Temporal.Instant;
  readonly run: RunCommand;
  record(outcome: Outcome, detail: ServiceRunDetail): Promise<void>;
}

async function protectedRun(
  { request, looked: { planned, units, expected, before }, id, startedAt, run, record }: Guarded,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<Omit<GuardServiceReport, 'service' | 'operation' | 'decision' | 'durationMs'>> {
  const { operation, autoRollback, execute } = request;
  const { service } = planned;
  const point = await namePoint(planned, { operation, id, at: startedAt }, units, context, signal);
  const journalled = { service: service.name, operation, point: point.id };
  await using entry = await (await context.journal()).begin({
    verb: VERBS.guard,
    subject: service.name,
    detail: journalled,
  });
  const planning: ServiceRunDetail = {
    ...point,
    point: point.id,
    snapshot: point.id,
    outcome: 'pending',
    commandExit: null,
    rolledBack: false,
    whole: false,
    removed: false,
  };
  // known before it is made: whatever a crash leaves of it is found by this record, and removed by it
  await record('inconclusive', planning);
  const sizeBytes = await make(planned, point, units, { record, detail: planning }, context, signal);
  const detail = { ...planning, whole: true };
  await record('inconclusive', detail);
  const row = rowOf(point, { madeAt: startedAt, outcome: 'pending', sizeBytes });
  await context.catalog.recordSnapshot(row);
  await entry.forwardOnly(); // a crash from here on leaves the point, and this entry to tell of it
  if (!execute) {
    await entry.done();
    await record('passed', detail);
    return { ...UNTOUCHED, point, outcome: 'pending', commandExit: null, commandError: null, exitCode: 0 };
  }
  const environment = {
    HOLDFAST_OPERATION: operation,
    HOLDFAST_SERVICE: service.name,
    HOLDFAST_POINT: point.id,
    ...guardsOf(point.id, context),
  };
  const ended = await asCommand(service.name, journalled, context, () => endOf(run, environment, signal));
  const gone = () => goneOf(planned, context, signal);
  const judged = await judge(ended, expected, gone, context, signal);
  const back =
    autoRollback && judged.bad !== null
      ? await takeBack(point, judged.bad, expected, before, context)
      : { ...UNTOUCHED, outcome: judged.outcome };
  const end = { outcome: back.outcome, commandExit: ended.exitCode, inconclusive: judged.inconclusive };
  const exitCode = guardExitCode({ ...end, interrupted: judged.interrupted });
  const { outcome, rolledBack } = back;
  await context.catalog.recordSnapshot({ ...row, outcome });
  await record(runOutcome(exitCode), { ...detail, outcome, commandExit: ended.exitCode, rolledBack });
  await entry.done();
  await retainPoints(service.name, context);
  return {
    ...back,
    point,
    validation: judged.validation,
    commandExit: ended.exitCode,
    commandError: ended.error,
    exitCode,
  };
}

/** Makes the point. What was made of one that is not whole is removed again.
 *  @returns what it takes in the repository; null when snapshots hold all */
async function make(
  planned: PlannedPoint,
  point: ServicePoint,
  units: readonly Unit[],
  { record, detail }: { readonly detail: ServiceRunDetail } & Pick<Guarded, 'record'>,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<number | null> {
  try {
    const { archived } = await makePoint(planned, point, units, context, signal);
    await planWayBack(point, context, signal); // a point that could not be taken back is no protection
    return archived?.totalSize ?? null;
  } catch (error) {
    try {
      await removePoint(point, context, new AbortController().signal);
      await record('failed', { ...detail, removed: true });
    } catch (second) {
      throw new SuppressedError(second, error, 'What was made of the point could not be removed either.');
    }
    throw error;
  }
}

async function takeBack(
  point: ServicePoint,
  reason: 'command-failed' | 'validation-failed',
  expected: Expectation,
  startAgain: readonly Stopped[],
  context: ServiceContext,
): Promise<
  Pick<GuardServiceReport, 'rollback' | 'rollbackError' | 'rollbackHint' | 'rolledBack'> & {
    readonly outcome: SnapshotOutcome;
  }
> {
  const own = new AbortController().signal;
  try {
    const rollback = await rollbackService(point, { reason, expected, startAgain }, context, own);
    const outcome = rollback.outcome === 'success' ? 'rolled_back' : 'rollback_failed';
    return { ...UNTOUCHED, outcome, rollback, rolledBack: true };
  } catch (error) {
    return { ...UNTOUCHED, outcome: 'rollback_failed', ...whyNotBack(error) };
  }
}

/** What of a service's trees is not there any more. Whatever else keeps one from being looked at is for the checks. */
async function goneOf({ service }: PlannedPoint, context: ServiceContext, signal: AbortSignal): Promise<string[]> {
  const gone: string[] = [];
  for (const source of await sourcesOf(service, context))
    await source.snapshotRoots(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (error instanceof HoldfastError && error.code === 'SourceMissing') gone.push(error.subject);
    });
  return gone;
}
