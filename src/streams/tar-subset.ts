import { HoldfastError } from '../domain/errors.ts';
import { parseName } from '../domain/tree-name.ts';
import { isBelow } from '../domain/tree-path.ts';
import type { Bytes } from '../ports/bytes.ts';
import { byteReader } from './byte-reader.ts';
import { wantedName } from './member-index.ts';
import type { IndexedEntry, StoredFileReader } from './stored-file.ts';
import { END_BLOCKS, filterMembers, relinkedHeaders, renamedHeaders } from './tar-rewrite.ts';
import { type TarMember, tarScanner } from './tar-scanner.ts';
import { fileBytes } from './tar-sparse.ts';

/** Longest chain of hard links that is followed; tar makes chains of one. */
const CHAIN_LIMIT = 16;

const notFound = (path: string): HoldfastError =>
  new HoldfastError('PathNotFound', `Nothing is called ${path} in this item.`, path);

const dangling = ({ path, target }: IndexedEntry): HoldfastError =>
  new HoldfastError('Damaged', `${path} is a hard link to ${target}, which is not in the archive.`, path);

/** Names outside of the subset that hard links inside point to, each with the first link that does. */
type Outside = Map<string, IndexedEntry>;

async function linksOutside(reader: StoredFileReader, path: string, signal: AbortSignal): Promise<Outside> {
  const wanted = wantedName(path);
  const outside: Outside = new Map();
  let found = false;
  for await (const entry of reader.members(signal, wanted)) {
    found = true;
    const { type, target = '' } = entry;
    if (type === 'hardlink' && !isBelow(target, wanted) && !outside.has(target)) outside.set(target, entry);
  }
  if (!found) throw notFound(path);
  return outside;
}

/** Reads the headers at the beginning of a member's bytes. */
async function readMember(entry: IndexedEntry, headers: Uint8Array): Promise<TarMember> {
  const [member] = tarScanner(entry.path).write(headers);
  if (member !== undefined) return member;
  throw new HoldfastError('Damaged', `The index does not fit the tar at ${entry.path}.`, entry.path);
}

/** How each member of the tar goes into the subset: under its own headers, under others, or not at all. Where a link's
 *  first name lies outside, what it names goes under the name of the first link, and the other links point to that;
 *  `missing` loses the name then. */
function headersIn(wanted: string, outside: Outside, missing: Outside): (member: TarMember) => Uint8Array | null {
  return (member) => {
    const { path, type, target = '' } = member.entry;
    if (!isBelow(path, wanted)) {
      const first = outside.get(path);
      if (first === undefined || type === 'hardlink' || type === 'directory' || !missing.delete(path)) return null;
      return renamedHeaders(member, parseName(first.path));
    }
    const first = type === 'hardlink' ? outside.get(target) : undefined;
    if (first === undefined) return member.headers();
    return first.path === path ? null : relinkedHeaders(member, parseName(path), parseName(first.path));
  };
}

async function bytesOf(reader: StoredFileReader, from: number, to: number, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.range(from, to - from, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Members that are taken as they are and stand side by side are read in one go. */
async function* bySeeking(reader: StoredFileReader, wanted: string, outside: Outside, signal: AbortSignal): Bytes {
  const missing = new Map(outside);
  const headersOf = headersIn(wanted, outside, missing);
  async function* changed(entry: IndexedEntry): Bytes {
    const member = await readMember(entry, await bytesOf(reader, entry.offset, entry.dataOffset, signal));
    const headers = headersOf(member);
    if (headers === null) return;
    yield headers;
    yield* reader.range(entry.dataOffset, entry.end - entry.dataOffset, signal);
  }
  if (missing.size > 0)
    for await (const entry of reader.members(signal)) if (missing.has(entry.path)) yield* changed(entry);
  for (const link of missing.values()) throw dangling(link);
  let run = { from: 0, to: 0 };
  for await (const entry of reader.members(signal, wanted)) {
    const moved = entry.type === 'hardlink' && outside.has(entry.target ?? '');
    if (!moved && entry.offset === run.to) {
      run = { from: run.from, to: entry.end };
      continue;
    }
    yield* reader.range(run.from, run.to - run.from, signal);
    run = moved ? { from: entry.end, to: entry.end } : { from: entry.offset, to: entry.end };
    if (moved) yield* changed(entry);
  }
  yield* reader.range(run.from, run.to - run.from, signal);
}

/** The tar is read from its beginning to its end, and only then is it proved. */
async function* byFiltering(reader: StoredFileReader, wanted: string, outside: Outside, signal: AbortSignal): Bytes {
  const missing = new Map(outside);
  yield* filterMembers(reader.read(signal), wanted, headersIn(wanted, outside, missing));
  for (const link of missing.values()) throw dangling(link);
}

/** A whole tar of the members at or below `path`, which is written as `ls` prints it, with or without a leading slash;
 *  the empty path is all. A hard link whose first name lies outside is written as a file. Where the stored file cannot
 *  be read in part (gpg), it is read whole, twice.
 *  @throws PathNotFound, Damaged */
export async function* tarSubset(reader: StoredFileReader, path: string, signal: AbortSignal): Bytes {
  const wanted = wantedName(path);
  const outside = await linksOutside(reader, path, signal);
  yield* (reader.seekable ? bySeeking : byFiltering)(reader, wanted, outside, signal);
  yield END_BLOCKS;
}

/** The last member of exactly this name: what an extraction leaves. */
async function find(reader: StoredFileReader, path: string, signal: AbortSignal): Promise<IndexedEntry> {
  const wanted = wantedName(path);
  let found: IndexedEntry | null = null;
  for await (const entry of reader.members(signal, wanted)) if (entry.path === wanted) found = entry;
  if (found === null) throw notFound(path);
  return found;
}

/** The bytes of one regular file, through its hard links; holes of a sparse file are zeros. Where the stored file cannot
 *  be read in part (gpg), it is read to its end, since only that proves it.
 *  @throws PathNotFound when there is none of that name or it is no file; Damaged */
export async function* memberBytes(reader: StoredFileReader, path: string, signal: AbortSignal): Bytes {
  let entry = await find(reader, path, signal);
  for (let links = 0; entry.type === 'hardlink'; links++) {
    if (links === CHAIN_LIMIT) throw dangling(entry);
    entry = await find(reader, entry.target ?? '', signal);
  }
  if (entry.type !== 'file') {
    const kind = { directory: 'a folder', link: 'a symbolic link', other: 'no regular file' }[entry.type];
    throw new HoldfastError('PathNotFound', `${path} is ${kind}: only a file has bytes to show.`, path);
  }
  const { offset, dataOffset, end } = entry;
  await using bytes = byteReader(reader.range(offset, end - offset, signal), path);
  const member = await readMember(entry, await bytes.take(dataOffset - offset));
  yield* fileBytes(member, bytes.pieces(end - dataOffset), path);
  await bytes.drain();
}
