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

/** Format 1.0: decimal numbers, one a line, at the beginning of the data: how many pairs, then the pairs. */
async function mapInData(reader: ByteReader): Promise<{ readonly map: SparseMap; readonly size: number }> {
  let text = '';
  let size = 0;
  for (;;) {
    text += Buffer.from(await reader.take(BLOCK)).toString('latin1');
    size += BLOCK;
    const lines = text.split('\n');
    const count = Number(lines[0]);
    if (lines.length > 1 && lines.length > 2 * count + 1)
      return { map: pairs(lines.slice(1, 2 * count + 1).map(Number)), size };
  }
}

/** The oldest GNU format: octal pairs of 12 bytes each in the header, and in the blocks that follow it. */
function mapInHeaders({ headers, blockAt }: TarMember): SparseMap {
  const bytes = Buffer.from(headers);
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
): Promise<{ readonly map: SparseMap; readonly size: number } | null> {
  const pax = new Map(member.records);
  const repeated = member.records.filter(([key]) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes');
  const inRecord = pax.get('GNU.sparse.map');
  if (pax.get('GNU.sparse.major') === '1') return await mapInData(reader);
  if (inRecord !== undefined) return { map: pairs(inRecord.split(',').map(Number)), size: 0 };
  if (repeated.length > 0) return { map: pairs(repeated.map(([, value]) => Number(value))), size: 0 };
  if (member.headers[member.blockAt + 156] === 0x53) return { map: mapInHeaders(member), size: 0 };
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
  const sparse = await readMap(member, reader);
  if (sparse === null) {
    yield* reader.pieces(member.dataSize);
    await reader.drain();
    return;
  }
  const stored = sparse.map.reduce((sum, [, length]) => sum + length, sparse.size);
  let position = 0;
  for (const [offset, length] of sparse.map) {
    const proper = Number.isSafeInteger(length) && length >= 0 && offset >= position && offset + length <= size;
    if (!proper || stored > member.dataSize + padding(member.dataSize))
      throw new HoldfastError('Damaged', `The map of holes of ${path} in ${subject} is not whole.`, subject);
    yield* zeros(offset - position);
    yield* reader.pieces(length);
    position = offset + length;
  }
  yield* zeros(size - position);
  await reader.drain();
}
