/** A snapshot, or a state that a rollback kept, as the file system has it now: recorded or made by hand. */
export interface StoredSnapshot {
  /** The name of its folder. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly kind: 'snapshot' | 'kept-state';
  /** By the longest name, declared or in the pool, before `-`, else by what it was made of where the file system knows
   *  that; null when it is nobody's. A record of it, which the caller has, comes before this. */
  readonly subvolume: string | null;
  /** By its name, which is in local time, else by when the file system made it. */
  readonly madeAt: Temporal.Instant;
  readonly readOnly: boolean;
  /** What only it holds; null where the file system cannot tell. */
  readonly exclusiveBytes: number | null;
}

/** What stands in the way of a snapshot or a swap, found before the first step. */
export interface SubvolumeState {
  readonly path: string;
  readonly exists: boolean;
  /** What is there now, whatever its name becomes: equal before and after a rename or a restart, different after an
   *  exchange. So the undo of a step sees whether the step was taken. Null when nothing is there. */
  readonly identity: string | null;
  /** Paths of subvolumes inside it, relative to it: a snapshot does not hold them. */
  readonly nested: readonly string[];
  readonly readOnlyPool: boolean;
}

/** By the file system's own figures, unallocated space and metadata too. */
export interface Room {
  /** From 0 to 1. */
  readonly freeShare: number;
  readonly freeBytes: number;
}

export interface Difference {
  /** Relative to the subvolume, printed as domain/tree-name.ts says. */
  readonly path: string;
  /** What was renamed is removed and added, with all that is in it. A folder is modified when its owner or mode is. */
  readonly change: 'added' | 'removed' | 'modified';
  /** Size of a file's content as it was for a removed one, as it is now for another; 0 for anything else. */
  readonly bytes: number;
}

/** Local copies of the subvolumes of one pool. What every implementation owes (test/contracts/snapshotter.ts):
 *  - a snapshot is there whole or not at all, and read-only where the file system knows such a thing (`readOnly`);
 *  - `exchange` leaves, at any moment, either the old or the new data whole under the path;
 *  - only what is named is touched, never by a pattern; a symbolic link is neither a subvolume nor a snapshot, and nothing
 *    is followed out of the pool;
 *  - a name is one folder's, without a path in it.
 *  @throws Usage for such a name; SnapshotMissing, SubvolumeMissing, TargetExists, NestedSubvolumes, NoSpace, PoolUnusable */
export interface Snapshotter {
  readonly pool: string;
  /** Of the pool, with no symbolic link in it. */
  readonly path: string;
  /** The folder in which `snapshot` makes them; it may not exist yet. */
  readonly snapshotsPath: string;
  readonly kind: 'btrfs' | 'reflink' | 'copy';
  /** `instant`: a snapshot takes as long for a large subvolume as for a small one. `whole`: one
   *  can be made of the pool's own folder. `atomic`: `exchange` can be had.
   *  `generations`: a diff does not read both trees. `readOnly`: snapshots cannot be written to. */
  readonly capabilities: {
    readonly instant: boolean;
    readonly whole: boolean;
    readonly atomic: boolean;
    readonly generations: boolean;
    readonly readOnly: boolean;
  };
  /** Names of subvolumes in the pool's folder, declared or not: without kept states and provisional copies. */
  subvolumes(signal: AbortSignal): Promise<readonly string[]>;
  /** Of any name in the pool's folder, also a kept state or a provisional copy; null: of the pool's folder itself.
   *  @throws Unsupported for null where `whole` is false */
  examine(name: string | null, signal: AbortSignal): Promise<SubvolumeState>;
  /** Whether anything has this name in the pool's folder. */
  holds(name: string, signal: AbortSignal): Promise<boolean>;
  /** Asked when something is made that needs it: a rollback takes no more than it leaves. */
  room(signal: AbortSignal): Promise<Room>;
  /** Makes a read-only snapshot of this name in the pool's snapshots folder, which is made when it is missing.
   *  @param subvolume null: of the pool's folder itself, without the subvolumes in it
   *  @throws Unsupported for null where `whole` is false */
  snapshot(subvolume: string | null, name: string, signal: AbortSignal): Promise<StoredSnapshot>;
  /** Snapshots and kept states, newest first. */
  list(signal: AbortSignal): Promise<readonly StoredSnapshot[]>;
  /** As {@link list} has it, but for its size, which is not asked for; null when there is none. */
  find(name: string, signal: AbortSignal): Promise<StoredSnapshot | null>;
  /** Makes a writable copy of a snapshot or kept state at `<pool>/<provisional>`. The name begins with `PROVISIONAL` of
   *  domain/pool-names.ts: only then can `remove` take the copy away again. */
  materialize(snapshot: string, provisional: string, signal: AbortSignal): Promise<void>;
  /** Exchanges two names in the pool's folder: neither ever misses, and it is durable.
   *  @throws Unsupported where `atomic` is false: the caller then renames twice, each time as a step of its journal */
  exchange(left: string, right: string, signal: AbortSignal): Promise<void>;
  /** Of two names in the pool's folder; nothing has the new one yet. Durable. */
  rename(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Moves nested subvolumes of `from` to the same places in `to`; what is there already, and no more in `from`, was
   *  moved before. */
  moveNested(nested: readonly string[], from: string, to: string, signal: AbortSignal): Promise<void>;
  /** Removes a snapshot, kept state or provisional copy, never a subvolume; one that is gone is no error. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** What changed from a snapshot or kept state to another one, or to the subvolume it is of as it is now. In the order
   *  of paths. @param subvolume compared with as it is now, when `to` is null; by the snapshot's name when left out */
  diff(from: string, to: string | null, signal: AbortSignal, subvolume?: string): AsyncIterable<Difference>;
}

/** Where a path can be read from a snapshot. */
export interface SnapshotPlace {
  readonly pool: string;
  /** What the snapshot is made of: a subvolume of the pool, or null for the pool's own folder. */
  readonly subvolume: string | null;
  /** The path below it; empty for itself. */
  readonly inside: string;
}
