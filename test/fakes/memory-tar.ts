import { HoldfastError } from '../../src/domain/errors.ts';
import type { TreeEntry } from '../../src/ports/repository.ts';

/** A member of a tar that is held whole in memory, and where it lies in it. */
export interface MemoryMember {
  readonly entry: TreeEntry;
  readonly begin: number;
  readonly dataBegin: number;
  readonly end: number;
}

const BLOCK = 512;
const TYPES: Readonly<Record<string, TreeEntry['type']>> = {
  '0': 'file',
  '\0': 'file',
  '1': 'hardlink',
  '2': 'link',
  '5': 'directory',
};

const padded = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;
const text = (header: Buffer, offset: number, length: number): string => {
  const field = header.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
};
const octal = (header: Buffer, offset: number, length: number): number =>
  Number.parseInt(text(header, offset, length).trim() || '0', 8);

/** Records `LENGTH KEY=VALUE\n` of a pax header, POSIX.1-2017 pax. */
function paxRecords(data: Buffer): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let offset = 0; offset < data.length; ) {
    const space = data.indexOf(0x20, offset);
    const length = Number(data.toString('latin1', offset, space));
    const record = data.toString('utf8', space + 1, offset + length - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    offset += length;
  }
  return records;
}

/** Members of a POSIX tar with pax headers and names in UTF-8, which is what the tests of operations make. */
export function membersOf(tar: Buffer): MemoryMember[] {
  const members: MemoryMember[] = [];
  let begin = 0;
  let pax: ReadonlyMap<string, string> = new Map();
  for (let offset = 0; offset + BLOCK <= tar.length; ) {
    const header = tar.subarray(offset, offset + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const type = header.toString('latin1', 156, 157);
    const size = Number(pax.get('size') ?? octal(header, 124, 12));
    const data = offset + BLOCK;
    offset = data + padded(size);
    if (type === 'x') {
      pax = paxRecords(tar.subarray(data, data + size));
      continue;
    }
    const prefix = text(header, 345, 155);
    const target = pax.get('linkpath') ?? text(header, 157, 100);
    const entry: TreeEntry = {
      path: (pax.get('path') ?? (prefix ? `${prefix}/` : '') + text(header, 0, 100)).replace(/\/$/, ''),
      type: TYPES[type] ?? 'other',
      size,
      mode: octal(header, 100, 8),
      mtime: Number(pax.get('mtime') ?? octal(header, 136, 12)),
      uid: octal(header, 108, 8),
      gid: octal(header, 116, 8),
      ...(type === '1' || type === '2' ? { target } : {}),
    };
    members.push({ entry, begin, dataBegin: data, end: offset });
    begin = offset;
    pax = new Map();
  }
  return members;
}

const wanted = (path: string): string => path.replace(/^\/+/, '').replace(/\/+$/, '');
const notFound = (path: string): HoldfastError => new HoldfastError('PathNotFound', `There is no ${path} in it.`, path);

/** A tar of the members at or below `path`. A hard link is kept as it is: tests of operations have both of its names. */
export function subsetOf(tar: Buffer, path: string): Buffer {
  const members = membersOf(tar);
  const inside = ({ path: name }: TreeEntry): boolean => name === wanted(path) || name.startsWith(`${wanted(path)}/`);
  const chosen = members.filter(({ entry }) => wanted(path) === '' || inside(entry));
  if (chosen.length === 0) throw notFound(path);
  return Buffer.concat([...chosen.map(({ begin, end }) => tar.subarray(begin, end)), Buffer.alloc(2 * BLOCK)]);
}

/** The bytes of one regular file, also by a later name of it. */
export function memberOf(tar: Buffer, path: string): Buffer {
  const members = membersOf(tar);
  const member = members.find(({ entry }) => entry.path === wanted(path));
  if (member?.entry.type === 'hardlink' && member.entry.target) return memberOf(tar, member.entry.target);
  if (member?.entry.type !== 'file') throw notFound(path);
  return tar.subarray(member.dataBegin, member.dataBegin + member.entry.size);
}
