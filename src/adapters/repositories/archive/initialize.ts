import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import { proveKey } from './canary.ts';
import { makeFolders, replaceFile } from './durable.ts';
import { codeOf, ifPresent, saysAbsent } from './failures.ts';
import type { Locks } from './locks.ts';
import { MARKER, printMarker } from './marker.ts';
import { RESTORE_SCRIPT, restoreScript } from './restore-script.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';

/** Makes the folder a repository. The marker is written last: what was interrupted is no repository yet.
 *  @throws Refused when it is one already; WrongPassword when the key does not open what it seals */
export async function initializeRepository(
  settings: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host' | 'clock' | 'identifiers'>,
  locks: Locks,
  signal: AbortSignal,
): Promise<{ readonly id: string }> {
  const { path, name } = settings;
  signal.throwIfAborted();
  await makeFolders(path).catch((error: unknown) => {
    if (!saysAbsent(error) && codeOf(error) !== 'EEXIST') throw error;
    const words = `The folder ${path} cannot be made: ${messageOf(error)}.`;
    throw new HoldfastError('RepositoryUnusable', words, path, {
      cause: error,
      hint: 'Look at the path of the repository in the configuration',
    });
  });
  await using _lock = await locks.acquire({ kind: 'repository' }, 'exclusive', 0, signal);
  if ((await ifPresent(lstat(join(path, MARKER)))) !== null) {
    const hint = `See what is in it with: holdfast repository check ${name}`;
    throw new HoldfastError('Refused', `There is a repository in ${path} already.`, path, { hint });
  }
  await proveKey(settings, tools, signal);
  await rm(join(path, RESTORE_SCRIPT), { force: true });
  await replaceFile(join(path, RESTORE_SCRIPT), restoreScript);
  signal.throwIfAborted();
  const now = tools.clock.now();
  const id = tools.identifiers.next(now);
  await replaceFile(join(path, MARKER), printMarker(id, now));
  return { id };
}
