import { createHash } from 'node:crypto';
import { HoldfastError } from '../domain/errors.ts';
import type { Sealing } from '../domain/storage.ts';
import type { Bytes } from '../ports/bytes.ts';
import { openAge } from './sealing-age.ts';
import { type ReadPipeline, unsealGpg } from './sealing-gpg.ts';
import { type Extent, type OpenFile, openFile } from './stored-bytes.ts';

/** A file under its seal. */
export interface OpenedFile extends AsyncDisposable {
  readonly file: OpenFile;
  /** What is under the seal, to be read anywhere; null where gpg gives it only from its beginning. */
  readonly extent: Extent | null;
  /** What is under the seal, from the file's own bytes. */
  unseal(bytes: Bytes, signal: AbortSignal): Bytes;
}

async function hashOf(file: OpenFile, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of file.chunks(signal)) hash.update(chunk);
  return hash.digest('hex');
}

export interface OpenFileOptions {
  readonly sealing: Sealing | null;
  readonly expected: { readonly size: number; readonly sha256: string } | null;
  readonly read: ReadPipeline | undefined;
}

/** A broken header looks like one for somebody else: what was recorded tells them apart. */
async function damageOrKey(
  error: unknown,
  file: OpenFile,
  path: string,
  { expected }: OpenFileOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const wrong = error instanceof HoldfastError && error.code === 'WrongPassword';
  if (!wrong || expected === null || (await hashOf(file, signal)) === expected.sha256) return error;
  const words = `${path} is not what was stored: its SHA-256 is not the recorded one.`;
  return new HoldfastError('Damaged', words, path, { cause: error });
}

async function openSeal(
  file: OpenFile,
  path: string,
  options: OpenFileOptions,
  signal: AbortSignal,
): Promise<Pick<OpenedFile, 'extent' | 'unseal'>> {
  const { sealing, read } = options;
  if (sealing === null) return { extent: file, unseal: (bytes) => bytes };
  if (sealing.kind !== 'age') {
    const unseal = async function* (bytes: Bytes, during: AbortSignal): Bytes {
      try {
        yield* unsealGpg(bytes, sealing, read, path, during);
      } catch (error) {
        throw await damageOrKey(error, file, path, options, during);
      }
    };
    return { extent: null, unseal };
  }
  try {
    const opened = await openAge(file, sealing.identities, path);
    return { extent: opened, unseal: opened.unseal };
  } catch (error) {
    throw await damageOrKey(error, file, path, options, signal);
  }
}

/** Opens a file and its seal. @throws Damaged when it is not there, has another size than was recorded, or is no sealed
 *  file; WrongPassword when no identity opens it */
export async function openUnderSeal(path: string, options: OpenFileOptions, signal: AbortSignal): Promise<OpenedFile> {
  signal.throwIfAborted();
  const file = await openFile(path);
  try {
    const { expected } = options;
    if (expected !== null && expected.size !== file.size) {
      const words = `${path} has ${file.size} bytes, and ${expected.size} were recorded.`;
      throw new HoldfastError('Damaged', words, path);
    }
    const { extent, unseal } = await openSeal(file, path, options, signal);
    return { file, extent, unseal, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() };
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}
