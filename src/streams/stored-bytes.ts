import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import { type Bytes, giveBack } from '../ports/bytes.ts';

/** Bytes that can be read anywhere. */
export interface Extent {
  readonly size: number;
  /** Exactly these bytes. @throws Damaged when they are not there, or their seal is broken */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** Bytes of one read while a file is read from its beginning to its end. */
const READ_SIZE = 1024 ** 2;
/** The most that is read at once because somebody wants it in one piece. */
const LONGEST_STRETCH = 8 * READ_SIZE;
/** Written bytes after which the disk is told to begin: the sync at the end then has little left to do. */
const SYNC_EVERY = 64 * 1024 ** 2;

function cannotWrite(cause: unknown, path: string): HoldfastError {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return new HoldfastError('NoSpace', `There is no space left to write ${path}.`, path, { cause });
  return new HoldfastError('RepositoryUnusable', `${path} cannot be written: ${messageOf(cause)}.`, path, { cause });
}

/** Only what the file system says is translated; what the producer of the bytes throws passes as it is. */
async function writing<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw cannotWrite(cause, path);
  }
}

/** Bytes that are written at once, and pieces that writev(2) takes at once. */
const BATCH_SIZE = 1024 ** 2;
const BATCH_PIECES = 512;

async function writeWhole(file: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  for (let rest = pieces; rest.length > 0; ) {
    let { bytesWritten: written } = await file.writev(rest as Uint8Array[]);
    const left: Uint8Array[] = [];
    for (const piece of rest) {
      if (written < piece.length) left.push(piece.subarray(written));
      written = Math.max(0, written - piece.length);
    }
    rest = left;
  }
}

/** `spool` is for a file that this process reads and removes: it is not synced, since it need not outlive a power cut. */
export interface BytesOptions {
  readonly spool?: boolean;
  /** Hashed after the bytes, and not written. */
  readonly tail?: Uint8Array;
}

/** Writes `bytes` to their end into a new file of mode 0600 and syncs it; the folder's entry is the caller's to sync.
 *  When the bytes throw or the disk is full nothing is left. @returns size of the file, and SHA-256
 *  @throws NoSpace, RepositoryUnusable; whatever `bytes` throws */
export async function storeBytes(
  path: string,
  bytes: Bytes,
  { spool = false, tail }: BytesOptions = {},
): Promise<{ readonly size: number; readonly sha256: string }> {
  const file = await writing(path, open(path, 'wx', 0o600));
  const hash = createHash('sha256');
  let size = 0;
  let unsynced = 0;
  let synced: Promise<void> = Promise.resolve();
  let batch: Uint8Array[] = [];
  let batched = 0;
  async function flush(): Promise<void> {
    const written = writeWhole(file, batch);
    written.catch(() => {}); // seen when it is awaited, after the hash that is made meanwhile
    for (const piece of batch) hash.update(piece);
    await writing(path, written);
    for (const piece of batch) giveBack(piece);
    size += batched;
    unsynced += batched;
    batch = [];
    batched = 0;
    if (spool || unsynced < SYNC_EVERY) return;
    await writing(path, synced);
    synced = file.datasync();
    synced.catch(() => {});
    unsynced = 0;
  }
  try {
    for await (const chunk of bytes) {
      batch.push(chunk);
      batched += chunk.length;
      if (batched >= BATCH_SIZE || batch.length >= BATCH_PIECES) await flush();
    }
    await flush();
    if (tail !== undefined) hash.update(tail);
    await writing(path, synced);
    if (!spool) await writing(path, file.sync());
    await writing(path, file.close());
    return { size, sha256: hash.digest('hex') };
  } catch (error) {
    await Promise.allSettled([synced]);
    await file.close().catch(() => {}); // it may be closed; the error above is the one to tell
    await rm(path, { force: true });
    throw error;
  }
}

function cannotRead(cause: unknown, path: string): HoldfastError {
  const gone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
  const what = gone ? 'is not there' : `cannot be read: ${messageOf(cause)}`;
  return new HoldfastError('Damaged', `${path} ${what}.`, path, { cause });
}

/** A file that is open for reading. */
export interface OpenFile extends Extent, AsyncDisposable {
  /** All bytes from the beginning, each read once.
   *  @param ends places in ascending order between which nothing is cut, where they are not too far apart: who takes what
   *  lies between two of them need not put it together */
  chunks(signal: AbortSignal, ends?: ArrayLike<number>): AsyncGenerator<Uint8Array>;
}

/** @throws Damaged when it is not there or cannot be read */
export async function openFile(path: string): Promise<OpenFile> {
  let file: FileHandle;
  let size: number;
  try {
    file = await open(path, 'r');
    ({ size } = await file.stat());
  } catch (cause) {
    throw cannotRead(cause, path);
  }
  async function read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length; ) {
      const { bytesRead } = await file.read(bytes, at, length - at, offset + at).catch((cause: unknown) => {
        throw cannotRead(cause, path);
      });
      if (bytesRead === 0) throw new HoldfastError('Damaged', `${path} ends after ${offset + at} bytes.`, path);
      at += bytesRead;
    }
    return bytes;
  }
  return {
    size,
    read,
    async *chunks(signal, ends = []) {
      const endOf = (place: number): number => ends[place] ?? Number.POSITIVE_INFINITY;
      let place = 0;
      for (let at = 0; at < size; ) {
        signal.throwIfAborted();
        while (endOf(place) <= at) place += 1;
        while (endOf(place + 1) <= at + READ_SIZE) place += 1;
        const stretch = endOf(place) - at;
        const length = Math.min(stretch > LONGEST_STRETCH ? READ_SIZE : stretch, size - at);
        yield await read(at, length);
        at += length;
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
