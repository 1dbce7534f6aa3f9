/** A snapshot, or a state that a rollback kept, as the file system has it now: recorded or made by hand. */
export interface StoredSnapshot {
  /** The name of its folder. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly kind: 'snapshot' | 'kept-state';
  /** By record, else by the longest declared name before `-`; null when it is nobody's. */
  readonly subvolume: string | null;
  readonly madeAt: Temporal.Instant;
  readonly readOnly: boolean;
  /** What only it holds; null where the file system cannot tell. */
  readonly exclusiveBytes: number | null;
}

/** What stands in the way of a snapshot or a swap, found before the first step. */
export interface SubvolumeState {
  readonly path: string;
  readonly exists: boolean;
  /** Paths of subvolumes inside it, relative to it: a snapshot does not hold them. */
  readonly nested: readonly string[];
  readonly readOnlyPool: boolean;
  /** By the file system's own figures, unallocated space and metadata too. Shares from 0 to 1. */
  readonly freeShare: number;
  readonly freeBytes: number;
}

export interface Difference {
  readonly path: string;
  readonly change: 'added' | 'removed' | 'modified';
  /** Of a file's content; 0 for anything else. */
  readonly bytes: number;
}

/** Instant local copies of the subvolumes of one pool. What every implementation owes (test/contracts/snapshotter.ts):
 *  - a snapshot is there whole or not at all, and read-only;
 *  - `exchange` leaves, at any moment, either the old or the new data whole under the path (where `atomic`, the path never
 *    misses);
 *  - only what is named is touched, never by a pattern; nothing is followed out of the pool.
 *  @throws SnapshotMissing, SubvolumeMissing, NestedSubvolumes, NoSpace, PoolUnusable */
export interface Snapshotter {
  readonly pool: string;
  readonly path: string;
  readonly kind: 'btrfs' | 'reflink' | 'copy';
  /** `instant`: a snapshot takes as long for a large subvolume as for a small one. `atomic`: an exchange has no moment
   *  in which the path is missing. `generations`: a diff does not read both trees. */
  readonly capabilities: { readonly instant: boolean; readonly atomic: boolean; readonly generations: boolean };
  /** Names of subvolumes in the pool's folder, declared or not. */
  subvolumes(signal: AbortSignal): Promise<readonly string[]>;
  examine(subvolume: string, signal: AbortSignal): Promise<SubvolumeState>;
  /** Makes a read-only snapshot of this name in the pool's snapshots folder, which is made when it is missing. */
  snapshot(subvolume: string, name: string, signal: AbortSignal): Promise<StoredSnapshot>;
  /** Snapshots and kept states, newest first. */
  list(signal: AbortSignal): Promise<readonly StoredSnapshot[]>;
  /** Makes a writable copy of a snapshot or kept state at `<pool>/<provisional>`. */
  materialize(snapshot: string, provisional: string, signal: AbortSignal): Promise<void>;
  /** Exchanges two names in the pool's folder. Where `atomic` is false: two renames, journalled by the caller's step. */
  exchange(left: string, right: string, signal: AbortSignal): Promise<void>;
  rename(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Moves nested subvolumes of `from` to the same places in `to`. */
  moveNested(nested: readonly string[], from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Removes a snapshot, kept state or provisional copy; one that is gone is no error. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** What changed from a snapshot to another one, or to the subvolume as it is now. In the order of paths. */
  diff(from: string, to: string | null, signal: AbortSignal): AsyncIterable<Difference>;
}
