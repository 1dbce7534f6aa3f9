import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';

/** Where programs of servers are kept that are not for everybody's search path. */
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/libexec'];

/** The first folder that has all of these programs, of `first` and then of those where servers are kept. */
export async function folderWith(
  programs: readonly string[],
  first: readonly string[],
  { files }: Host,
  signal: AbortSignal,
): Promise<string | null> {
  for (const folder of [...first, ...FOLDERS]) {
    const found = await Promise.all(programs.map((program) => files.status(`${folder}/${program}`, signal)));
    if (found.every((status) => status !== null)) return folder;
  }
  return null;
}

/** @throws ScratchUnusable */
export function notInstalled(what: string, { capabilities, name }: Host): HoldfastError {
  const where = capabilities.localPaths ? 'installed on this machine' : `in ${name}`;
  const words = `${what} is not ${where}, so no scratch server can run.`;
  return new HoldfastError('ScratchUnusable', words, what, {
    hint: `Install ${what}; the recovery point itself was not judged`,
  });
}
