import type { Host } from '../../../ports/host.ts';
import type { Observation, Validator, Verdict } from '../../../ports/validator.ts';
import * as args from './args.ts';
import { parseFailed } from './parse.ts';

const LIMIT_MS = 30_000;
const MOST_NAMED = 5;

/** Units of the system's manager that failed since, declared or not. */
export function systemdFailedValidator(host: Host): Validator {
  async function failedUnits(signal: AbortSignal): Promise<readonly string[]> {
    const command = { program: 'systemctl', args: args.listFailed() };
    return parseFailed((await host.run(command, { signal, limitMs: LIMIT_MS })).stdout);
  }
  return {
    name: 'systemd failed units',
    settles: true,
    mustStay: false,
    async baseline(signal): Promise<Observation> {
      const failed = await failedUnits(signal);
      return { observed: failed, good: failed.length === 0, detail: failed.length === 0 ? 'none' : named(failed) };
    },
    async verdict(baseline, signal): Promise<Verdict> {
      const now = await failedUnits(signal);
      if (now.length === 0) return { outcome: 'passed', detail: 'none' };
      if (!Array.isArray(baseline?.observed))
        return { outcome: 'inconclusive', detail: `${named(now)}; which of them had failed before is not known` };
      const before: readonly unknown[] = baseline.observed;
      const fresh = now.filter((unit) => !before.includes(unit));
      if (fresh.length === 0)
        return { outcome: 'passed', detail: `none but those that had failed before: ${named(now)}` };
      return { outcome: 'failed', detail: `failed since: ${named(fresh)}` };
    },
  };
}

const named = (units: readonly string[]): string => {
  const more = units.length - MOST_NAMED;
  return units.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
};
