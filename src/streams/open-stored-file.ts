import { createHash } from 'node:crypto';
import { HoldfastError } from '../domain/errors.ts';
import type { Bytes } from '../ports/bytes.ts';
import { unpacker } from './codec.ts';
import {
  framesBeside,
  framesInside,
  type IndexFrames,
  isUselessIndex,
  tableBeside,
  tableInside,
} from './find-index.ts';
import { entriesOfBlock, indexBlock, wantedName } from './member-index.ts';
import { type OpenedFile, openUnderSeal } from './opened-file.ts';
import { rangeOfStream, rangeReader } from './range.ts';
import { scanMembers } from './scan-members.ts';
import type { SeekTable } from './seek-table.ts';
import type { IndexedEntry, OpenOptions, StoredFileReader } from './stored-file.ts';
import { unpackFrames, unpackStream } from './unpack.ts';

/** The plain stream of the whole file. Both hashes and both sizes are compared, nothing is read twice. */
async function* readWhole(
  path: string,
  opened: OpenedFile,
  table: SeekTable | null,
  { compression, expected }: OpenOptions,
  signal: AbortSignal,
): Bytes {
  const [stored, plain] = [createHash('sha256'), createHash('sha256')];
  const one = compression === 'none' && opened.file === opened.extent; // then both are the same bytes
  const damaged = (what: string): HoldfastError =>
    new HoldfastError('Damaged', `${path} is not what was stored: ${what}.`, path);
  // each packed frame in one piece
  const ends = table === null || opened.file !== opened.extent ? [] : table.packedStarts;
  async function* fileBytes(): Bytes {
    for await (const chunk of opened.file.chunks(signal, ends)) {
      stored.update(chunk);
      yield chunk;
    }
  }
  const packed = opened.unseal(fileBytes(), signal);
  const unpacked = (): Bytes => {
    if (compression === 'none') return packed;
    const known = table !== null && opened.extent !== null;
    return known ? unpackFrames(packed, table, compression, path) : unpackStream(packed, compression, path);
  };
  let size = 0;
  for await (const chunk of unpacked()) {
    signal.throwIfAborted();
    if (!one) plain.update(chunk);
    size += chunk.length;
    if (expected !== null && size > expected.originalSize)
      throw damaged(`it has more than the ${expected.originalSize} plain bytes that were recorded`);
    yield chunk;
  }
  if (expected === null) return;
  if (stored.digest('hex') !== expected.sha256) throw damaged('its SHA-256 is not the recorded one');
  if (size !== expected.originalSize) throw damaged(`it has ${size} plain bytes instead of ${expected.originalSize}`);
  if (!one && plain.digest('hex') !== expected.originalSha256)
    throw damaged('the SHA-256 of its plain bytes is not the recorded one');
}

interface Found {
  readonly table: SeekTable | null;
  readonly index: IndexFrames | null;
}

/** Looks for the seek table and the index; what is missing or damaged is null, and done without. */
async function find(path: string, opened: OpenedFile, options: OpenOptions, signal: AbortSignal): Promise<Found> {
  const { compression, tar, expected } = options;
  const { extent } = opened;
  if (compression === 'zstd') {
    if (extent === null) return { table: null, index: null };
    const table = await tableInside(extent, expected?.originalSize ?? null);
    return { table, index: tar && table !== null ? await framesInside(extent, table) : null };
  }
  if (!tar) return { table: null, index: null };
  const table = extent === null ? null : await tableBeside(path, options, extent.size, signal);
  // An index that does not fit its file is none; under gpg that cannot be told beforehand.
  return { table, index: extent !== null && table === null ? null : framesBeside(path, options) };
}

/** Opens a stored file for reading.
 *  @throws Damaged when it is not there, has another size than was recorded, or its seal is broken; WrongPassword;
 *  Unsupported for gpg without `read` */
export async function openStoredFile(
  path: string,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<StoredFileReader> {
  const { compression, expected, sealing, read } = options;
  const opened = await openUnderSeal(path, { sealing, expected, read }, signal);
  let found: Found;
  try {
    found = await find(path, opened, options, signal);
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
  const { table, index } = found;
  const { extent } = opened;
  const unpacking = unpacker(compression, path);
  const whole = (during: AbortSignal): Bytes => readWhole(path, opened, table, options, during);

  async function* members(during: AbortSignal, below = ''): AsyncGenerator<IndexedEntry> {
    const wanted = wantedName(below);
    let last = -1;
    try {
      for await (const frame of index?.(during) ?? []) {
        const block = indexBlock(frame);
        if (block === null) throw new HoldfastError('Damaged', `The index of ${path} is damaged.`, path);
        for (const entry of entriesOfBlock(block, wanted)) {
          yield entry;
          last = entry.offset;
        }
      }
      if (index !== null) return;
    } catch (error) {
      if (!isUselessIndex(error)) throw error;
    }
    // The tar itself has the same names, and reading it whole proves them.
    for await (const entry of scanMembers(whole(during), path, wanted)) if (entry.offset > last) yield entry;
  }

  return {
    seekable: extent !== null && table !== null,
    read: whole,
    range:
      extent !== null && table !== null
        ? rangeReader(extent, unpacking, table, compression, path)
        : (offset, length, during) => rangeOfStream(whole(during), offset, length, path),
    members,
    async [Symbol.asyncDispose]() {
      unpacking[Symbol.dispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}
