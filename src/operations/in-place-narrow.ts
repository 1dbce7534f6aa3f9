import { HoldfastError } from '../domain/errors.ts';
import { parseName } from '../domain/tree-name.ts';
import { isBelow, trimSlashes } from '../domain/tree-path.ts';
import type { HostFiles } from '../ports/host.ts';
import type { InPlacePath } from '../ports/source.ts';
import type { Choice } from './restore-choice.ts';

/** What of a placement a choice exchanges: all of it, the one path in it that was asked for, or nothing.
 *  @throws Refused when a symbolic link or a file stands where the path leads through */
export async function narrowed(
  placement: InPlacePath,
  { path, tree, file }: Pick<Choice, 'path' | 'tree' | 'file'>,
  files: HostFiles,
  signal: AbortSignal,
): Promise<readonly InPlacePath[]> {
  if (placement.server !== undefined && placement.stored !== file) return []; // another item of the same server
  if (path === null || !tree) return [placement];
  const stored = nameOf(path);
  const root = trimSlashes(placement.stored);
  if (isBelow(root, stored)) return [placement];
  if (!isBelow(stored, root)) return [];
  const below = stored.slice(root === '' ? 0 : root.length + 1).split('/');
  let folder = placement.path;
  for (const name of below.slice(0, -1)) {
    folder = `${folder}/${name}`;
    const status = await files.status(folder, signal);
    if (status === null) break; // it will be made
    if (status.type === 'directory') continue;
    const words = `${folder} is no folder now, and ${path} would be restored through it.`;
    throw new HoldfastError('Refused', words, folder, {
      hint: 'Restore the folder above it, or to a folder with: --to DIR',
    });
  }
  return [{ path: [placement.path, ...below].join('/'), stored, companions: [], exclusive: false }];
}

/** The name that `ls` printed, as the string that the host's paths are. */
function nameOf(printed: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(parseName(printed));
  } catch (cause) {
    throw new HoldfastError('Unsupported', `${printed} is not UTF-8, and cannot be exchanged by itself.`, printed, {
      cause,
      hint: 'Restore the folder above it, or to a folder with: --to DIR',
    });
  }
}
