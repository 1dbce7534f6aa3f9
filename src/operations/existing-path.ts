import { parentOf } from '../domain/tree-path.ts';
import type { HostFiles } from '../ports/host.ts';

/** The path itself where it is there, else the nearest folder above it that is. */
export async function nearestExisting(path: string, files: HostFiles, signal: AbortSignal): Promise<string> {
  let at = path;
  while (at !== '/' && (await files.status(at, signal)) === null) at = parentOf(at);
  return at;
}
