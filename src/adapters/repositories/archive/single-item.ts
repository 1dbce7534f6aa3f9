import { createHash } from 'node:crypto';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Item } from '../../../domain/manifest.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { IndexedEntry, StoredFileReader } from '../../../streams/stored-file.ts';
import { END_BLOCKS } from '../../../streams/tar-rewrite.ts';

const sourceFolder = (source: string): string => `backup/${source}`;

/** The members of an archive that are one item's. */
function belongs({ source, roots, member }: Item): (entry: IndexedEntry) => boolean {
  const folder = sourceFolder(source);
  if (roots !== undefined) return ({ path }) => path === folder || path.startsWith(`${folder}/`);
  return ({ path, type }) => type === 'file' && path === member;
}

/** One item of a `single` archive, as if it had a file of its own: its bytes are the dump, or a tar of the item alone.
 *  Takes over the archive's reader. */
export function itemReader(archive: StoredFileReader, item: Item, location: string): StoredFileReader {
  const wanted = belongs(item);
  const damaged = (why: string): HoldfastError =>
    new HoldfastError('Damaged', `${item.name} of ${location} ${why}.`, location);

  async function* members(signal: AbortSignal, below = ''): AsyncGenerator<IndexedEntry> {
    const inside = below === '' ? sourceFolder(item.source) : below;
    for await (const entry of archive.members(signal, inside)) if (wanted(entry)) yield entry;
  }

  /** Where the item lies in the archive: an item's members follow each other. */
  async function extent(signal: AbortSignal): Promise<{ readonly offset: number; readonly end: number }> {
    let begin: number | null = null;
    let end = 0;
    for await (const entry of members(signal)) {
      if (item.roots === undefined) return { offset: entry.dataOffset, end: entry.dataOffset + entry.size };
      if (begin !== null && entry.offset !== end) throw damaged('does not lie in one piece');
      begin ??= entry.offset;
      end = entry.end;
    }
    if (begin === null) throw damaged('is not in its archive');
    return { offset: begin, end };
  }

  async function* read(signal: AbortSignal): Bytes {
    const { offset, end } = await extent(signal);
    const hash = createHash('sha256');
    let size = 0;
    const pass = (chunk: Uint8Array): Uint8Array => {
      hash.update(chunk);
      size += chunk.length;
      return chunk;
    };
    if (end > offset) for await (const chunk of archive.range(offset, end - offset, signal)) yield pass(chunk);
    if (item.roots !== undefined) yield pass(END_BLOCKS);
    if (size !== item.size) throw damaged(`has ${size} bytes, ${item.size} were stored`);
    if (item.originalSha256 !== null && hash.digest('hex') !== item.originalSha256)
      throw damaged('is not what was stored');
  }

  return {
    seekable: archive.seekable,
    read,
    range: archive.range.bind(archive),
    members,
    [Symbol.asyncDispose]: () => archive[Symbol.asyncDispose](),
  };
}
