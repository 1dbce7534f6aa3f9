import type { Host } from '../../../ports/host.ts';
import type { Validator } from '../../../ports/validator.ts';
import { lastLine } from '../../../process/stderr.ts';
import { probeValidator } from '../probe/probe.ts';
import type { CommandSettings } from './config.ts';

/** A check that takes longer is not taken for good. */
const LIMIT_MS = 60_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** A program that ends with 0 when all is well. One that cannot be run tells nothing.
 *  @param environment what it is told, as HOLDFAST_SERVICE */
export function commandValidator(
  { command }: CommandSettings,
  { host, environment }: { readonly host: Host; readonly environment: Readonly<Record<string, string>> },
  { limitMs = LIMIT_MS }: { readonly limitMs?: number } = {},
): Validator {
  const [program = '', ...args] = command;
  return probeValidator(`command ${command.join(' ')}`, async (signal) => {
    signal.throwIfAborted();
    const limit = AbortSignal.timeout(limitMs);
    try {
      const options = { signal: AbortSignal.any([signal, limit]), accept: ANY_CODE };
      const { exitCode, stderrTail } = await host.run({ program, args, environment }, options);
      if (exitCode === 0) return { good: true, detail: 'ended with 0' };
      const why = lastLine(stderrTail);
      return { good: false, detail: `ended with ${exitCode}${why === '' ? '' : `: ${why}`}` };
    } catch (error) {
      signal.throwIfAborted();
      if (limit.aborted) return { good: false, detail: `did not end within ${limitMs / 1000} s and was stopped` };
      throw error;
    }
  });
}
