import { HoldfastError } from '../domain/errors.ts';
import type { Bytes } from '../ports/bytes.ts';
import { formatPaxHeader } from './pax-records.ts';
import { BLOCK, formatTarHeader, padding } from './tar-header.ts';

/** A regular file to be written into a tar. `size` in bytes, `mtime` in seconds since 1970. */
export interface TarFile {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
}

/** The most that the octal fields of ustar hold: 11 digits and 7. */
const SIZE_LIMIT = 8 ** 11;
const ID_LIMIT = 8 ** 7;

/** The header of a plain file; a pax header stands before it when the name is long or a number large. */
function tarHeader({ name, size, mode, mtime, uid, gid }: TarFile): Uint8Array {
  const bytes = Buffer.from(name);
  const records: [string, string][] = [];
  if (bytes.length > 100) records.push(['path', bytes.toString('latin1')]);
  if (size >= SIZE_LIMIT) records.push(['size', `${size}`]);
  if (!Number.isInteger(mtime) || mtime < 0 || mtime >= SIZE_LIMIT) records.push(['mtime', `${mtime}`]);
  if (uid >= ID_LIMIT) records.push(['uid', `${uid}`]);
  if (gid >= ID_LIMIT) records.push(['gid', `${gid}`]);
  const header = { name: bytes, linkName: new Uint8Array(0), typeflag: '0', size, mode, mtime, uid, gid };
  const block = formatTarHeader(header);
  return records.length === 0 ? block : Buffer.concat([formatPaxHeader(records), block]);
}

/** A whole member: header, data, padding. @throws Internal when the data are not exactly `file.size` bytes: the size was
 *  written before them */
export async function* tarFileMember(file: TarFile, bytes: Bytes): Bytes {
  yield tarHeader(file);
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > file.size) break;
    yield chunk;
  }
  if (size !== file.size)
    throw new HoldfastError('Internal', `${file.name} was to have ${file.size} bytes and has another size.`, file.name);
  if (padding(size) > 0) yield new Uint8Array(BLOCK).subarray(0, padding(size));
}
