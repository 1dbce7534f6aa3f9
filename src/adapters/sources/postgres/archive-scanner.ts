import { copiedTable, type DataScan } from './data-scanner.ts';

/** Custom format, PostgreSQL 9.3 to 18 (src/bin/pg_dump/pg_backup_archiver.c and pg_backup_custom.c): a header, a table of
 *  contents, and blocks of data in the order in which they were dumped. */
const VERSIONS = { first: 12, tableAccess: 14, algorithm: 15, relationKind: 16 } as const;
const [CUSTOM, NOT_PACKED] = [1, 0];
/** `PGDMP`, three bytes of version, the sizes of an integer and an offset, the format, and how it is packed. */
export const HEADER_BYTES = 16;
const [INTEGER, BLOCK_OF_TABLE, BLOCK_OF_LARGE_OBJECTS] = [5, 1, 3];
/** What pg_dump writes after the rows of a table. */
const END = Buffer.from('\\.\n\n\n');

interface Header {
  readonly minor: number;
  readonly offsetSize: number;
}

/** Null for an archive whose data cannot be read without pg_restore: packed ones, and those of other versions. */
export function plainArchive(first: Buffer): Header | null {
  if (first.length < HEADER_BYTES) return null;
  const [major, minor, , integerSize, offsetSize = 0, format] = first.subarray(5);
  if (major !== 1 || minor === undefined || minor < VERSIONS.first || minor > VERSIONS.relationKind) return null;
  if (integerSize !== INTEGER - 1 || format !== CUSTOM) return null;
  const packed = minor >= VERSIONS.algorithm ? first[11] : first.readInt32LE(12);
  return packed === NOT_PACKED ? { minor, offsetSize } : null;
}

const NOTHING = Buffer.alloc(0);

class Short extends Error {}
class Broken extends Error {}

/** Reads numbers and texts as the archive has them. */
function reader(bytes: Buffer, from: number) {
  let at = from;
  const take = (length: number): number => {
    if (at + length > bytes.length) throw new Short();
    at += length;
    return at - length;
  };
  const integer = (): number => {
    const start = take(INTEGER);
    const value = bytes.readUInt32LE(start + 1);
    return bytes[start] === 0 ? value : -value;
  };
  const text = (): string | null => {
    const length = integer();
    if (length < 0) return null;
    const start = take(length);
    return bytes.toString('utf8', start, start + length);
  };
  return { integer, text, skip: take, place: () => at };
}

interface Contents {
  /** The statement that each block of data belongs to, by its number; null for what is no table. */
  readonly copies: ReadonlyMap<number, string | null>;
  /** Where the data begin. */
  readonly end: number;
}

/** @throws Short when more of the archive is needed */
function contentsOf(bytes: Buffer, { minor, offsetSize }: Header): Contents {
  const read = reader(bytes, minor >= VERSIONS.algorithm ? 12 : 16);
  for (let field = 0; field < 7; field++) read.integer(); // the time
  for (let field = 0; field < 3; field++) read.text(); // the database, the versions of the server and of pg_dump
  const copies = new Map<number, string | null>();
  const count = read.integer();
  if (count < 0) throw new Broken();
  for (let entry = 0; entry < count; entry++) {
    const id = read.integer();
    read.integer(); // whether it has data
    for (let field = 0; field < 4; field++) read.text(); // two numbers of the catalog, tag, description
    read.integer(); // section
    for (let field = 0; field < 2; field++) read.text(); // how it is made, how it is dropped
    copies.set(id, read.text());
    for (let field = 0; field < 2; field++) read.text(); // schema, tablespace
    if (minor >= VERSIONS.tableAccess) read.text();
    if (minor >= VERSIONS.relationKind) read.integer();
    for (let field = 0; field < 2; field++) read.text(); // owner, whether it has OIDs
    while (read.text() !== null); // what it depends on
    read.skip(1 + offsetSize);
  }
  return { copies, end: read.place() };
}

/** Counts the rows and large objects of an archive that is not packed, in its own bytes: what pg_restore would print need
 *  not be read. Its structure is pg_restore's to judge; what is not as it should be here ends the scan with null. */
