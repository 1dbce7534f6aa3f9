import type { KeptState, Recovery } from '../ports/catalog.ts';
import type { DiffTotals } from './diff.ts';
import { type GuardContext, settleSettings } from './guard-context.ts';
import { type PoolDetail, refuseOtherRollback, VERBS, waitForCommands } from './guards.ts';
import { exchange } from './rollback-exchange.ts';
import { type Expectation, expectationOf, nestedGone, stillOnOldData } from './rollback-expectation.ts';
import { asDeclaredThen, downAgain, goForward, remaining } from './rollback-forward.ts';
import type { Replacement, RollbackPlan } from './rollback-plan.ts';
import { recordReplaced } from './rollback-record.ts';
import { writtenInKept } from './rollback-written.ts';
import { removeEndedKeptStates } from './snapshot-removal.ts';
import type { Stopped } from './units.ts';
import { type Validation, validate } from './validate.ts';

export interface RollbackOptions {
  readonly reason: Recovery['reason'];
  /** Null: by hand. Everything declared must be good then, as far as it is not down by intent. */
  readonly expected: Expectation | null;
  /** What ran before the change that is taken back, and runs again afterwards; null: what runs now. */
  readonly startAgain: readonly Stopped[] | null;
  /** Subvolumes that were inside before the change; left out where nobody looked. No snapshot has what they held. */
  readonly nested?: readonly string[];
}

export interface RollbackReport {
  /** `failed`: the data are taken back, and something does not work with them. */
  readonly outcome: Recovery['outcome'];
  readonly recovery: Recovery;
  readonly replaced: readonly {
    readonly subvolume: string;
    readonly snapshot: string;
    /** Null where nothing was left of the subvolume. */
    readonly kept: string | null;
    /** Subvolumes inside that were moved along as they are, and not taken back. */
    readonly nested: readonly string[];
    /** Null where it could not be told. */
    readonly written: DiffTotals | null;
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
    id: recoveryId,
    subject: { kind: 'subvolume', name: plan.subvolume },
    startedAt,
    outcome,
    kept,
    restored: plan.replacements[0]?.snapshot.name ?? '',
    reason: options.reason,
    durationMs: Math.round(context.clock.monotonicMs() - fromMs),
  });
  const kept = plan.replacements.flatMap(({ keptPath }) =>
    keptPath === null ? [] : [{ host: 'local', path: keptPath, until }],
  );
  let exchanged = false;
  try {
    const expected = options.expected ?? (await expectationOf(plan, context, signal));
    await waitForCommands(pool, subvolumes, context, signal);
    const folders = plan.replacements.map(({ state }) => state.path);
    const detail: PoolDetail = { pool, subvolumes, folders, snapshot: plan.replacements[0]?.snapshot.name ?? '' };
    await using journal = await (await context.journal()).begin({
      verb: VERBS.rollback,
      subject: plan.subvolume,
      detail,
    });
    await refuseOtherRollback(journal.id, pool, subvolumes, context);
    const { stopped, remounts } = await exchange(plan, journal, context, signal);
    const again = asDeclaredThen(plan, options.startAgain ?? stopped);
    await journal.forwardOnly(remaining(plan, again, remounts, recoveryOf('success', kept)));
    exchanged = true;
    const problems = await goForward(plan, again, remounts, context);
    const telling = writtenInKept(plan, context, signal); // programs that run while the disk writes what follows
    telling.catch(() => {}); // told when it is awaited
    await context.catalog.recordRecovery(recoveryOf('success', kept));
    await journal.done();
    const { validators, baselines } = expected;
    problems.push(...nestedGone(plan, options.nested ?? []), ...(await stillOnOldData(plan, context, signal)));
    const [written, validation] = await Promise.all([
      telling,
      validate(validators, baselines, settleSettings(context.guard), context.clock, signal),
    ]);
    if (problems.length === 0 && validation.outcome === 'invalid') problems.push(...(await downAgain(again, signal)));
    const outcome = problems.length > 0 || validation.outcome === 'invalid' ? 'failed' : 'success';
    const recovery = recoveryOf(outcome, kept);
    await context.catalog.recordRecovery(recovery);
    const replaced = plan.replacements.map(({ subvolume, state, snapshot, keptPath }, index) => ({
      subvolume,
      path: state.path,
      snapshot: snapshot.name,
      kept: keptPath,
      written: written[index] ?? null,
      nested: state.nested,
    }));
    const told = replaced.map(({ path, kept, written }) => ({ path, kept, written }));
    await recordReplaced(recovery, told, context);
    await removeEndedKeptStates(context, signal);
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
