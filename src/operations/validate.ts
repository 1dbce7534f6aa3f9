import { formatDuration } from '../domain/duration.ts';
import { messageOf } from '../domain/errors.ts';
import {
  afterLook,
  beginCourse,
  finalOutcome,
  type LookOutcome,
  type SettleSettings,
  type ValidationOutcome,
  validationOutcome,
  waitBeforeNextLook,
} from '../domain/settling.ts';
import type { Clock } from '../ports/clock.ts';
import type { Observation, Validator, Verdict } from '../ports/validator.ts';

/** What all was like before: of each validator, in their order, null where it could not be told. */
export type Baselines = readonly (Observation | null)[];

/** One check as it ended. */
export interface ValidatedCheck {
  readonly name: string;
  readonly outcome: Exclude<LookOutcome, 'pending'>;
  readonly detail: string;
  /** From the beginning of the validation to the last look at it. */
  readonly durationMs: number;
}

export interface Validation {
  readonly outcome: ValidationOutcome;
  /** In the order of the validators. */
  readonly checks: readonly ValidatedCheck[];
}

/** Looks at everything before it is changed. A validator that cannot look is no error here: its verdict will say that it
 *  cannot be told. @throws the reason of an aborted signal */
export async function takeBaseline(validators: readonly Validator[], signal: AbortSignal): Promise<Baselines> {
  const taken = await Promise.allSettled(validators.map(async (validator) => await validator.baseline(signal)));
  signal.throwIfAborted();
  return taken.map((one) => (one.status === 'fulfilled' ? one.value : null));
}

/** The baseline for a recovery, which is there because something is bad: everything must be good afterwards. A unit that
 *  was down by intent may stay down all the same. */
export const demandingGood = (baselines: Baselines): Baselines =>
  baselines.map((one) => ({ observed: null, detail: 'not looked at before', ...one, good: true }));

/** Looks at everything, side by side and again, until it is good and stays so, or has had its time.
 *  @param baselines as `takeBaseline` told them
 *  @throws the reason of an aborted signal */
export async function validate(
  validators: readonly Validator[],
  baselines: Baselines,
  settings: SettleSettings,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
  signal: AbortSignal,
): Promise<Validation> {
  if (validators.length !== baselines.length) throw new TypeError('Each validator needs its own baseline.');
  const startedMs = clock.monotonicMs();
  const elapsed = (): number => Math.round(clock.monotonicMs() - startedMs);
  const all = validators.map((validator, index) => ({ validator, index, baseline: baselines[index] ?? null }));
  const settling = all.filter(({ validator }) => validator.settles);
  const checks = new Map<number, ValidatedCheck>();

  /** What was bad before decides nothing: once it is known how it is now, nobody waits for it to answer again. */
  const isKnown = ({ baseline, index }: Placed): boolean =>
    baseline?.good === false && ['passed', 'warning'].includes(checks.get(index)?.outcome ?? '');

  async function look(at: readonly Placed[]): Promise<readonly LookOutcome[]> {
    const verdicts = await Promise.all(at.map(async (one) => (isKnown(one) ? null : await verdictOf(one, signal))));
    signal.throwIfAborted();
    for (const [place, { validator, index }] of at.entries()) {
      const verdict = verdicts[place];
      if (!verdict) continue;
      const { outcome, detail } = verdict;
      const words = outcome === 'pending' ? `${detail} after ${formatDuration(elapsed() / 1000)}` : detail;
      checks.set(index, {
        name: validator.name,
        outcome: finalOutcome(outcome),
        detail: words,
        durationMs: elapsed(),
      });
    }
    return at.map(({ index }, place) => verdicts[place]?.outcome ?? (checks.get(index) as ValidatedCheck).outcome);
  }

  if (settling.length > 0) {
    // what was not good before need not stay good
    const mustStay = settling.map(({ validator, baseline }) => validator.mustStay && baseline?.good !== false);
    let course = beginCourse(mustStay, startedMs);
    let wait: number | null = 0;
    while (wait !== null) {
      if (wait > 0) await clock.sleep(wait, signal);
      const outcomes = await look(settling);
      course = afterLook(course, outcomes, clock.monotonicMs(), settings);
      wait = waitBeforeNextLook(course, clock.monotonicMs(), settings);
    }
  }
  await look(all.filter(({ validator }) => !validator.settles));
  const ended = all.map(({ index }) => checks.get(index) as ValidatedCheck);
  return { outcome: validationOutcome(ended.map(({ outcome }) => outcome)), checks: ended };
}

interface Placed {
  readonly validator: Validator;
  /** Among all of the validation. */
  readonly index: number;
  readonly baseline: Observation | null;
}

async function verdictOf({ validator, baseline }: Placed, signal: AbortSignal): Promise<Verdict> {
  try {
    return await validator.verdict(baseline, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { outcome: 'inconclusive', detail: messageOf(error) };
  }
}
