import type { ErrorCode } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import type { Evidence, Hold, PointReference, RecoveryPoint, UnreadablePoint } from '../domain/recovery-point.ts';
import type { Bytes } from './bytes.ts';
import type { CapturedStream, CapturedTree } from './source.ts';

/** What is known of a point before its first byte. */
export interface PointHeader {
  readonly id: string;
  readonly service: string;
  readonly plan: string | null;
  readonly type: 'regular' | 'safety';
  readonly origin: string;
  readonly timestamp: Temporal.Instant;
  /** IANA name in which a `single` archive's name is written. */
  readonly timezone: string;
}

/** An item as it was stored: the fields of the manifest that only the repository knows. */
export type StoredItem = Pick<
  Manifest['items'][number],
  | 'file'
  | 'member'
  | 'size'
  | 'originalSize'
  | 'sha256'
  | 'originalSha256'
  | 'compression'
  | 'encryption'
  | 'storedWith'
  | 'index'
  | 'roots'
>;

/** One point being written. Hold it with `await using`: leaving the block without `commit` removes what was written. */
export interface Draft extends AsyncDisposable {
  /** Mode 0700, on the repository's file system, removed with the draft: for copies that need their size first. */
  readonly workspace: string;
  /** Makes ready what storing needs, so that nothing waits for it once units are down. */
  warm(): Promise<void>;
  /** Stores the item to its end and syncs. When its producer throws, so does this, and nothing of the item stays. */
  putStream(item: CapturedStream, signal: AbortSignal): Promise<StoredItem>;
  putTree(item: CapturedTree, signal: AbortSignal): Promise<StoredItem>;
  /** The item of an earlier point again, without reading or writing its bytes; null when that is not possible. */
  reuse(item: string, from: PointReference, signal: AbortSignal): Promise<StoredItem | null>;
  /** Copies an item's bytes from another repository. */
  putCopy(item: Manifest['items'][number], bytes: Bytes, signal: AbortSignal): Promise<StoredItem>;
  /** Writes the hold, when there is one, then the manifest, last of all, and makes the point visible. Refuses when a
   *  put failed whose item the manifest does not have as failed. */
  commit(manifest: Manifest, hold: Hold | null, signal: AbortSignal): Promise<RecoveryPoint>;
  /** No signal: it must work after an abort too, and sets its own limit. */
  [Symbol.asyncDispose](): Promise<void>;
}

export type ReportName = 'verification-report' | 'dr-drill-report';

/** What a stored report says besides its own fields: the point's evidence once this check was counted, and since when.
 *  The catalog is rebuilt from it. `evidenceAt`: ISO 8601. */
export interface ReportFields {
  /** Its id: a report that was copied beside another point proves nothing of that one. */
  readonly point: string;
  readonly evidence: Evidence;
  readonly evidenceAt: string;
}

export interface Listing {
  /** Every point that is there, also the known ones: `location` of each. */
  readonly locations: ReadonlySet<string>;
  /** Those that were not known, newest first. */
  readonly points: readonly RecoveryPoint[];
  readonly unreadable: readonly UnreadablePoint[];
}

export interface ListQuery {
  readonly service?: string;
  /** Locations whose manifests need not be read again. */
  readonly known?: ReadonlySet<string>;
}

/** A member of a tree item. `path` is bytes as `latin1`-free text: what is not UTF-8 is `\xHH`, a backslash `\\`. */
export interface TreeEntry {
  readonly path: string;
  /** The name's bytes, when `path` had to escape some. */
  readonly bytes?: Uint8Array;
  readonly type: 'file' | 'directory' | 'link' | 'hardlink' | 'other';
  /** Apparent size of a file, 0 for anything else. */
  readonly size: number;
  readonly mode: number;
  /** Seconds since 1970, with fractions. */
  readonly mtime: number;
  readonly uid: number;
  readonly gid: number;
  /** Where a symbolic or hard link points. */
  readonly target?: string;
}

export interface Problem {
  readonly subject: string;
  readonly detail: string;
  /** Where an error said it. */
  readonly code?: ErrorCode;
}

export type LockMode = 'shared' | 'exclusive';
/** What a lock is about: the whole repository, one service's writers, or one point's readers. */
export type LockScope =
  | { readonly kind: 'repository' }
  | { readonly kind: 'service'; readonly service: string }
  | { readonly kind: 'point'; readonly id: string };

