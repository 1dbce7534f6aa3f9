import { HoldfastError } from '../../../domain/errors.ts';
import type { Item } from '../../../domain/manifest.ts';
import type { Sealing } from '../../../domain/storage.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { OpenOptions, StoredFile, StoredFileReader, StoreOptions } from '../../../streams/stored-file.ts';
import { explaining, saysAbsent } from './failures.ts';
import type { ArchiveTools } from './settings.ts';
import { encryptionOf } from './stored-names.ts';

type Tools = Pick<ArchiveTools, 'host'>;

/** Writes one item's file, synced. @throws NoSpace and the like, and whatever `bytes` throws; the file is then gone */
export const storeFile = (
  path: string,
  bytes: Bytes,
  options: Pick<StoreOptions, 'compression' | 'sealing' | 'tar' | 'hashPlain'>,
  { host }: Tools,
  signal: AbortSignal,
): Promise<StoredFile> =>
  explaining(path, async () => {
    // read when bytes are, so that a list does not wait for what packs and seals
    const { writeStoredFile } = await import('../../../streams/write-stored-file.ts');
    return writeStoredFile(path, bytes, { ...options, read: host.read }, signal);
  });

/** The sealing that opens what was sealed as `encryption`, when the repository was set up so or otherwise.
 *  @throws WrongPassword when the settings name no key of that kind */
function sealingFor(encryption: Item['encryption'], sealing: Sealing | null, subject: string): Sealing | null {
  if (encryption === null) return null;
  if (sealing !== null && encryptionOf(sealing) === encryption) return sealing;
  const why = `${subject} is sealed with ${encryption}, and the repository's settings name no key of that kind.`;
  throw new HoldfastError('WrongPassword', why, subject);
}

/** Opens an item's file. Its hashes are compared when it is read whole. */
export async function openItem(
  path: string,
  row: Pick<Item, 'size' | 'sha256' | 'originalSize' | 'originalSha256' | 'compression' | 'encryption' | 'roots'>,
  sealing: Sealing | null,
  { host }: Tools,
  signal: AbortSignal,
): Promise<StoredFileReader> {
  const { size, sha256, compression } = row;
  const expected: OpenOptions['expected'] =
    sha256 === null
      ? null
      : { size, sha256, originalSize: row.originalSize ?? size, originalSha256: row.originalSha256 ?? sha256 };
  const options: OpenOptions = {
    compression,
    sealing: sealingFor(row.encryption, sealing, path),
    tar: row.roots !== undefined,
    expected,
    read: host.read,
  };
  const { openStoredFile } = await import('../../../streams/open-stored-file.ts');
  try {
    return await openStoredFile(path, options, signal);
  } catch (error) {
    if (saysAbsent(error))
      throw new HoldfastError('Damaged', `The stored file ${path} is missing.`, path, { cause: error });
    throw error;
  }
}
