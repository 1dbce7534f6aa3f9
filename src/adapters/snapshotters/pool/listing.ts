import { printName } from '../../../domain/tree-name.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Command } from '../../../ports/host.ts';
import type { Difference } from '../../../ports/snapshotter.ts';

/** One file, folder or link of a tree, as `find` prints it. Its path is relative; bytes as latin1, since names are bytes. */
export interface Listing {
  readonly path: string;
  /** `f` file, `d` folder, `l` link, else as find(1) has it. */
  readonly type: string;
  readonly inode: string;
  readonly size: number;
  /** What tells that it changed, beside its type and its size: time, mode, owner, target of a link. */
  readonly time: string;
  readonly access: string;
  readonly target: string;
}

/** Two slashes follow the path, which has none: what stands before them is sorted by path alone. */
export const FORMAT = '%P//%y %i %s %T@ %m,%U,%G %l\\0';
const RECORD = /^([\s\S]*?)\/\/(\S) (\d+) (\d+) (\S+) (\S+) ([\s\S]*)$/;

/** Comes before, in the order that `sort` gives the records. */
export const isBefore = (left: string, right: string): boolean => `${left}//` < `${right}//`;
export function byPath({ path: left }: { readonly path: string }, { path: right }: { readonly path: string }): number {
  if (left === right) return 0;
  return isBefore(left, right) ? -1 : 1;
}

/** Everything in a folder, by path; the folder itself comes first and has the empty path. Mounts and nested subvolumes
 *  are folders in which nothing is. */
export const treeCommands = (folder: string): readonly Command[] => [
  { program: 'find', args: [folder, '-xdev', '-printf', FORMAT] },
  { program: 'sort', args: ['--zero-terminated'] },
];

/** The pieces between bytes of a value, as latin1. */
export async function* split(bytes: Bytes, separator: number): AsyncGenerator<string> {
  let rest: Uint8Array = new Uint8Array();
  for await (const chunk of bytes) {
    let from = 0;
    for (let at = chunk.indexOf(separator); at >= 0; at = chunk.indexOf(separator, from)) {
      yield Buffer.concat([rest, chunk.subarray(from, at)]).toString('latin1');
      rest = new Uint8Array();
      from = at + 1;
    }
    rest = Buffer.concat([rest, chunk.subarray(from)]);
  }
  if (rest.length > 0) yield Buffer.from(rest).toString('latin1');
}

/** @throws TypeError for what find would never print */
export function parseListing(record: string): Listing {
  const [, path, type, inode, size, time, access, target] = RECORD.exec(record) ?? [];
  if (path === undefined || type === undefined || inode === undefined || target === undefined)
    throw new TypeError(`find printed ${JSON.stringify(record)}`);
  return { path, type, inode, size: Number(size), time: time ?? '', access: access ?? '', target };
}

/** Whether it was changed, by what is told of it. Of a folder only owner and mode count: what is in it has its own rows. */
export function isChanged(before: Listing, after: Listing): boolean {
  if (before.type !== after.type || before.access !== after.access) return true;
  if (before.type === 'd') return false;
  if (before.type === 'l') return before.target !== after.target;
  return before.size !== after.size || before.time !== after.time;
}

const bytesOf = ({ type, size }: Listing): number => (type === 'f' ? size : 0);

export function difference(path: string, change: Difference['change'], of: Listing): Difference {
  return { path: printName(Buffer.from(path, 'latin1')), change, bytes: bytesOf(of) };
}
