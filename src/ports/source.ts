import type { Facts } from '../domain/facts.ts';
import type { Root, Tool } from '../domain/manifest.ts';
import type { Secret } from '../domain/secret.ts';
import type { SecretSetting } from '../domain/settings.ts';
import type { Bytes } from './bytes.ts';
import type { Host } from './host.ts';

/** What is known of an item once its bytes have passed. */
export interface Captured {
  readonly facts: Facts;
  /** What changed or vanished while it was read, sockets, names left out: the item is still `passed`. At most 100
   *  lines, the last one saying how many more there were. */
  readonly warnings: readonly string[];
  /** Names that could not be read: the item is stored without them and is `partial`. At most 100, as above. */
  readonly unreadable: readonly string[];
}

interface CapturedItem {
  /** Unique in the point, `[A-Za-z0-9._%-]`: `files_data`, `sqlite_notes`. */
  readonly name: string;
  /** The source it was captured from: the folder of a `single` archive that holds it. */
  readonly source: string;
  readonly kind: string;
  readonly tool: Tool | null;
  /** What is expected to come, for progress and for the free space check; null when it cannot be told. */
  readonly estimatedBytes: number | null;
  /** Valid once the bytes were read to their end; before that it throws. */
  completed(): Captured;
}

/** One stream of bytes: a dump. */
export interface CapturedStream extends CapturedItem {
  readonly type: 'stream';
  /** The name of the stored file before compression and sealing add theirs: `postgres_authelia.dump`. */
  readonly file: string;
  /** True when the tool compresses by itself, so that the repository does not. */
  readonly compressed: boolean;
  bytes(signal: AbortSignal): Bytes;
}

/** How the members of a tar are named. `absolute`: the path without its leading slash. `prefixed`: `prefix` (which ends
 *  with a slash) before the path below the root when there is one root, before the absolute path when there are several. */
export type TreeNaming = { readonly style: 'absolute' } | { readonly style: 'prefixed'; readonly prefix: string };

/** Folders and files. An engine that stores tar reads `tar`; one that reads folders itself uses `paths`. */
export interface CapturedTree extends CapturedItem {
  readonly type: 'tree';
  readonly exclude: readonly string[];
  /** Equal for two captures of the same names, sizes, times and inode numbers; null where it cannot be told. */
  readonly fingerprint: string | null;
  /** Where each root stands in a tar of this naming. */
  roots(naming: TreeNaming): readonly Root[];
  /** A POSIX (pax) tar, ending with its two zero blocks. */
  tar(naming: TreeNaming, signal: AbortSignal): Bytes;
}

/** One consistent capture. Hold it with `await using`: disposing removes what it made (a copy, a snapshot). */
export interface Capture extends AsyncDisposable {
  readonly items: readonly (CapturedStream | CapturedTree)[];
}

/** A path that is read from a snapshot of it. */
export interface PathSnapshot {
  /** As {@link Source.snapshotRoots} has it. */
  readonly path: string;
  /** Where the snapshot has it; absolute. */
  readonly at: string;
  /** Whether inode numbers and times of change are there those of the path. Where not, the path itself tells them, and
   *  must not change until the capture is open. */
  readonly identical: boolean;
}

export interface CaptureContext {
  /** A folder of mode 0700 that is removed after the capture. */
  readonly workspace: string;
  /** Paths that are never captured: the repositories, the state folder, staging. Left out with a warning. */
  readonly forbidden: readonly string[];
  /** True when the source's units are down or what is read is an atomic snapshot: databases in trees hold still. */
  readonly quiescent: boolean;
  /** Of all paths of the source, or of none; none when left out. Names, facts and fingerprints are as without them. */
  readonly snapshots?: readonly PathSnapshot[];
}

/** Something that a restore in place exchanges by rename: `path` is replaced by what the point has as `stored`. */
export interface InPlacePath {
  readonly path: string;
  readonly stored: string;
  /** Paths that belong to the old state and are moved aside with it: `-wal`, `-shm`, `-journal`. */
  readonly companions: readonly string[];
  /** True when no process may hold the path while it is exchanged. */
  readonly exclusive: boolean;
  /** True for a volume: while a running container has it mounted the folder stays, and what is in it is exchanged. False
   *  when left out. */
  readonly stays?: boolean;
  /** Makes what `path` lies in where it is gone, a volume: nothing that holds something is touched. None when left out. */
  readonly prepare?: ((signal: AbortSignal) => Promise<void>) | null;
  /** Left out where it is no server's. */
  readonly server?: ServerFiles;
}

