import { HoldfastError } from '../domain/errors.ts';
import { formatBytes } from '../domain/size.ts';
import type { HostFiles } from '../ports/host.ts';
import type { Choice } from './restore-choice.ts';

export interface Place {
  /** The nearest folder that is there. */
  readonly existing: string;
}

/** Looks before the first byte whether what was chosen fits. The size of a tar is near to what its files take: holes of
 *  sparse files are not in it, and its headers make up for half-filled blocks. @throws NoSpace */
export async function refuseFullDisk(
  choices: readonly Choice[],
  { existing }: Place,
  files: HostFiles,
  signal: AbortSignal,
): Promise<void> {
  const needed = choices.reduce((sum, { bytes }) => sum + bytes, 0);
  const free = await files.freeBytes(existing, signal);
  if (needed <= free) return;
  const words = `${formatBytes(needed)} are to be restored, and ${existing} has ${formatBytes(free)} free.`;
  throw new HoldfastError('NoSpace', words, existing);
}
