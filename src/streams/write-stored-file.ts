import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Compression } from '../domain/storage.ts';
import type { Bytes } from '../ports/bytes.ts';
import { abortable } from './abortable.ts';
import { type Channel, channel } from './channel.ts';
import { FRAMES_IN_FLIGHT, type Packer, packer } from './codec.ts';
import { type Frame, framesOf } from './frames.ts';
import { indexWriter } from './member-index.ts';
import { type PlainHash, plainHash } from './plain-hash.ts';
import { seal } from './sealing.ts';
import { frameChecksum, type SeekTableWriter, seekTableWriter } from './seek-table.ts';
import { storeBytes } from './stored-bytes.ts';
import type { StoredFile, StoreOptions } from './stored-file.ts';
import { tarScanner } from './tar-scanner.ts';

/** Where the index of a gzip or plain file stands. */
export const indexPath = (path: string): string => `${path}.index`;

interface Packed {
  readonly pieces: readonly Uint8Array[];
  readonly size: number;
  readonly plainSize: number;
  readonly checksum: number;
}

async function packFrame(
  frame: Frame,
  { pack }: Packer,
  format: Compression['format'],
  hash: PlainHash | null,
): Promise<Packed> {
  const [packed, hashed] = await Promise.allSettled([pack(frame.bytes), hash?.update(frame.bytes)]);
  const plainSize = frame.bytes.length;
  frame.release(); // not before both are done with it
  if (packed.status === 'rejected') throw packed.reason;
  if (hashed.status === 'rejected') throw hashed.reason;
  const pieces = packed.value;
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  return { pieces, size, plainSize, checksum: frameChecksum(format, pieces) };
}

/** Frames of the stream, packed side by side and given out in order. */
async function* packedFrames(bytes: Bytes, compression: Compression, hash: PlainHash | null): AsyncGenerator<Packed> {
  using packing = packer(compression);
  const inFlight: Promise<Packed>[] = [];
  try {
    for await (const frame of framesOf(bytes)) {
      const packed = packFrame(frame, packing, compression.format, hash);
      packed.catch(() => {}); // seen when its turn comes, or not needed when an earlier one failed
      inFlight.push(packed);
      if (inFlight.length < FRAMES_IN_FLIGHT) continue;
      const [first] = inFlight.splice(0, 1);
      if (first !== undefined) yield await first;
    }
    while (inFlight.length > 0) {
      const [first] = inFlight.splice(0, 1);
      if (first !== undefined) yield await first;
    }
  } finally {
    await Promise.allSettled(inFlight);
  }
}

interface Layout {
  readonly compression: Compression;
  /** Null where the file's own hash is the same, or where none is wanted. */
  readonly hash: PlainHash | null;
  /** Frames of the index that wait to be written. */
  readonly indexFrames: (all: boolean) => readonly Uint8Array[];
  /** Where they go; null when they stand between the frames of the file itself. */
  readonly beside: Channel | null;
}

/** The bytes of the file before they are sealed. */
async function* layOut(bytes: Bytes, { compression, hash, indexFrames, beside }: Layout): Bytes {
  const table: SeekTableWriter = seekTableWriter();
  function* index(all: boolean): Generator<Uint8Array> {
    for (const frame of indexFrames(all)) {
      if (beside !== null) beside.push(frame);
      else {
        table.add(frame.length, 0, 0);
        yield frame;
      }
    }
  }
  for await (const packed of packedFrames(bytes, compression, hash)) {
    table.add(packed.size, packed.plainSize, packed.checksum);
    yield* packed.pieces;
    yield* index(false); // as they come, so that memory does not grow with the number of members
  }
  yield* index(true);
  if (beside !== null) {
    beside.push(table.frame());
    beside.close();
  } else if (compression.format === 'zstd') yield table.frame();
}

/** Stores a stream as one new file at `path`, mode 0600, and syncs it (its folder's entry is the caller's to sync). Any
 *  failure, of the producer too, removes what was written and is thrown again; so does an abort, with its reason.
 *  Memory does not grow with the data.
 *  @throws NoSpace, RepositoryUnusable (the path exists, the disk fails), Damaged for a tar that is none,
 *  ConfigurationInvalid for a recipient that is none, ToolMissing and ProcessFailed for gpg */
export async function writeStoredFile(
  path: string,
  bytes: Bytes,
  options: StoreOptions,
  signal: AbortSignal,
): Promise<StoredFile> {
  signal.throwIfAborted();
  const { compression, sealing, tar, hashPlain = true, onAdvance, read } = options;
  const isPlain = compression.format === 'none' && sealing === null;
  await using hash = isPlain || !hashPlain ? null : plainHash();
  const index = indexWriter();
  let originalSize = 0;
  const indexFailures: unknown[] = [];
  async function* passing(): Bytes {
    const scanner = tar ? tarScanner(basename(path)) : null;
    for await (const chunk of abortable(bytes, signal)) {
      for (const { entry } of scanner?.write(chunk) ?? []) index.add(entry);
      originalSize += chunk.length;
      onAdvance?.(originalSize);
      if (indexFailures.length > 0) throw indexFailures[0];
      yield chunk;
    }
    scanner?.end();
  }
  const beside = tar && compression.format !== 'zstd' ? channel() : null;
  const layout = { compression, hash, indexFrames: index.frames, beside };
  const storing = storeBytes(path, seal(layOut(passing(), layout), sealing, read, signal));
  storing.catch((error: unknown) => beside?.close(error));
  const storingIndex = beside === null ? null : storeBytes(indexPath(path), seal(beside.bytes, sealing, read, signal));
  storingIndex?.catch((error: unknown) => indexFailures.push(error)); // the file is no use without it
  const [stored, storedIndex] = await Promise.allSettled([storing, storingIndex]);
  try {
    if (stored.status === 'rejected') throw stored.reason;
    if (storedIndex.status === 'rejected') throw storedIndex.reason;
    signal.throwIfAborted();
    return {
      ...stored.value,
      originalSize,
      originalSha256: isPlain ? stored.value.sha256 : ((await hash?.digest()) ?? null),
      index: storedIndex.value === null ? null : { file: basename(indexPath(path)), ...storedIndex.value },
    };
  } catch (error) {
    if (stored.status === 'fulfilled') await rm(path, { force: true });
    if (storedIndex.status === 'fulfilled' && storedIndex.value !== null) await rm(indexPath(path), { force: true });
    throw error;
  }
}
