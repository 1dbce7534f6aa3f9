import { HoldfastError } from '../domain/errors.ts';
import type { Compression } from '../domain/storage.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Unpacker } from './codec.ts';
import type { SeekTable } from './seek-table.ts';
import type { Extent } from './stored-bytes.ts';
import { numbers, unpackFrame, unpackInOrder } from './unpack.ts';

/** Reads plain bytes anywhere in a file whose frames are known. */
export function rangeReader(
  extent: Extent,
  unpacking: Unpacker,
  table: SeekTable,
  format: Compression['format'],
  subject: string,
): (offset: number, length: number, signal: AbortSignal) => Bytes {
  const plainSize = table.plainStart(table.frames);
  let last: { readonly frame: number; readonly bytes: Promise<Uint8Array> } | null = null; // small members share frames

  async function readFrame(i: number): Promise<Uint8Array> {
    const start = table.packedStart(i);
    const packed = await extent.read(start, table.packedStart(i + 1) - start);
    return await unpackFrame(packed, i, table, unpacking, { format, subject });
  }

  function unpack(i: number): Promise<Uint8Array> {
    if (last?.frame !== i) last = { frame: i, bytes: readFrame(i) };
    return last.bytes;
  }

  return async function* range(offset, length, signal) {
    if (offset + length > plainSize)
      throw new HoldfastError('Damaged', `${subject} ends after ${plainSize} plain bytes.`, subject);
    if (length === 0) return;
    const [first, end] = [table.frameAt(offset), table.frameAt(offset + length - 1) + 1];
    let position = table.plainStart(first);
    for await (const plain of unpackInOrder(numbers(first, end), unpack)) {
      signal.throwIfAborted();
      const piece = plain.subarray(Math.max(0, offset - position), Math.max(0, offset + length - position));
      position += plain.length;
      if (piece.length > 0) yield piece;
    }
  };
}

/** The same out of the whole stream, which is read to its end: only then is it proved. */
export async function* rangeOfStream(bytes: Bytes, offset: number, length: number, subject: string): Bytes {
  let position = 0;
  for await (const chunk of bytes) {
    const piece = chunk.subarray(
      Math.max(0, Math.min(chunk.length, offset - position)),
      Math.max(0, Math.min(chunk.length, offset + length - position)),
    );
    position += chunk.length;
    if (piece.length > 0) yield piece;
  }
  if (position < offset + length)
    throw new HoldfastError('Damaged', `${subject} ends after ${position} plain bytes.`, subject);
}
