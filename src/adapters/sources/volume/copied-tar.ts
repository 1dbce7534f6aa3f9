import { HoldfastError } from '../../../domain/errors.ts';
import { excludedBelow, excludedWithParents, parsePattern } from '../../../domain/exclude.ts';
import { parseName } from '../../../domain/tree-name.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { END_BLOCKS, filterMembers, relinkedHeaders, renamedHeaders } from '../../../streams/tar-rewrite.ts';
import { tarScanner } from '../../../streams/tar-scanner.ts';

/** How the engine's tar becomes an item's. */
export interface Renaming {
  /** The name that all members lie in: of the folder that was copied. */
  readonly from: string;
  /** In place of it, without slashes around it. */
  readonly to: string;
  readonly exclude: readonly string[];
  /** The volume, for messages. */
  readonly subject: string;
}

const latin1 = (name: Uint8Array): string => Buffer.from(name).toString('latin1');

/** The members that are not left out, under their names in the item, with the end of a tar.
 *  @throws Damaged when the tar is not whole; SourceFailed for a hard link to what is left out */
export async function* renamedTar(bytes: Bytes, { from, to, exclude, subject }: Renaming): Bytes {
  const excluded = excludedBelow(exclude.map(parsePattern), '/');
  const target = Buffer.from(to).toString('latin1');
  const left = (below: string, folder: boolean): boolean =>
    exclude.length > 0 && below !== '' && excludedWithParents(excluded, textOf(below), folder);
  /** Below the volume's top, a character for each byte. */
  const below = (name: Uint8Array): string => latin1(name).replace(/\/+$/, '').slice(from.length).replace(/^\/+/, '');
  const nameOf = (rest: string): Uint8Array => Buffer.from(rest === '' ? target : `${target}/${rest}`, 'latin1');
  yield* filterMembers(bytes, subject, (member) => {
    const { path, bytes: name = parseName(path), type, target: linked } = member.entry;
    const rest = below(name);
    if (left(rest, type === 'directory')) return null;
    if (type !== 'hardlink') return renamedHeaders(member, nameOf(rest));
    const first = below(parseName(linked ?? ''));
    if (!left(first, false)) return relinkedHeaders(member, nameOf(rest), nameOf(first));
    const words = `${path} is a hard link to a name that is left out, and would have no content.`;
    throw new HoldfastError('SourceFailed', words, subject, { hint: 'Leave out both names, or none of them' });
  });
  yield END_BLOCKS;
}

/** Patterns are text; a name that is not UTF-8 has a character for each byte. */
function textOf(name: string): string {
  const bytes = Buffer.from(name, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : name;
}

/** https://www.sqlite.org/fileformat.html, section 1.3. */
const SQLITE_HEADER = 'SQLite format 3\0';
/** Files by whose name a database server is known (interface, section 10, line 2). */
const SERVER_FILE = /(?:^|\/)(?:PG_VERSION|ibdata1)$|\.(?:couch|rdb|aof)$/;

/** Lets a tar pass and refuses one with a database in it: whether that changed while it was read cannot be seen through
 *  the engine.
 *  @param still asked at the end whether nobody could write to it meanwhile
 *  @throws SourceChanged at its end */
export async function* refusingDatabases(bytes: Bytes, subject: string, still: () => Promise<boolean>): Bytes {
  const scanner = tarScanner(subject);
  let found: string | null = null;
  let position = 0;
  /** Where the data of a file begin whose first bytes are not all seen yet. */
  let looked: { readonly path: string; readonly at: number; head: string } | null = null;
  for await (const chunk of bytes) {
    const look = (): void => {
      if (looked === null) return;
      const from = looked.at + looked.head.length - position;
      if (from < 0 || from >= chunk.length) return;
      looked.head += latin1(chunk.subarray(from, from + SQLITE_HEADER.length - looked.head.length));
      if (looked.head === SQLITE_HEADER) found ??= looked.path;
      if (looked.head.length === SQLITE_HEADER.length) looked = null;
    };
    look();
    for (const { entry, dataSize } of scanner.write(chunk)) {
      looked = null;
      if (entry.type !== 'file') continue;
      if (SERVER_FILE.test(entry.path)) found ??= entry.path;
      if (dataSize >= SQLITE_HEADER.length) looked = { path: entry.path, at: entry.dataOffset, head: '' };
      look();
    }
    position += chunk.length;
    yield chunk;
  }
  if (found === null || (await still())) return;
  const words = `${found} is a database, and whether it changed cannot be seen through the engine.`;
  throw new HoldfastError('SourceChanged', words, found, {
    hint: 'Stop its containers during the backup (stopDuring: { backup: sharing }), or dump it with a source of its own',
  });
}
