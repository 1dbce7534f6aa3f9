import type { Item } from '../domain/manifest.ts';
import type { Compression, Sealing } from '../domain/storage.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Host } from '../ports/host.ts';
import type { TreeEntry } from '../ports/repository.ts';

export interface StoreOptions {
  readonly compression: Compression;
  readonly sealing: Sealing | null;
  /** True for a tar: its members are indexed as they pass. */
  readonly tar: boolean;
  /** False where the parts of the plain stream have hashes of their own, and nobody compares that of the whole. */
  readonly hashPlain?: boolean;
  /** Called with the plain bytes that have passed so far. */
  readonly onAdvance?: (plainBytes: number) => void;
  /** Runs `gpg`: `Host.read` of the machine that has it and its key ring. Needed for gpg only. */
  readonly read?: Host['read'];
}

/** What was written. Sizes in bytes, hashes in lower-case hex. */
export interface StoredFile {
  readonly size: number;
  readonly sha256: string;
  readonly originalSize: number;
  /** Null when it was not wanted. */
  readonly originalSha256: string | null;
  /** The index beside the file (`<file>.index`, sealed like it): gzip and plain files of tars have one. */
  readonly index: NonNullable<Item['index']> | null;
}

export interface OpenOptions {
  readonly compression: Compression['format'];
  readonly sealing: Sealing | null;
  readonly tar: boolean;
  /** What the manifest recorded: compared when the whole file is read. Null for a file that was never recorded. */
  readonly expected: (Pick<StoredFile, 'size' | 'sha256' | 'originalSize'> & { originalSha256: string }) | null;
  /** As in {@link StoreOptions}. */
  readonly read?: Host['read'];
}

/** A member with its place in the plain stream, in bytes: `offset` is where its first header (pax headers included)
 *  begins, `dataOffset` where its data begin, `end` where the next member begins. */
export interface IndexedEntry extends TreeEntry {
  readonly offset: number;
  readonly dataOffset: number;
  readonly end: number;
}

/** A stored file opened for reading. Hold it with `await using`. */
export interface StoredFileReader extends AsyncDisposable {
  /** True when a range costs about its own bytes: false for gpg. */
  readonly seekable: boolean;
  /** The whole plain stream. Throws Damaged at its end, or earlier, when a frame, a tag, a size or a hash is wrong. */
  read(signal: AbortSignal): Bytes;
  /** `length` plain bytes from `offset`, reading only the frames they lie in. */
  range(offset: number, length: number, signal: AbortSignal): Bytes;
  /** From the index; where it is missing or damaged, from the tar itself. In the order of the tar. With `below` only the
   *  member of that name and what lies in it, which is much faster than to look at all. */
  members(signal: AbortSignal, below?: string): AsyncIterable<IndexedEntry>;
}
