import type { Item, Manifest } from '../../../domain/manifest.ts';
import type { Hold, PointReference, RecoveryPoint } from '../../../domain/recovery-point.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Listing, ListQuery, PointHeader, Problem, StoredItem } from '../../../ports/repository.ts';
import type { CapturedStream, CapturedTree } from '../../../ports/source.ts';
import type { StoredFileReader } from '../../../streams/stored-file.ts';
import type { Leftover } from './lock-content.ts';
import type { RecordedFile } from './rest.ts';

export interface Promoted {
  readonly location: string;
  readonly manifest: Manifest;
}

/** Where the items of one draft go, and how they become a point. Whoever calls sees to locks and to what may be
 *  committed. */
export interface DraftStore {
  readonly workspace: string;
  putStream(item: CapturedStream, signal: AbortSignal): Promise<StoredItem>;
  putTree(item: CapturedTree, signal: AbortSignal): Promise<StoredItem>;
  putCopy(item: Item, bytes: Bytes, signal: AbortSignal): Promise<StoredItem>;
  reuse(item: string, from: PointReference, signal: AbortSignal): Promise<StoredItem | null>;
  /** Takes out an item that was stored, since the point will not have it. */
  drop(item: string, stored: StoredItem): Promise<void>;
  /** Makes the point visible, whole and durable, or throws and leaves nothing visible. `confirm` is called right
   *  before the step that does. The answer is where the point is, and its manifest as it stands there. */
  promote(manifest: Manifest, hold: Hold | null, confirm: () => Promise<void>): Promise<Promoted>;
}

/** How points lie in the repository's folder. Paths are absolute, folders of drafts relative to the repository. */
export interface Layout {
  /** Whether an item can be stored again without its bytes. */
  readonly reuse: boolean;
  /** Whether a draft holds its items plainly until it is promoted. */
  readonly gathers: boolean;
  /** Where a draft of this service is written; unique by the lock's token. */
  draftFolder(service: string, token: string): string;
  /** Creates the draft's folder. */
  openDraft(header: PointHeader, folder: string): Promise<DraftStore>;
  list(query: ListQuery, signal: AbortSignal): Promise<Listing>;
  /** Null when nothing is at the location. @throws Damaged when it cannot be read as a point */
  read(reference: Pick<PointReference, 'service' | 'location'>): Promise<RecoveryPoint | null>;
  /** The newest point of a service whose manifest can be read. */
  newest(service: string): Promise<RecoveryPoint | null>;
  /** A point of this id among those of the second it was made in. */
  twin(header: PointHeader): Promise<RecoveryPoint | null>;
  /** An item opened for reading. Its members are the item's only. @throws ItemNotFound, WrongPassword */
  reader(point: RecoveryPoint, item: string, signal: AbortSignal): Promise<StoredFileReader>;
  /** What is stored of a point and is no item's own file. */
  rest(point: RecoveryPoint): readonly RecordedFile[];
  /** The path of a file beside a point: a hold, a report. */
  beside(location: string, name: string): string;
  /** What to record before a point is removed: where it is put out of sight. Unique by the lock's token. */
  removal(reference: PointReference, token: string): Leftover & { readonly kind: 'removal' };
  remove(removal: Leftover & { readonly kind: 'removal' }): Promise<void>;
  /** Ends what a dead process had begun: a draft is taken away, a removal that had begun is finished. */
  finish(leftover: Leftover): Promise<void>;
  check(signal: AbortSignal): Promise<readonly Problem[]>;
}

/** Runs `work` for each, at most 32 at once: as many small reads as keep a disk busy. */
export async function forEachOf<T, R>(
  all: readonly T[],
  signal: AbortSignal,
  work: (one: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let begin = 0; begin < all.length; begin += 32) {
    signal.throwIfAborted();
    results.push(...(await Promise.all(all.slice(begin, begin + 32).map(work))));
  }
  return results;
}
