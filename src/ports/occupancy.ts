/** A process that stands in a folder: it has something there open, mapped, or as its working folder or root. */
export interface Occupant {
  readonly pid: number;
  readonly name: string;
}

/** A mount of this machine that shows a folder, or something inside it, at another place. */
export interface OwnMount {
  readonly point: string;
  /** Which part of the folder it shows, relative to it; empty for all of it. */
  readonly inside: string;
  /** `ro`, `noatime` and the like. */
  readonly options: readonly string[];
}

/** A mount of the folder that only a container or the like sees, and that does not follow this machine's. */
export interface ForeignMount {
  readonly point: string;
  /** The processes that see it. */
  readonly occupants: readonly Occupant[];
}

/** Who and what would stay on the old data if a folder were exchanged now. */
export interface Occupancy {
  readonly occupants: readonly Occupant[];
  readonly own: readonly OwnMount[];
  readonly foreign: readonly ForeignMount[];
  /** Other file systems that are mounted inside the folder: they would go with the old data. */
  readonly inner: readonly string[];
}

/** The mounts and processes of this machine. What every implementation owes (test/guard/occupancy.test.ts):
 *  - a folder is known by its place in its file system, not by a path: a bind mount, a `subvol=` mount and a container's
 *    view of it count;
 *  - without root only what this account may see is told. */
export interface MountTable {
  /** @param path absolute, of a folder that is there */
  occupancy(path: string, signal: AbortSignal): Promise<Occupancy>;
  /** Makes `point` show the folder at `path` as it is now. Nothing happens when it does already; a mount of the same
   *  file system that shows something else is taken away first. @throws TargetBusy when that one is in use */
  show(
    mount: { readonly point: string; readonly path: string; readonly options: readonly string[] },
    signal: AbortSignal,
  ): Promise<void>;
  /** Takes away the topmost mount at `point`. @throws TargetBusy when it is in use */
  hide(point: string, signal: AbortSignal): Promise<void>;
}
