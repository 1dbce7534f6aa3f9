import { HoldfastError } from '../domain/errors.ts';
import type { Bytes } from '../ports/bytes.ts';
import { type ByteReader, byteReader } from './byte-reader.ts';
import { BLOCK, padding } from './tar-header.ts';
import type { TarMember } from './tar-scanner.ts';

/** Pieces of data in a sparse file, in bytes of its apparent size (GNU tar manual, "Storing Sparse Files"). */
type SparseMap = readonly (readonly [offset: number, length: number])[];

const ZEROS = new Uint8Array(64 * 1024);

const pairs = (values: readonly number[]): SparseMap =>
  Array.from(
    { length: Math.floor(values.length / 2) },
    (_, i) => [values[2 * i] ?? 0, values[2 * i + 1] ?? 0] as const,
  );

/** More than any file system makes of one file; 12 MiB of text. */
const PIECES_LIMIT = 1_000_000;

const noMap = (subject: string): HoldfastError =>
  new HoldfastError('Damaged', `The map of holes of ${subject} is not whole.`, subject);

/** Format 1.0: decimal numbers, one a line, at the beginning of the data: how many pairs, then the pairs; zeros up to the
 *  next block. `size` is what all of it takes. */
async function mapInData(
  reader: ByteReader,
  subject: string,
): Promise<{ readonly map: SparseMap; readonly size: number }> {
  const numbers: number[] = [];
  let digits = '';
  for (let size = BLOCK; ; size += BLOCK) {
    for (const byte of await reader.take(BLOCK)) {
      if (byte !== 0x0a) {
        if (byte < 0x30 || byte > 0x39 || digits.length > 16) throw noMap(subject);
        digits += String.fromCharCode(byte);
        continue;
      }
      numbers.push(Number(digits));
      digits = '';
      const [count = 0] = numbers;
      if (count > PIECES_LIMIT) throw noMap(subject);
      if (numbers.length > 2 * count) return { map: pairs(numbers.slice(1)), size };
    }
  }
}

/** The oldest GNU format: octal pairs of 12 bytes each in the header, and in the blocks that follow it. */
function mapInHeaders(member: TarMember): SparseMap {
  const [bytes, blockAt] = [Buffer.from(member.headers()), member.blockAt()];
  const numbers: number[] = [];
  const take = (at: number, count: number): void => {
    for (let i = 0; i < count * 2; i++) {
      const field = bytes.toString('latin1', at + i * 12, at + i * 12 + 12).replace(/[\0 ]+$/, '');
      if (field !== '') numbers.push(Number.parseInt(field, 8));
    }
  };
  take(blockAt + 386, 4);
  for (let at = blockAt + BLOCK; at < bytes.length; at += BLOCK) take(at, 21);
  return pairs(numbers);
}

async function readMap(
  member: TarMember,
  reader: ByteReader,
  subject: string,
): Promise<{ readonly map: SparseMap; readonly size: number } | null> {
  const pax = new Map(member.records);
  const repeated = member.records.filter(([key]) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes');
  const inRecord = pax.get('GNU.sparse.map');
  if (pax.get('GNU.sparse.major') === '1') return await mapInData(reader, subject);
  if (inRecord !== undefined) return { map: pairs(inRecord.split(',').map(Number)), size: 0 };
  if (repeated.length > 0) return { map: pairs(repeated.map(([, value]) => Number(value))), size: 0 };
  if (member.headers()[member.blockAt() + 156] === 0x53) return { map: mapInHeaders(member), size: 0 };
  return null;
}

async function* zeros(length: number): Bytes {
  for (let left = length; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
}

/** The bytes of a regular file from its member's data (padding allowed), holes of a sparse one filled with zeros.
 *  @throws Damaged when the data are short or the map of the holes is none */
export async function* fileBytes(member: TarMember, data: Bytes, subject: string): Bytes {
  await using reader = byteReader(data, subject);
  const { size, path } = member.entry;
  const sparse = await readMap(member, reader, path);
  if (sparse === null) {
    yield* reader.pieces(member.dataSize);
    await reader.drain();
    return;
  }
  const stored = sparse.map.reduce((sum, [, length]) => sum + length, sparse.size);
  let position = 0;
  for (const [offset, length] of sparse.map) {
    const proper = Number.isSafeInteger(length) && length >= 0 && offset >= position && offset + length <= size;
    if (!proper || stored > member.dataSize + padding(member.dataSize)) throw noMap(path);
    yield* zeros(offset - position);
    yield* reader.pieces(length);
    position = offset + length;
  }
  yield* zeros(size - position);
  await reader.drain();
}