export function scanArchive(header: Header): DataScan {
  const tables = new Map<string, number>();
  let largeObjects = 0;
  let contents: Contents | null = null;
  let begun: Buffer[] = [];
  let begunLength = 0;
  let wanted = 1;
  let broken = false;

  /** What the next bytes are: the beginning of a block, the number of a large object, the length of a piece, its bytes. */
  let expects: 'block' | 'object' | 'length' | 'bytes' = 'block';
  let inObjects = false;
  let left = 0;
  let table: string | null = null;
  let newlines = 0;
  /** Between these places of the buffer that is scanned lie the last bytes of the table's data that are in it; those of
   *  buffers before it are in `tail`. */
  let [lastFrom, lastTo] = [0, 0];
  let tail: Buffer = NOTHING;
  /** The beginning of a number that goes on in the next chunk. */
  let rest: Buffer = NOTHING;

  function beginBlock(buffer: Buffer, at: number): void {
    const kind = buffer[at];
    const id = numberAt(buffer, at + 1);
    if (kind !== BLOCK_OF_TABLE && kind !== BLOCK_OF_LARGE_OBJECTS) throw new Broken();
    inObjects = kind === BLOCK_OF_LARGE_OBJECTS;
    const statement = inObjects ? null : (contents?.copies.get(id) ?? null);
    table = statement === null ? null : copiedTable(statement);
    [newlines, lastFrom, lastTo, tail] = [0, 0, 0, NOTHING];
    expects = inObjects ? 'object' : 'length';
  }
  function endPieces(buffer: Buffer): void {
    expects = inObjects ? 'object' : 'block';
    if (table === null) return;
    keepTail(buffer);
    if (!tail.equals(END)) throw new Broken();
    tables.set(table, (tables.get(table) ?? 0) + newlines - 3);
    table = null;
  }
  function numberAt(buffer: Buffer, at: number): number {
    const low = (buffer[at + 1] as number) | ((buffer[at + 2] as number) << 8);
    const high = buffer[at + 4] as number;
    if (buffer[at] !== 0 || high > 0x7f) throw new Broken();
    return low | ((buffer[at + 3] as number) << 16) | (high << 24);
  }
  function takePiece(buffer: Buffer, from: number, to: number): void {
    left -= to - from;
    if (left === 0) expects = 'length';
    if (table === null) return;
    for (let at = from; at < to; newlines++) {
      const newline = buffer.indexOf(0x0a, at);
      if (newline < 0 || newline >= to) break;
      at = newline + 1;
    }
    if (to - from < END.length) keepTail(buffer);
    [lastFrom, lastTo] = [from, to];
    if (to - from < END.length) keepTail(buffer);
  }
  /** A copy: the buffer's memory may be used again. */
  function keepTail(buffer: Buffer): void {
    if (lastTo === lastFrom) return;
    const last = buffer.subarray(Math.max(lastFrom, lastTo - END.length), lastTo);
    tail = Buffer.concat([tail, last]).subarray(-END.length);
    lastFrom = lastTo;
  }
  /** @returns how far it came: what is left is the beginning of a number */
  function scan(buffer: Buffer): number {
    let at = 0;
    for (;;) {
      if (expects === 'bytes') {
        const to = Math.min(buffer.length, at + left);
        takePiece(buffer, at, to);
        at = to;
        if (left > 0) return at;
      }
      const length = expects === 'block' ? 1 + INTEGER : INTEGER;
      if (at + length > buffer.length) return at;
      if (expects === 'block') beginBlock(buffer, at);
      else if (expects === 'object') {
        expects = numberAt(buffer, at) === 0 ? 'block' : 'length';
        if (expects === 'length') largeObjects += 1;
      } else {
        left = numberAt(buffer, at);
        if (left === 0) endPieces(buffer);
        else expects = 'bytes';
      }
      at += length;
    }
  }
  function takeData(chunk: Buffer): void {
    const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    rest = Buffer.from(buffer.subarray(scan(buffer)));
    keepTail(buffer);
    [lastFrom, lastTo] = [0, 0];
  }
  /** The table of contents is read anew when twice as much of it is there. */
  function takeContents(chunk: Buffer): void {
    begun.push(Buffer.from(chunk));
    begunLength += chunk.length;
    if (begunLength < wanted) return;
    wanted = 2 * begunLength;
    const bytes = Buffer.concat(begun);
    begun = [bytes];
    try {
      contents = contentsOf(bytes, header);
    } catch (error) {
      if (error instanceof Short) return;
      throw error;
    }
    begun = [];
    takeData(bytes.subarray(contents.end));
  }
  return {
    take(bytes) {
      if (broken) return;
      const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      try {
        if (contents === null) takeContents(chunk);
        else takeData(chunk);
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        broken = true;
      }
    },
    end() {
      if (contents === null && !broken) {
        wanted = 0;
        this.take(new Uint8Array());
      }
      if (broken || contents === null || expects !== 'block' || rest.length > 0) return null;
      return { tables: Object.fromEntries(tables), largeObjects };
    },
  };
}
