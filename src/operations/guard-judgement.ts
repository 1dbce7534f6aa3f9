import { HoldfastError } from '../domain/errors.ts';
import type { SnapshotOutcome } from '../domain/guard.ts';
import type { CommandEnd, Ended } from './guard-command.ts';
import { type GuardContext, settleSettings } from './guard-context.ts';
import type { Expectation } from './rollback-expectation.ts';
import { type Validation, validate } from './validate.ts';

export interface Judged {
  readonly outcome: SnapshotOutcome;
  /** Why the data would be taken back; null when nothing is bad. */
  readonly bad: 'command-failed' | 'validation-failed' | null;
  readonly validation: Validation | null;
  readonly inconclusive: boolean;
  readonly interrupted: CommandEnd['interrupted'];
}

/** A command that failed is not validated. What could not be told takes nothing back: the outcome stays `pending`.
 *  @param gone which of the data that were there before are not there at all, whatever the checks would say */
export async function judge(
  ended: Ended,
  { validators, baselines }: Expectation,
  gone: () => Promise<readonly string[]>,
  { guard: settings, clock }: GuardContext,
  signal: AbortSignal,
): Promise<Judged> {
  const base = { validation: null, inconclusive: false, interrupted: null } as const;
  if (ended.exitCode !== 0)
    return { ...base, outcome: 'command_failed', bad: 'command-failed', interrupted: ended.interrupted };
  try {
    const missing = await gone();
    const validation =
      missing.length > 0
        ? absence(missing)
        : await validate(validators, baselines, settleSettings(settings), clock, signal);
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

/** Nobody waits for data to come back. */
const absence = (paths: readonly string[]): Validation => ({
  outcome: 'invalid',
  checks: paths.map((path) => ({
    name: `data ${path}`,
    outcome: 'failed',
    detail: 'is not there any more',
    durationMs: 0,
  })),
});
