import { HoldfastError } from '../../../domain/errors.ts';
import type { Unit, UnitHealth } from '../../../ports/unit.ts';
import type { Observation, Validator, Verdict } from '../../../ports/validator.ts';

const WORDS: Readonly<Record<UnitHealth, string>> = {
  healthy: 'runs and is healthy',
  undeclared: 'runs',
  starting: 'is still starting',
  unhealthy: 'runs and is unhealthy',
  restarting: 'ends and is started again and again',
  down: 'is down',
};
const GOOD: readonly UnitHealth[] = ['healthy', 'undeclared'];

/** A unit that is up, healthy by its own word, and not restarting. What was down stays down, and is no reason. */
export function unitValidator(unit: Unit): Validator {
  /** `missing`: there is no such unit. */
  async function look(signal: AbortSignal): Promise<UnitHealth | 'missing'> {
    try {
      return await unit.health(signal);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'UnitMissing') return 'missing';
      throw error;
    }
  }
  return {
    name: `unit ${unit.name}`,
    settles: true,
    mustStay: true,
    async baseline(signal): Promise<Observation> {
      const found = await look(signal);
      if (found === 'missing') return { observed: found, good: false, detail: 'is not there' };
      // what is on its way is expected to arrive
      return { observed: found, good: [...GOOD, 'starting'].includes(found), detail: WORDS[found] };
    },
    async verdict(baseline, signal): Promise<Verdict> {
      const found = await look(signal);
      const detail = found === 'missing' ? 'is not there' : WORDS[found];
      if (found !== 'missing' && GOOD.includes(found)) return { outcome: 'passed', detail };
      if (found === 'down' && baseline?.observed === 'down')
        return { outcome: 'passed', detail: `${detail}, as before` };
      if (baseline === null) return { outcome: 'inconclusive', detail: `${detail}; what it was before is not known` };
      if (!baseline.good) {
        const same = found === baseline.observed ? 'as before' : `and before: ${baseline.detail}`;
        return { outcome: 'warning', detail: `${detail}, ${same}` };
      }
      return { outcome: found === 'starting' ? 'pending' : 'failed', detail };
    },
  };
}
