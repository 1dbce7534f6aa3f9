import { HoldfastError } from '../domain/errors.ts';
import { parseName, printName } from '../domain/tree-name.ts';
import { type PaxRecords, parsePaxRecords } from './pax-records.ts';
import type { IndexedEntry } from './stored-file.ts';
import { BLOCK, isZeroBlock, padding, parseTarHeader, type TarHeader } from './tar-header.ts';

/** Longest pax header or long name that is read: extended attributes of a file are well below it. */
const RECORDS_LIMIT = 16 * 1024 ** 2;

/** A member whose headers have been read; its data follow. */
export interface TarMember {
  readonly entry: IndexedEntry;
  /** All its header bytes as they stand in the tar: from `entry.offset` to `entry.dataOffset`. */
  readonly headers: () => Uint8Array;
  /** Where in `headers` the last header block begins; only an old GNU sparse header has something after it. */
  readonly blockAt: () => number;
  /** Its own pax records, without global ones. */
  readonly records: PaxRecords;
  /** Bytes of data in the tar, without padding: for a sparse file not its apparent size. */
  readonly dataSize: number;
}

/** Reads a tar as it passes. Knows POSIX ustar and pax, GNU's long names and all of GNU's sparse formats. */
export interface TarScanner {
  /** Takes the next bytes, answers with the members whose headers ended in them. @throws Damaged */
  write(chunk: Uint8Array): readonly TarMember[];
  /** To be called when no bytes are left. @throws Damaged when the tar has no proper end: it was cut off */
  end(): void;
  /** Bytes from the beginning that are known to be members: what is behind is part of a header, or of the end. */
  settled(): number;
}

const TYPES: Readonly<Record<string, IndexedEntry['type']>> = {
  '1': 'hardlink',
  '2': 'link',
  '3': 'other',
  '4': 'other',
  '5': 'directory',
  '6': 'other',
  D: 'directory',
};
/** Types that have no data, whatever their size field says (as GNU tar reads them). */
const WITHOUT_DATA = new Set(['1', '2', '3', '4', '5', '6']);

/** A name as `ls` prints it: no slash before or after it, no leading `./`. */
function plainName(name: Uint8Array): string {
  const text = printName(name)
    .replace(/^(\.?\/+)+/, '')
    .replace(/\/+$/, '');
  return text === '' && name.length > 0 ? '.' : text;
}

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');

interface LongNames {
  readonly name: Uint8Array | null;
  readonly linkName: Uint8Array | null;
}

function entryOf(header: TarHeader, records: PaxRecords, long: LongNames, block: Uint8Array) {
  const pax = new Map(records);
  const number = (keyword: string, otherwise: number): number => {
    const value = Number.parseFloat(pax.get(keyword) ?? '');
    return Number.isFinite(value) ? value : otherwise;
  };
  const path = pax.get('GNU.sparse.name') || pax.get('path') || undefined;
  const linkPath = pax.get('linkpath') || undefined;
  const name = path === undefined ? (long.name ?? header.name) : latin1(path);
  const linkName = linkPath === undefined ? (long.linkName ?? header.linkName) : latin1(linkPath);
  const oldFolder = header.typeflag === '0' && name.at(-1) === 0x2f; // a V7 tar has no type for a folder
  const type = oldFolder ? 'directory' : (TYPES[header.typeflag] ?? 'file');
  const dataSize = WITHOUT_DATA.has(header.typeflag) || oldFolder ? 0 : number('size', header.size);
  const oldSparse =
    header.typeflag === 'S' ? Number.parseInt(Buffer.from(block.subarray(483, 495)).toString(), 8) : null;
  const apparent = oldSparse ?? number('GNU.sparse.realsize', number('GNU.sparse.size', dataSize));
  const text = plainName(name);
  const fields = {
    path: text,
    ...(text.includes('\\') ? { bytes: parseName(text) } : {}),
    type,
    size: type === 'file' ? apparent : 0,
    mode: header.mode & 0o7777,
    mtime: number('mtime', header.mtime),
    uid: number('uid', header.uid),
    gid: number('gid', header.gid),
    ...(type === 'hardlink' ? { target: plainName(linkName) } : {}),
    ...(type === 'link' ? { target: printName(linkName) } : {}),
  } as const;
  return { fields, dataSize };
}

