import { parseDuration } from '../domain/duration.ts';
import { GUARD_DEFAULTS, type GuardSettings } from '../domain/guard.ts';
import { parsePercentage } from '../domain/size.ts';
import type { Configuration } from './schema.ts';

/** How guard works: what is configured, else the defaults. */
export function guardSettingsOf({ guard = {} }: Configuration): GuardSettings {
  const { keep = {}, operations = {}, minFree } = guard;
  const seconds = (text: string | undefined, otherwise: number): number =>
    text === undefined ? otherwise : parseDuration(text);
  return {
    when: guard.when ?? GUARD_DEFAULTS.when,
    fresh: seconds(guard.fresh, GUARD_DEFAULTS.fresh),
    settle: seconds(guard.settle, GUARD_DEFAULTS.settle),
    steady: seconds(guard.steady, GUARD_DEFAULTS.steady),
    limit: seconds(guard.limit, GUARD_DEFAULTS.limit),
    retries: guard.retries ?? GUARD_DEFAULTS.retries,
    keep: {
      latest: keep.latest ?? GUARD_DEFAULTS.keep.latest,
      within: seconds(keep.within, GUARD_DEFAULTS.keep.within),
    },
    keptStates: seconds(guard.keptStates, GUARD_DEFAULTS.keptStates),
    minFree: minFree === undefined ? GUARD_DEFAULTS.minFree : parsePercentage(minFree),
    operations: new Map(
      Object.entries(operations).map(([name, { reversible = false, persistent = true }]) => [
        name,
        { reversible, persistent },
      ]),
    ),
  };
}