/** A lock that is held. `confirm` looks whether it still is, and throws RepositoryLocked when it was taken over. */
export interface Lock extends AsyncDisposable {
  confirm(signal: AbortSignal): Promise<void>;
}

/** Where recovery points are kept. What every implementation owes (test/contracts/repository.ts proves it):
 *  - nothing of a point is visible before `commit` resolves; then all of it is, also after a power cut;
 *  - bytes that are read are compared with the recorded hashes, and the iteration throws Damaged when they differ;
 *  - a call whose signal is aborted changes nothing more and rejects with the signal's reason.
 *  @throws RepositoryNotFound, RepositoryLocked, WrongPassword; Unsupported for what an engine lacks */
export interface Repository {
  readonly name: string;
  readonly engine: string;
  /** `reuse`: an unchanged item costs no bytes. `partial`: `--path` and `cat` do not read the whole item. `local`: the
   *  folder on this machine that must not be inside a source, else null. `adopt`: foreign points may be pruned by age. `gathers`:
   *  items lie plainly on its disk, beside what they become, until the point is committed. */
  readonly capabilities: {
    readonly reuse: boolean;
    readonly partial: boolean;
    readonly local: string | null;
    readonly adopt: boolean;
    readonly gathers: boolean;
  };

  /** Creates an empty repository and proves that its key opens what it seals. Refuses one that exists. */
  initialize(signal: AbortSignal): Promise<{ readonly id: string }>;
  /** Opens a draft under a provisional name. Waits up to `lockWaitMs` for the service's writer lock, which the draft holds. */
  begin(header: PointHeader, lockWaitMs: number, signal: AbortSignal): Promise<Draft>;
  /** Read from the repository itself. An unreadable manifest is a row: not hidden, and hiding no other. */
  list(query: ListQuery, signal: AbortSignal): Promise<Listing>;
  /** The point read again from the repository. @throws PointNotFound */
  find(point: PointReference, signal: AbortSignal): Promise<RecoveryPoint>;

  /** The plain bytes of an item: a dump, or a tar. Both hashes are compared at the end. */
  open(point: RecoveryPoint, item: string, signal: AbortSignal): Bytes;
  /** Members of a tree item in the order of the tar. */
  entries(point: RecoveryPoint, item: string, signal: AbortSignal): AsyncIterable<TreeEntry>;
  /** A tar of the members at or below `path` only; a hard link whose first name lies outside is written as a file.
   *  `path` as `ls` prints it, with or without a leading slash. @throws PathNotFound */
  openTree(point: RecoveryPoint, item: string, path: string, signal: AbortSignal): Bytes;
  /** The bytes of one regular file. @throws PathNotFound */
  openFile(point: RecoveryPoint, item: string, path: string, signal: AbortSignal): Bytes;

  /** Reads what is stored of a point and is no item's own: the archive around the items of a `single` point, indexes.
   *  A problem for each that is not as it was recorded. */
  checkRest(point: RecoveryPoint, signal: AbortSignal): Promise<readonly Problem[]>;

  hold(point: PointReference, hold: Hold, signal: AbortSignal): Promise<void>;
  release(point: PointReference, signal: AbortSignal): Promise<void>;
  /** Stores `<name>.txt` and `<name>.json` beside the point, each replacing an older one at once; the JSON last. */
  writeReport(
    point: PointReference,
    name: ReportName,
    text: string,
    json: object & ReportFields,
    signal: AbortSignal,
  ): Promise<void>;
  /** Removes this point and nothing else; it must be held off by no lock. One that is gone is no error. */
  remove(point: PointReference, signal: AbortSignal): Promise<void>;

  /** Takes a lock or, after `waitMs`, throws RepositoryLocked naming the holder. */
  lock(scope: LockScope, mode: LockMode, waitMs: number, signal: AbortSignal): Promise<Lock>;
  /** Removes stale locks and drafts that no running process owns; says what it removed. */
  unlock(options: { readonly force: boolean }, signal: AbortSignal): Promise<readonly string[]>;
  /** Marker, key, modes, names, sizes: all that can be told without reading the items' bytes. */
  check(signal: AbortSignal): Promise<readonly Problem[]>;
}
