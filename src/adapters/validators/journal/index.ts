import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { Observation, Validator, Verdict } from '../../../ports/validator.ts';
import * as args from './args.ts';
import { parseCursor, parseErrors } from './parse.ts';

const LIMIT_MS = 30_000;
/** Some errors come with every restart of something; more than these are worth telling. */
const TOLERATED = 5;
const MOST_READ = 1000;

/** Errors in the system's journal since the baseline. They warn and never fail: what an error means, its service knows. */
export function journalValidator(host: Host): Validator {
  const journalctl = async (argv: readonly string[], signal: AbortSignal): Promise<string> =>
    (await host.run({ program: 'journalctl', args: argv }, { signal, limitMs: LIMIT_MS })).stdout;
  return {
    name: 'journal errors',
    settles: false,
    mustStay: false,
    async baseline(signal): Promise<Observation> {
      const cursor = parseCursor(await journalctl(args.newestError(), signal));
      if (cursor === null && parseCursor(await journalctl(args.newest(), signal)) === null)
        throw new HoldfastError('ProcessFailed', 'The journal has no entry that this account may read.', 'journal', {
          hint: 'Run Holdfast as root, or add the account to the group systemd-journal',
        });
      return { observed: { cursor }, good: true, detail: 'errors from here on' };
    },
    async verdict(baseline, signal): Promise<Verdict> {
      signal.throwIfAborted();
      const observed = baseline?.observed;
      if (typeof observed !== 'object' || observed === null)
        return { outcome: 'warning', detail: 'what was there before could not be read, so nothing was compared' };
      try {
        const { cursor } = observed as { readonly cursor: string | null };
        const errors = parseErrors(await journalctl(args.errorsAfter(cursor, MOST_READ), signal));
        if (errors.length === 0) return { outcome: 'passed', detail: 'none' };
        const count = errors.length === MOST_READ ? `${MOST_READ} or more` : `${errors.length}`;
        const detail = `${count} new, the last of ${errors.at(-1)}`;
        return { outcome: errors.length > TOLERATED ? 'warning' : 'passed', detail };
      } catch (error) {
        signal.throwIfAborted();
        return { outcome: 'warning', detail: `could not be read: ${messageOf(error)}` };
      }
    },
  };
}
