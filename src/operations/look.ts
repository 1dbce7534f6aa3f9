import type { Host } from '../ports/host.ts';

/** Milliseconds for one look; a slow disk makes a shorter proposal and no endless command. */
const LOOK_LIMIT_MS = 20_000;

/** What a tool printed; nothing where the tool is missing or fails, since there is then nothing to find. */
export async function printedBy(
  host: Host,
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  try {
    const options = { signal, limitMs: LOOK_LIMIT_MS, accept: [0, 1] };
    return (await host.run({ program, args, environment }, options)).stdout;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error) return '';
    throw error;
  }
}

export const linesOf = async (...look: Parameters<typeof printedBy>): Promise<string[]> =>
  (await printedBy(...look)).split('\n').filter((line) => line !== '');
