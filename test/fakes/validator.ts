import { setImmediate } from 'node:timers/promises';
import type { Observation, Validator, Verdict } from '../../src/ports/validator.ts';

/** A validator in memory. The suite of test/contracts/validator.ts runs against it, too. */
export interface MemoryValidator extends Validator {
  /** What it finds now: good, bad, on its way, or not to be told. A function is asked at each look. */
  now: Found | (() => Found);
  /** Looks since it was made, the baseline's among them. */
  looks: number;
}

export type Found = 'good' | 'bad' | 'starting' | 'unseen';

export function memoryValidator(options: Partial<Pick<MemoryValidator, 'name' | 'settles' | 'mustStay' | 'now'>> = {}) {
  const { name = 'memory', settles = true, mustStay = false } = options;
  async function look(signal: AbortSignal): Promise<Found> {
    signal.throwIfAborted();
    await setImmediate(); // others look meanwhile
    signal.throwIfAborted();
    validator.looks += 1;
    const found = typeof validator.now === 'function' ? validator.now() : validator.now;
    if (found === 'unseen') throw new Error(`${name} cannot be seen.`);
    return found;
  }
  const validator: MemoryValidator = {
    name,
    settles,
    mustStay,
    now: options.now ?? 'good',
    looks: 0,
    async baseline(signal): Promise<Observation> {
      const found = await look(signal);
      return { observed: found, good: found === 'good', detail: found };
    },
    async verdict(baseline, signal): Promise<Verdict> {
      const found = await look(signal);
      if (found === 'good') return { outcome: 'passed', detail: found };
      if (baseline === null) return { outcome: 'inconclusive', detail: found };
      if (!baseline.good) return { outcome: 'warning', detail: `${found}, as before` };
      return { outcome: found === 'starting' ? 'pending' : 'failed', detail: found };
    },
  };
  return validator;
}
