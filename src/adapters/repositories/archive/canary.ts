import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { openItem, storeFile } from './item-file.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import { encryptionOf } from './stored-names.ts';

const PLAIN = 'This file was sealed when the repository was made. Whoever reads this has its key.\n';

/** Named by its seal: `.holdfast-canary.age`. */
const canaryName = (encryption: 'age' | 'gpg'): string => `.holdfast-canary.${encryption}`;

/** Seals the canary and opens it again. Nothing is left of it when that fails.
 *  @throws WrongPassword when the configured key does not open what it seals */
export async function proveKey(
  settings: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host'>,
  signal: AbortSignal,
): Promise<void> {
  const encryption = encryptionOf(settings.sealing);
  if (encryption === null) return;
  const path = join(settings.path, canaryName(encryption));
  await rm(path, { force: true });
  const options = { compression: { format: 'none' }, sealing: settings.sealing, tar: false } as const;
  await storeFile(path, bytesOf(PLAIN), options, tools, signal);
  try {
    await openCanary(settings, tools, signal);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** Opens the canary that is there. @throws WrongPassword; Damaged when it is missing */
export async function openCanary(
  settings: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host'>,
  signal: AbortSignal,
): Promise<void> {
  const { sealing } = settings;
  const encryption = encryptionOf(sealing);
  if (encryption === null) return;
  const path = join(settings.path, canaryName(encryption));
  if (sealing?.kind === 'age' && sealing.identities.length === 0) {
    const why = `No age identity is configured for ${settings.path}, so what it seals cannot be opened here.`;
    throw new HoldfastError('WrongPassword', why, settings.path);
  }
  const row = {
    size: 0,
    sha256: null,
    originalSize: null,
    originalSha256: null,
    compression: 'none',
    encryption,
  } as const;
  await using reader = await openItem(path, row, sealing, tools, signal);
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.read(signal)) chunks.push(Uint8Array.from(chunk));
  if (Buffer.concat(chunks).toString() === PLAIN) return;
  throw new HoldfastError('Damaged', `The canary ${path} opens, and is not what was sealed.`, path);
}

async function* bytesOf(text: string): Bytes {
  yield Buffer.from(text);
}
