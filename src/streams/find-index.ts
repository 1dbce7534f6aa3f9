import { HoldfastError } from '../domain/errors.ts';
import { readIndexFile } from './index-file.ts';
import { openUnderSeal } from './opened-file.ts';
import { parseSeekTable, SEEK_TABLE_TAIL, type SeekTable, seekTableLength } from './seek-table.ts';
import { INDEX_MAGIC, SKIPPABLE_HEADER } from './skippable.ts';
import type { Extent } from './stored-bytes.ts';
import type { OpenOptions } from './stored-file.ts';
import { indexPath } from './write-stored-file.ts';

/** Frames of the index as they stand in a file. Ending early means that the rest is damaged: it throws Damaged. */
export type IndexFrames = (signal: AbortSignal) => AsyncGenerator<Uint8Array>;

/** Tables of files that others made may have frames of any size; larger ones are read as a stream. */
const FRAME_LIMIT = 16 * 1024 ** 2;

/** True when the table is about a file of these sizes. `plainSize` is null where it was not recorded. */
function fits(table: SeekTable, packedSize: number, plainSize: number | null): boolean {
  const plain = table.plainStart(table.frames);
  if (table.packedStart(table.frames) !== packedSize || (plainSize !== null && plain !== plainSize)) return false;
  for (let i = 0; i < table.frames; i++) {
    const longest = Math.max(
      table.plainStart(i + 1) - table.plainStart(i),
      table.packedStart(i + 1) - table.packedStart(i),
    );
    if (longest > FRAME_LIMIT) return false;
  }
  return true;
}

/** The seek table at the end of a zstd file; null when there is none that fits. */
export async function tableInside(extent: Extent, plainSize: number | null): Promise<SeekTable | null> {
  if (extent.size < SEEK_TABLE_TAIL) return null;
  const length = seekTableLength(await extent.read(extent.size - SEEK_TABLE_TAIL, SEEK_TABLE_TAIL));
  if (length === null || length > extent.size) return null;
  const table = parseSeekTable(await extent.read(extent.size - length, length));
  return table !== null && fits(table, extent.size - length, plainSize) ? table : null;
}

/** The frames of the index that stand between those of a zstd file; null when there are none, or others that are not
 *  known: then it cannot be told whether the index is whole. */
export async function framesInside(extent: Extent, table: SeekTable): Promise<IndexFrames | null> {
  const places: number[] = [];
  for (let i = 0; i < table.frames; i++) {
    if (table.plainStart(i + 1) > table.plainStart(i)) continue;
    const header = await extent.read(table.packedStart(i), SKIPPABLE_HEADER);
    if (new DataView(header.buffer, header.byteOffset).getUint32(0, true) !== INDEX_MAGIC) return null;
    places.push(i);
  }
  if (places.length === 0) return null;
  return async function* frames(signal) {
    for (const i of places) {
      signal.throwIfAborted();
      yield await extent.read(table.packedStart(i), table.packedStart(i + 1) - table.packedStart(i));
    }
  };
}

/** The frames of the index beside a file, and the seek table it ends with. */
export function framesBeside(
  path: string,
  { sealing, read }: OpenOptions,
): (signal: AbortSignal) => AsyncGenerator<Uint8Array, SeekTable> {
  const index = indexPath(path);
  return async function* frames(signal) {
    await using opened = await openUnderSeal(index, { sealing, expected: null, read }, signal);
    const table = yield* readIndexFile(opened.unseal(opened.file.chunks(signal), signal), index);
    if (table !== null) return table;
    throw new HoldfastError('Damaged', `${index} is not whole: it has no seek table at its end.`, index);
  };
}

/** True for an index that is missing or damaged, under its seal too: the tar has the same names. */
export const isUselessIndex = (error: unknown): boolean =>
  error instanceof HoldfastError && (error.code === 'Damaged' || error.code === 'WrongPassword');

/** The seek table that the index beside a file ends with; null when there is none that fits. */
export async function tableBeside(
  path: string,
  options: OpenOptions,
  packedSize: number,
  signal: AbortSignal,
): Promise<SeekTable | null> {
  const plainSize = options.compression === 'none' ? packedSize : (options.expected?.originalSize ?? null);
  const frames = framesBeside(path, options)(signal);
  try {
    let next = await frames.next();
    while (!next.done) next = await frames.next();
    return fits(next.value, packedSize, plainSize) ? next.value : null;
  } catch (error) {
    if (isUselessIndex(error)) return null;
    throw error;
  }
}
