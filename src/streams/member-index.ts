import { parseName, printName } from '../domain/tree-name.ts';
import { isBelow, trimSlashes } from '../domain/tree-path.ts';
import { compressBlock, decompressBlock } from './codec.ts';
import { INDEX_MAGIC, skippableContent, skippableFrame } from './skippable.ts';
import type { IndexedEntry } from './stored-file.ts';

/** The index of a tar's members: lines of JSON, one a member, gathered into blocks; a block is one zstd frame inside a
 *  skippable frame. A line begins with the member's printed name, so that one is found without parsing the others. */

/** Plain bytes of a block, and the most that one has: it ends with the line that fills it. */
const BLOCK_SIZE = 256 * 1024;
const BLOCK_LIMIT = 64 * 1024 ** 2;

const LETTERS = { file: 'f', directory: 'd', link: 'l', hardlink: 'h', other: 'o' } as const;
const TYPES = Object.fromEntries(Object.entries(LETTERS).map(([type, letter]) => [letter, type])) as Readonly<
  Record<string, IndexedEntry['type']>
>;

function formatLine({
  path,
  type,
  size,
  mode,
  mtime,
  uid,
  gid,
  offset,
  dataOffset,
  end,
  target,
}: IndexedEntry): string {
  const fields = [path, LETTERS[type], size, mode, mtime, uid, gid, offset, dataOffset - offset, end - dataOffset];
  return `${JSON.stringify(target === undefined ? fields : [...fields, target])}\n`;
}

function parseLine(line: string): IndexedEntry {
  const [path, letter, size, mode, mtime, uid, gid, offset, header, data, target] = JSON.parse(line);
  return {
    path,
    ...(path.includes('\\') ? { bytes: parseName(path) } : {}),
    type: TYPES[letter] ?? 'other',
    size,
    mode,
    mtime,
    uid,
    gid,
    offset,
    dataOffset: offset + header,
    end: offset + header + data,
    ...(target === undefined ? {} : { target }),
  };
}

/** Gathers members and gives them out as frames. */
export interface IndexWriter {
  add(entry: IndexedEntry): void;
  /** The frames that are full; with `all` the begun one too. */
  frames(all: boolean): readonly Uint8Array[];
}

export function indexWriter(): IndexWriter {
  // Bytes and not strings: lines that wait on V8's heap grow old there, and it lets some 50 MB of such come together.
  let block = Buffer.allocUnsafeSlow(BLOCK_SIZE);
  let length = 0;
  let full: Uint8Array[] = [];
  function close(): void {
    if (length === 0) return;
    full.push(skippableFrame(INDEX_MAGIC, compressBlock(block.subarray(0, length))));
    length = 0;
  }
  return {
    add(entry) {
      const line = formatLine(entry);
      const longest = length + 3 * line.length; // in UTF-8
      if (longest > block.length) {
        const longer = Buffer.allocUnsafeSlow(Math.max(longest, block.length + BLOCK_SIZE));
        block.copy(longer, 0, 0, length);
        block = longer;
      }
      length += block.write(line, length);
      if (length >= BLOCK_SIZE) close();
    },
    frames(all) {
      if (all) close();
      const frames = full;
      full = [];
      return frames;
    },
  };
}

/** The plain bytes of an index frame; null when it is none or is damaged. */
export function indexBlock(frame: Uint8Array): Uint8Array | null {
  const content = skippableContent(frame, INDEX_MAGIC);
  return content === null ? null : decompressBlock(content, BLOCK_LIMIT);
}

/** A path as a user types it in the form that the index has. */
export const wantedName = (path: string): string =>
  trimSlashes(printName(parseName(path))).replace(/^(\.\/+)+|^\.$/, '');

/** The members of a block, or only those at or below `below` ({@link wantedName}); the empty name is all of them. */
export function* entriesOfBlock(block: Uint8Array, below: string): Generator<IndexedEntry> {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  if (below === '') {
    for (const line of bytes.toString().split('\n')) if (line !== '') yield parseLine(line);
    return;
  }
  const beginning = `["${JSON.stringify(below).slice(1, -1)}`;
  for (let at = 0; ; ) {
    const found = bytes.indexOf(beginning, at);
    if (found < 0) return;
    const end = bytes.indexOf('\n', found);
    at = end + 1;
    if (found > 0 && bytes[found - 1] !== 0x0a) continue; // inside of another line
    const entry = parseLine(bytes.toString('utf8', found, end));
    if (isBelow(entry.path, below)) yield entry;
  }
}
