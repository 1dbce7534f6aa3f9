import type { Bytes } from '../ports/bytes.ts';
import { byteReader } from './byte-reader.ts';
import { parseSeekTable, type SeekTable } from './seek-table.ts';
import { SEEK_TABLE_MAGIC, SKIPPABLE_HEADER } from './skippable.ts';

/** More than the longest block, and more than the seek table of 80 TiB. */
const FRAME_LIMIT = 256 * 1024 ** 2;

/** Reads the index beside a file: its blocks as they come, as whole frames. @returns the seek table it ends with, null
 *  when the index is not whole. @throws Damaged when it is cut off */
export async function* readIndexFile(bytes: Bytes, subject: string): AsyncGenerator<Uint8Array, SeekTable | null> {
  await using reader = byteReader(bytes, subject);
  for (;;) {
    const header = await reader.takeOrEnd(SKIPPABLE_HEADER);
    if (header === null) return null;
    const view = new DataView(header.buffer, header.byteOffset, SKIPPABLE_HEADER);
    const length = view.getUint32(4, true);
    if (length > FRAME_LIMIT) return null;
    const frame = Buffer.concat([header, await reader.take(length)]);
    if (view.getUint32(0, true) !== SEEK_TABLE_MAGIC) yield frame;
    else {
      await reader.drain();
      return parseSeekTable(frame);
    }
  }
}