/** What a server reads when it starts, so that it must be down while it is exchanged: by a declared unit. */
export interface ServerFiles {
  /** For people: `Redis`. */
  readonly name: string;
  /** Paths that its process has open, or works in, beside the one that is exchanged: so it is seen to run. */
  readonly heldAt: readonly string[];
  /** Makes at `target`, where nothing is, what takes the place: of the dumps of the source that are restored, by what the
   *  point has them as. Null where the dump itself does. @throws Damaged when it did not become the same */
  readonly build: ((dumps: ReadonlyMap<string, string>, target: string, signal: AbortSignal) => Promise<void>) | null;
}

/** What a source is given beside its settings. */
export interface SourceTools {
  /** Read at the first call. `purpose` stands in the error: `password of source db`. @throws SecretMissing */
  secret(setting: SecretSetting, purpose: string): Promise<Secret>;
  /** A container of the service's host, as a host. @throws ToolMissing without an engine, Unsupported */
  container(name: string): Promise<Host>;
  /** Settings of this kind's sources that the configuration has for the same host, this one's among them; left out where
   *  none is told. */
  readonly kin?: readonly unknown[];
  /** Variables by which the client of a container engine finds it, as DOCKER_HOST; empty for most. */
  readonly engineEnvironment: Readonly<Record<string, string>>;
}

/** Where a server is reached from its host, by which the unit is found that it runs in. `sockets`: it listens at one of
 *  them. */
export type ServerAddress =
  | { readonly container: string }
  | { readonly sockets: readonly string[] }
  | { readonly host: string; readonly port: number };

/** How items go back into a server that runs. Names of databases are the server's own, whatever characters they have. */
export interface Databases {
  /** The server goes on while units of the service are stopped. */
  readonly server: ServerAddress;
  /** True where the server gives no database another name: {@link swapIn} copies both, and takes as long as that. Left out
   *  where it renames. */
  readonly copies?: true;
  /** The database that an item belongs into; null for an item that is none: roles, the configuration of a directory. */
  databaseOf(item: string): string | null;
  exists(database: string, signal: AbortSignal): Promise<boolean>;
  /** Makes a database and fills it with an item, whose bytes can be had more than once. What a failure or an abort leaves
   *  of it is for {@link drop}.
   *  @returns what was left out, for people: owners and grants of roles that are missing
   *  @throws TargetExists when there is one of that name; what `bytes` throws */
  fill(database: string, bytes: () => Bytes, signal: AbortSignal): Promise<readonly string[]>;
  /** Applies an item that is no database. What is there already stays as it is. @returns what was left out */
  apply(bytes: () => Bytes, signal: AbortSignal): Promise<readonly string[]>;
  /** Counts as the capture does. */
  facts(database: string, signal: AbortSignal): Promise<Facts>;
  /** Looks whether {@link swapIn} would be let do its work on these databases, which are there, before anything is made.
   *  @throws Refused, naming what this account lacks */
  confirmExchange(databases: readonly string[], signal: AbortSignal): Promise<void>;
  /** Gives `database` the name `kept` and `staged` the name `database`; talks with both are ended, and none begins in
   *  between, or where a server cannot end them, whoever may not administer it finds `database` closed. Whatever part of it
   *  was done before: repeated, it ends the same. A missing `database` is no error. */
  swapIn(database: string, staged: string, kept: string, signal: AbortSignal): Promise<void>;
  /** Takes {@link swapIn} back, as much of it as was done. */
  swapBack(database: string, staged: string, kept: string, signal: AbortSignal): Promise<void>;
  /** Removes a database that a restore made; none of that name is no error. */
  drop(database: string, signal: AbortSignal): Promise<void>;
  /** Makes a database that {@link swapIn} had set aside, or a copy of one, ready to be `staged` itself. Before it is
   *  journalled, since it is not taken back: the database stays what it was, and may be readied again. */
  readyAgain(database: string, signal: AbortSignal): Promise<void>;
  /** Removes a database that {@link swapIn} had set aside; none of that name is no error.
   *  @throws TargetBusy while somebody talks with it */
  discard(kept: string, signal: AbortSignal): Promise<void>;
}

