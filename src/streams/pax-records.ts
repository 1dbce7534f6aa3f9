import { BLOCK, formatTarHeader, padding } from './tar-header.ts';

/** The records of a pax extended header, keyword to value, both as bytes in latin1 (POSIX.1-2017, pax, "pax Extended
 *  Header"). Repeated keywords (GNU.sparse.offset of the oldest sparse format) are kept in their order. */
export type PaxRecords = readonly (readonly [keyword: string, value: string])[];

/** Null when the bytes are no records: a length that does not lead to a newline. */
export function parsePaxRecords(bytes: Uint8Array): PaxRecords | null {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const records: [string, string][] = [];
  for (let at = 0; at < text.length; ) {
    const space = text.indexOf(' ', at);
    const length = space < 0 ? Number.NaN : Number(text.slice(at, space));
    const end = at + length;
    if (!Number.isSafeInteger(length) || end <= space || end > text.length || text[end - 1] !== '\n') return null;
    const equals = text.indexOf('=', space);
    if (equals < 0 || equals >= end) return null;
    records.push([text.slice(space + 1, equals), text.slice(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** One record: its length counts its own digits too. */
function formatRecord(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length;
  return `${length}${rest}`;
}

/** The `x` member that stands before the header it is about: header block, records, padding. Nothing for no records. */
export function formatPaxHeader(records: PaxRecords): Uint8Array {
  if (records.length === 0) return new Uint8Array(0);
  const data = Buffer.from(records.map(([keyword, value]) => formatRecord(keyword, value)).join(''), 'latin1');
  const header = formatTarHeader({
    name: Buffer.from('PaxHeaders/records'),
    linkName: new Uint8Array(0),
    typeflag: 'x',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    mtime: 0,
  });
  return Buffer.concat(
    [header, data, new Uint8Array(padding(data.length))],
    BLOCK + data.length + padding(data.length),
  );
}

/** The records with `changes` made: a value replaces all of that keyword, null takes them out. */
export function changePaxRecords(records: PaxRecords, changes: Readonly<Record<string, string | null>>): PaxRecords {
  const kept = records.filter(([keyword]) => !(keyword in changes));
  const added = Object.entries(changes).flatMap(([keyword, value]) =>
    value === null ? [] : [[keyword, value] as const],
  );
  return [...kept, ...added];
}
