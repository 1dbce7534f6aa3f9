import type { Sealing } from '../domain/storage.ts';
import type { Bytes } from '../ports/bytes.ts';
import { sealAge } from './sealing-age.ts';
import { type ReadPipeline, sealGpg } from './sealing-gpg.ts';

/** The bytes as they are stored. `read` runs gpg and is needed for nothing else. */
export function seal(
  bytes: Bytes,
  sealing: Sealing | null,
  read: ReadPipeline | undefined,
  signal: AbortSignal,
): Bytes {
  if (sealing === null) return bytes;
  return sealing.kind === 'age' ? sealAge(bytes, sealing.recipients) : sealGpg(bytes, sealing, read, signal);
}
