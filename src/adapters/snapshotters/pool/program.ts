import { HoldfastError } from '../../../domain/errors.ts';
import type { Finished, Host } from '../../../ports/host.ts';

/** What a refusal of the file system means, by the words of errno(3), which every program prints in the end. */
export function refusal(
  { program, exitCode, stderrTail }: Pick<Finished, 'program' | 'exitCode' | 'stderrTail'>,
  about: string,
): HoldfastError {
  const cause = { cause: new Error(stderrTail) };
  const lines = stderrTail.split('\n').filter((line) => line.trim() !== '');
  const why = lines.at(-1) ?? `it ended with ${exitCode}`;
  if (/No space left on device|Disk quota exceeded/.test(stderrTail))
    return new HoldfastError('NoSpace', `The disk of ${about}, or the quota on it, is full.`, about, {
      ...cause,
      hint: 'Delete there what was written last, or snapshots (holdfast snapshot list); then the same once more',
    });
  if (/Read-only file system/.test(stderrTail))
    return new HoldfastError('PoolUnusable', `${about} cannot be changed: it is on a read-only file system.`, about, {
      ...cause,
      hint: 'Mount it writable: mount -o remount,rw PATH',
    });
  if (/Text file busy/.test(stderrTail))
    return new HoldfastError(
      'PoolUnusable',
      `${about} cannot be made: a swap file in the subvolume is in use, and BTRFS makes no snapshot then.`,
      about,
      { ...cause, hint: 'swapoff FILE, or move it to a subvolume of its own: swapon --show' },
    );
  if (/Operation not permitted|Permission denied/.test(stderrTail))
    return new HoldfastError('PoolUnusable', `This account may not do this with ${about}: ${why}`, about, {
      ...cause,
      hint: 'Run Holdfast as root',
    });
  return new HoldfastError('ProcessFailed', `${program} failed with ${about}: ${why}`, about, cause);
}

/** Runs a program that works on `about`, a path, and returns what it printed. `null` when it ended with 1 and the words
 *  on stderr are the expected ones. Times that it prints are in UTC. @throws NoSpace, PoolUnusable, ProcessFailed */
export async function ask(
  host: Host,
  argv: readonly [string, ...string[]],
  about: string,
  signal: AbortSignal,
  expected: RegExp | null = null,
): Promise<string | null> {
  const [program, ...args] = argv;
  const ended = await host.run({ program, args, environment: { TZ: 'UTC' } }, { signal, accept: EVERY_CODE });
  if (ended.exitCode === 0) return ended.stdout;
  if (expected?.test(ended.stderrTail)) return null;
  throw refusal(ended, about);
}

const EVERY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** As {@link ask}, where no refusal is expected. */
export const tell = async (
  host: Host,
  argv: readonly [string, ...string[]],
  about: string,
  signal: AbortSignal,
): Promise<string> => (await ask(host, argv, about, signal)) ?? '';
