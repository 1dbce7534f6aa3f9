import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Compression } from '../domain/storage.ts';
import type { Bytes } from '../ports/bytes.ts';
import { byteReader } from './byte-reader.ts';
import { FRAMES_IN_FLIGHT, type Unpacker, unpacker } from './codec.ts';
import { frameChecksum, type SeekTable } from './seek-table.ts';

type Packing = Exclude<Compression['format'], 'none'>;

/** Numbers from `first` up to and without `end`. */
export function* numbers(first: number, end: number): Generator<number> {
  for (let i = first; i < end; i++) yield i;
}

/** Plain bytes in order, from frames that are unpacked side by side ahead of the reader. */
export async function* unpackInOrder(frames: Iterable<number>, unpack: (frame: number) => Promise<Uint8Array>): Bytes {
  const ahead: Promise<Uint8Array>[] = [];
  try {
    for (const frame of frames) {
      const unpacking = unpack(frame);
      unpacking.catch(() => {}); // seen when its turn comes, or not needed when the reader left
      ahead.push(unpacking);
      if (ahead.length < FRAMES_IN_FLIGHT) continue;
      const [first] = ahead.splice(0, 1);
      if (first !== undefined) yield await first;
    }
    while (ahead.length > 0) {
      const [first] = ahead.splice(0, 1);
      if (first !== undefined) yield await first;
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}

/** Unpacks frame `i` of a table from its packed bytes. @throws Damaged when it is not the frame that was stored there */
export async function unpackFrame(
  packed: Uint8Array,
  i: number,
  table: SeekTable,
  unpacking: Unpacker,
  { format, subject }: { readonly format: Compression['format']; readonly subject: string },
): Promise<Uint8Array> {
  const size = table.plainStart(i + 1) - table.plainStart(i);
  if (size === 0) return new Uint8Array(0); // of the index, or of an empty stream
  if (frameChecksum(format, [packed]) !== table.checksum(i))
    throw new HoldfastError('Damaged', `Frame ${i} of ${subject} is not the one that was stored.`, subject);
  return await unpacking.unpack(packed, size);
}

/** Unpacks a file whose frames are known, then reads what follows them, so that all of it passes.
 *  @throws Damaged */
export async function* unpackFrames(packed: Bytes, table: SeekTable, format: Packing, subject: string): Bytes {
  await using reader = byteReader(packed, subject);
  using unpacking = unpacker(format, subject);
  let taking: Promise<unknown> = Promise.resolve();
  async function unpack(i: number): Promise<Uint8Array> {
    const mine = taking.then(() => reader.take(table.packedStart(i + 1) - table.packedStart(i)));
    taking = mine; // one after the other, in the order of the file
    return await unpackFrame(await mine, i, table, unpacking, { format, subject });
  }
  for await (const plain of unpackInOrder(numbers(0, table.frames), unpack)) if (plain.length > 0) yield plain;
  await reader.drain();
}

/** Unpacks a file of which nothing is known: any frames, members and skippable frames, one after the other.
 *  @throws Damaged when a frame is not whole, or something follows that is none */
export async function* unpackStream(packed: Bytes, format: Packing, subject: string): Bytes {
  const options = { chunkSize: 256 * 1024 };
  const decoder = format === 'zstd' ? zlib.createZstdDecompress(options) : zlib.createGunzip(options);
  let fed = 0;
  let failure: { readonly error: unknown } | null = null; // the producer's, which zlib's must not hide
  async function* feed(): Bytes {
    try {
      for await (const chunk of packed) {
        fed += chunk.length;
        yield chunk;
      }
    } catch (error) {
      failure ??= { error };
      throw error;
    }
  }
  const feeding = pipeline(feed, decoder);
  feeding.catch(() => {}); // the decoder throws it too
  try {
    for await (const plain of decoder) yield plain;
    await feeding;
  } catch (cause) {
    const own = failure as { readonly error: unknown } | null;
    if (own !== null) throw own.error;
    throw new HoldfastError('Damaged', `${subject} cannot be decompressed: ${messageOf(cause)}.`, subject, { cause });
  } finally {
    await feeding.catch(() => {});
  }
  if (fed === 0) throw new HoldfastError('Damaged', `${subject} is empty: not one frame is in it.`, subject);
  if (decoder.bytesWritten !== fed)
    throw new HoldfastError('Damaged', `${subject} goes on after its last frame, at ${decoder.bytesWritten}.`, subject);
}