/** @param subject what the errors name: the file the tar is read from */
export function tarScanner(subject: string): TarScanner {
  let position = 0; // of the next byte
  let start = 0; // where the headers of the member that is being read begin
  let skip = 0; // bytes of data and padding still to pass
  let wanted = BLOCK; // bytes that are looked at together
  let gathered: Uint8Array | null = null; // those that a chunk ended in
  let filled = 0;
  let zeroBlocks = 0;
  let headers: Uint8Array[] = [];
  let reading: { readonly kind: string; readonly size: number } | null = null; // records or a long name, not a header
  let sparse: { readonly header: TarHeader; readonly block: Uint8Array } | null = null; // its map goes on in more blocks
  let globals: PaxRecords = [];
  let records: PaxRecords = [];
  let long: LongNames = { name: null, linkName: null };

  const damaged = (what: string): HoldfastError =>
    new HoldfastError('Damaged', `The tar in ${subject} ${what}.`, subject);

  function expect(length: number, what: typeof reading): void {
    wanted = length;
    reading = what;
  }

  function complete(header: TarHeader, block: Uint8Array): TarMember {
    const merged = globals.length > 0 ? [...globals, ...records] : records;
    const { fields, dataSize } = entryOf(header, merged, long, block);
    if (!Number.isSafeInteger(dataSize) || dataSize < 0 || !Number.isSafeInteger(fields.size))
      throw damaged(`has a member without a proper size at byte ${start}`);
    skip = dataSize + padding(dataSize);
    const entry = { ...fields, offset: start, dataOffset: position, end: position + skip };
    const own = headers;
    // Asked for only where a tar is written again. Functions and not getters: for each object literal with a getter V8
    // makes a hidden class, which keeps the header blocks until the next full collection.
    const member = {
      entry,
      headers: () => Buffer.concat(own),
      blockAt: () => own.slice(0, own.indexOf(block)).reduce((sum, { length }) => sum + length, 0),
      records,
      dataSize,
    };
    headers = [];
    records = [];
    long = { name: null, linkName: null };
    start = entry.end;
    return member;
  }

  function takeRecords(kind: string, bytes: Uint8Array): void {
    if (kind === 'L' || kind === 'K') {
      const nul = bytes.indexOf(0);
      const name = bytes.subarray(0, nul < 0 ? bytes.length : nul);
      long = kind === 'L' ? { ...long, name } : { ...long, linkName: name };
      return;
    }
    const parsed = parsePaxRecords(bytes);
    if (parsed === null) throw damaged(`has a pax header that is not whole at byte ${start}`);
    if (kind === 'x') records = parsed;
    else globals = parsed;
  }

  /** Copies what is kept of a chunk: its memory may be used again, and with it a whole chunk would be kept. */
  function detach(): void {
    const { block } = sparse ?? {};
    const kept = headers.map((bytes) => Uint8Array.from(bytes));
    const copy = block && kept[headers.indexOf(block)];
    const header = copy === undefined ? null : parseTarHeader(copy);
    if (copy !== undefined && header !== null) sparse = { header, block: copy };
    headers = kept;
    long = { name: long.name && Uint8Array.from(long.name), linkName: long.linkName && Uint8Array.from(long.linkName) };
  }

  /** Takes what was gathered: a header block, or the records or the sparse map that belong to it. */
  function take(bytes: Uint8Array): TarMember | null {
    headers.push(bytes);
    if (reading !== null) {
      takeRecords(reading.kind, bytes.subarray(0, reading.size));
      expect(BLOCK, null);
      return null;
    }
    if (sparse !== null) {
      if (bytes[504] !== 0) return null;
      const { header, block } = sparse;
      sparse = null;
      return complete(header, block);
    }
    if (isZeroBlock(bytes)) {
      if (records.length > 0 || long.name !== null || long.linkName !== null)
        throw damaged(`ends after a header at byte ${start}`);
      zeroBlocks += 1;
      return null;
    }
    if (zeroBlocks > 0) throw damaged(`goes on after its end, at byte ${position - BLOCK}`);
    const header = parseTarHeader(bytes);
    if (header === null) throw damaged(`has no whole header at byte ${position - BLOCK}`);
    if ('xgLK'.includes(header.typeflag)) {
      if (header.size > RECORDS_LIMIT) throw damaged(`has a pax header of ${header.size} bytes at byte ${start}`);
      if (header.size > 0) expect(header.size + padding(header.size), { kind: header.typeflag, size: header.size });
      return null;
    }
    if (header.typeflag === 'S' && bytes[482] !== 0) {
      sparse = { header, block: bytes };
      return null;
    }
    return complete(header, bytes);
  }

  return {
    write(chunk) {
      const found: TarMember[] = [];
      for (let at = 0; at < chunk.length; ) {
        if (skip > 0) {
          const step = Math.min(skip, chunk.length - at);
          skip -= step;
          at += step;
          position += step;
        } else if (zeroBlocks >= 2) {
          if (!isZeroBlock(chunk.subarray(at))) throw damaged(`is followed by something else, after byte ${position}`);
          position += chunk.length - at;
          at = chunk.length;
        } else {
          const step = Math.min(wanted - filled, chunk.length - at);
          const piece = chunk.subarray(at, at + step);
          at += step;
          position += step;
          let whole = piece; // a view, as a rule: a buffer for each header costs more than all else here
          if (step < wanted) {
            gathered ??= new Uint8Array(wanted);
            gathered.set(piece, filled);
            filled += step;
            if (filled < wanted) continue;
            whole = gathered;
            gathered = null;
            filled = 0;
          }
          const member = take(whole);
          if (member !== null) found.push(member);
        }
      }
      if (headers.length > 0) detach();
      return found;
    },
    end() {
      if (zeroBlocks < 2) throw damaged(`is cut off after ${position} bytes: it has no end`);
    },
    settled: () => (skip > 0 ? position : start),
  };
}
