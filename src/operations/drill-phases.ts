import { DRILL_PHASES, type DrillPhase } from '../domain/drill.ts';
import { formatDuration } from '../domain/duration.ts';
import type { Check } from '../domain/verdict.ts';
import type { Clock } from '../ports/clock.ts';
import { inconclusiveOrFailed } from './verify-item.ts';

/** The phases of one drill: each is measured, and none throws. */
export interface Phases {
  /** False when it threw, so that those after it have nothing to work on. */
  perform(name: DrillPhase, work: () => Promise<Pick<Check, 'outcome' | 'detail'>>): Promise<boolean>;
  /** All five; those that were not reached tell nothing. */
  rows(): readonly Check[];
}

export interface TimeLimit {
  readonly milliseconds: number;
  readonly signal: AbortSignal;
}

/** @param limit of the whole drill; null without one */
export function phasesOf(clock: Clock, begin: (name: DrillPhase) => void, limit: TimeLimit | null): Phases {
  const done = new Map<DrillPhase, Check>();
  const failure = (name: DrillPhase, error: unknown, durationMs: number): Check => {
    if (limit?.signal.aborted !== true) return inconclusiveOrFailed(name, error, durationMs);
    const detail = `given up after ${formatDuration(limit.milliseconds / 1000)}, as --max-duration says`;
    return { name, outcome: 'inconclusive', detail, durationMs };
  };
  return {
    async perform(name, work) {
      begin(name);
      const from = clock.monotonicMs();
      const elapsed = (): number => Math.round(clock.monotonicMs() - from);
      try {
        const found = await work();
        done.set(name, { name, ...found, durationMs: elapsed() });
        return true;
      } catch (error) {
        done.set(name, failure(name, error, elapsed()));
        return false;
      }
    },
    rows: () =>
      DRILL_PHASES.map(
        (name) => done.get(name) ?? { name, outcome: 'inconclusive', detail: 'not reached', durationMs: 0 },
      ),
  };
}