/** A path that snapshots can be made of. */
export interface SnapshotRoot {
  readonly path: string;
  readonly folder: boolean;
  /** True for a volume: containers have it mounted, so that it cannot be put in the place of another by a rename. False
   *  when left out. */
  readonly stays?: boolean;
}

/** A server on which a drill may make databases of its own, because the configuration names it for that. */
export interface DrillServer {
  /** Those that it fills are closed to everybody who may read what was dumped. */
  readonly databases: Databases;
  /** What restores. @throws what keeps it from being asked */
  tool(signal: AbortSignal): Promise<Tool>;
}

/** One value of a database, as it is printed where it is no number. */
export type Cell = string | number | bigint | null;

/** One thing to capture for a service. What every implementation owes (test/contracts/source.ts proves it):
 *  - what is not there is SourceMissing, never an empty item;
 *  - the bytes of an item throw at their end when the producer failed, however much was read;
 *  - after disposal nothing of the capture is left on the host, also when it was aborted;
 *  - facts are exact for the bytes that were read. */
export interface Source {
  readonly name: string;
  readonly kind: string;
  /** `inPlace`: {@link Source.placements} answers, or {@link Source.databases} swaps. `sql`: {@link Source.query} does.
   *  `waits`: a dump waits for its server before it works, so it is begun first and takes no place of others; left out
   *  where it does not. Read before anything is stopped. */
  readonly capabilities: {
    readonly tree: boolean;
    readonly inPlace: boolean;
    readonly sql: boolean;
    readonly waits?: true;
  };
  /** The names of the items that a capture would have: what fails as a whole is reported under these. */
  readonly itemNames: readonly string[];
  capture(context: CaptureContext, signal: AbortSignal): Promise<Capture>;
  /** How items go back into the server; null where they are paths ({@link Source.placements}). */
  readonly databases: Databases | null;
  /** Where a drill makes its databases. Left out where none is named, and where drills start a server of their own. */
  readonly drillServer?: DrillServer | undefined;
  /** The server of items that are paths, which goes on while it is dumped. Left out where none is needed for that. */
  readonly readFrom?: ServerAddress | undefined;
  /** What to do, for people, when {@link Source.placements} knows no place of an item. Left out where it always does. */
  readonly withoutPlace?: string;
  /** Which paths a restore in place of an item exchanges. */
  placements(roots: readonly Root[], signal: AbortSignal): Promise<readonly InPlacePath[]>;
  /** The paths that a capture reads, where snapshots of them would hold all of it; none where not: a dump, a tree that
   *  crosses mounts. Without any symbolic link.
   *  @throws SourceMissing; Unsupported for what is lost with the stop of whoever uses it, so that nothing may stop */
  snapshotRoots(signal: AbortSignal): Promise<readonly SnapshotRoot[]>;
  /** Whether something in these paths is a database, which only a copy of one moment holds whole. */
  holdsDatabases(signal: AbortSignal): Promise<boolean>;
  /** The first cell of what the live database answers, null when that is no row. What would change something fails.
   *  Ends within a minute. @throws Unsupported; SourceMissing; QueryFailed when the database refuses the query */
  query(sql: string, signal: AbortSignal): Promise<Cell>;
}

export interface Finding {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'inconclusive';
  readonly detail: string;
}

/** What an item's bytes are, by its kind: known without any configuration, so that a repository can be read alone. */
export interface ItemFormat {
  readonly kind: string;
  readonly tree: boolean;
  /** Proves the structure of an item without a server: reads `bytes` to their end and compares with the facts.
   *  Damage is a finding and no exception; what `bytes` throws is passed on. `workspace` is a 0700 folder. */
  inspect(bytes: Bytes, recorded: Facts, workspace: string, signal: AbortSignal): Promise<readonly Finding[]>;
  /** Counts a restored copy: the file, or for a tree the folder that holds `stored` names of `roots`. */
  facts(path: string, roots: readonly Root[], signal: AbortSignal): Promise<Facts>;
}
