import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Sealing } from '../../../domain/storage.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { renameDurably } from './durable.ts';
import { ifPresent } from './failures.ts';
import { openItem, storeFile } from './item-file.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import { encryptionOf } from './stored-names.ts';

const PLAIN = 'This file was sealed when the repository was made. Whoever reads this has its key.\n';

/** Named by its seal: `.holdfast-canary.age`. */
const canaryName = (encryption: 'age' | 'gpg'): string => `.holdfast-canary.${encryption}`;

type Tools = Pick<ArchiveTools, 'host'>;

/** Whether what opens is at hand: an identity may lie on a medium that is not there, and what a key ring has only gpg
 *  knows, which may ask for the key's own passphrase. */
function canOpen(sealing: Sealing | null): boolean {
  if (sealing?.kind !== 'age') return sealing?.kind === 'gpg-passphrase';
  try {
    return sealing.identities.length > 0;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'SecretMissing') return false;
    throw error;
  }
}

/** Looks whether the key is the one that the repository was made with: under another one a point would be written whose
 *  unchanged items are those of an earlier one. Nothing is told where no key to open is at hand.
 *  @returns false when there is no canary of this kind yet, as in a repository that was not sealed when it was made
 *  @throws WrongPassword */
export async function confirmKey(settings: ArchiveSettings, tools: Tools, signal: AbortSignal): Promise<boolean> {
  const { path, name, sealing } = settings;
  const encryption = encryptionOf(sealing);
  if (encryption === null || !canOpen(sealing)) return true;
  if ((await ifPresent(lstat(join(path, canaryName(encryption))))) === null) return false;
  try {
    await openCanary(settings, tools, signal);
    return true;
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    if (cause.code === 'Damaged') throw new HoldfastError('Damaged', cause.message, path, { cause, hint: ANEW });
    if (cause.code !== 'WrongPassword') throw cause;
    const age = encryption === 'age';
    const words = `The configured ${age ? 'identities do' : 'passphrase does'} not open what the repository ${name} in ${path} was made with.`;
    const back = age ? 'Name its identity too, beside the new one' : 'Put its passphrase back';
    const hint = `${back} (what is read where: holdfast config show), or make a new repository in another folder`;
    throw new HoldfastError('WrongPassword', words, path, { cause, hint });
  }
}

const ANEW = 'Look at the disk. When the key is right, remove this file: the next backup seals it anew';

/** Makes the canary that a repository lacks. @param folder where it is made, on the repository's file system */
export async function addCanary(
  settings: ArchiveSettings,
  folder: string,
  tools: Tools,
  signal: AbortSignal,
): Promise<void> {
  const encryption = encryptionOf(settings.sealing);
  if (encryption === null) return;
  await proveKey({ ...settings, path: folder }, tools, signal);
  await renameDurably(join(folder, canaryName(encryption)), join(settings.path, canaryName(encryption)));
}

/** Seals the canary and opens it again. Nothing is left of it when that fails.
 *  @throws WrongPassword when the configured key does not open what it seals */
export async function proveKey(settings: ArchiveSettings, tools: Tools, signal: AbortSignal): Promise<void> {
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
export async function openCanary(settings: ArchiveSettings, tools: Tools, signal: AbortSignal): Promise<void> {
  const { sealing } = settings;
  const encryption = encryptionOf(sealing);
  if (encryption === null) return;
  const path = join(settings.path, canaryName(encryption));
  if (sealing?.kind === 'age' && sealing.identities.length === 0) {
    const why = `No age identity is configured for ${settings.path}, so what it seals cannot be opened here.`;
    const hint = 'Name it, for this once: --identity FILE';
    throw new HoldfastError('WrongPassword', why, settings.path, { hint });
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
