import type { SnapshotOutcome } from '../domain/guard.ts';
import type { Evidence, Hold, Outcome, PointReference, PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';

/** One execution of anything. Durations in milliseconds. */
export interface Run {
  readonly id: string;
  readonly verb: string;
  readonly plan: string | null;
  readonly services: readonly string[];
  readonly startedAt: Temporal.Instant;
  readonly durationMs: number;
  readonly outcome: Outcome;
  /** The verb's own answer, as JSON. */
  readonly detail: unknown;
}

export interface CatalogPointQuery {
  readonly service?: string;
  readonly repository?: string;
}

export interface MissingPoint extends PointReference {
  readonly since: Temporal.Instant;
}

export interface EvidenceRecord {
  readonly evidence: Evidence;
  readonly at: Temporal.Instant;
}

/** A path that a recovery moved aside, to be removed when its time is over. */
export interface KeptPath {
  readonly host: string;
  readonly path: string;
  readonly until: Temporal.Instant;
}

/** A database that a recovery gave another name, to be dropped when its time is over. */
export interface KeptDatabase {
  /** The source in whose server it is. */
  readonly service: string;
  readonly source: string;
  /** What it is called now. */
  readonly database: string;
  /** What it was called. */
  readonly original: string;
  readonly until: Temporal.Instant;
}

/** A present state that a recovery kept. */
export type KeptState = KeptPath | KeptDatabase;
/** By which one is known. */
export type KeptPlace = Pick<KeptPath, 'host' | 'path'> | Pick<KeptDatabase, 'service' | 'source' | 'database'>;

/** Something that was taken back: a service, or a subvolume of a pool. */
export interface Recovery {
  readonly id: string;
  readonly subject: { readonly kind: 'service' | 'subvolume'; readonly name: string };
  /** The id of the point, or the name of the snapshot, or of the kept database. */
  readonly restored: string;
  readonly reason: 'manual-recovery' | 'command-failed' | 'validation-failed';
  readonly startedAt: Temporal.Instant;
  readonly durationMs: number;
  readonly outcome: 'success' | 'failed';
  /** Those that are still there. */
  readonly kept: readonly KeptState[];
}

/** An instant local copy by the file system, as `history --json` shows it (interface, section 5). */
export interface Snapshot {
  readonly pool: string;
  /** The name of its folder, unique in the pool. */
  readonly name: string;
  readonly subvolume: string;
  readonly type: 'pre-operation' | 'scheduled' | 'manual';
  /** As it was typed; null for a snapshot that precedes no operation. */
  readonly operation: string | null;
  readonly madeAt: Temporal.Instant;
  readonly outcome: SnapshotOutcome;
  /** Null where it cannot be told, as without quotas. */
  readonly sizeBytes: number | null;
}

/** One measurement: what grows towards a threshold, or how busy the machine was. */
export interface Sample {
  readonly at: Temporal.Instant;
  /** What was measured: `repository-bytes`, `pool-share`, `load`. */
  readonly series: string;
  /** Of what: the repository, the pool; empty for the machine. */
  readonly subject: string;
  readonly value: number;
}

export interface SnapshotQuery {
  readonly subvolume?: string;
  readonly pool?: string;
  readonly names?: readonly string[];
}

/** What this machine remembers: fast, and rebuilt from the repositories when lost, because they are right and it is not.
 *  What every implementation owes (test/contracts/catalog.ts proves it): a call that resolved is durable; each call is
 *  atomic; two processes may use it at once. A point is known by its repository and location: a folder that was copied
 *  by hand is a second point with the same id. */
export interface Catalog extends AsyncDisposable {
  /** Newest first, ties by id. */
  points(query: CatalogPointQuery): Promise<readonly PointSummary[]>;
  /** By id, or by the beginning of one, in upper or lower case. Newest first. */
  pointsById(prefix: string): Promise<readonly PointSummary[]>;
  /** With its manifest; null when it is not known, or missing. */
  load(point: PointReference): Promise<RecoveryPoint | null>;
  /** Adds points or replaces what was known of them; one that was missing is there again. */
  remember(points: readonly RecoveryPoint[]): Promise<void>;
  /** Points that are not known are no error. */
  forget(points: readonly PointReference[]): Promise<void>;
  /** A point that was known and is gone, though nobody removed it: kept for `health`, and out of every list. The first
   *  `since` stays. Points that are not known are no error. */
  markMissing(points: readonly PointReference[], since: Temporal.Instant): Promise<void>;
  missing(): Promise<readonly MissingPoint[]>;
  /** @throws PointNotFound */
  setEvidence(point: PointReference, evidence: Evidence, at: Temporal.Instant): Promise<void>;
  /** What was proved of a point and when, newest first. */
  evidenceOf(point: PointReference): Promise<readonly EvidenceRecord[]>;
  /** @throws PointNotFound */
  setHold(point: PointReference, hold: Hold | null): Promise<void>;
  /** Makes these points all that is known of a repository, missing ones included: `catalog rebuild`. The history of
   *  evidence of those that stay is kept. */
  replaceRepository(repository: string, points: readonly RecoveryPoint[]): Promise<void>;

  /** The id of one that is recorded replaces it. */
  recordRun(run: Run): Promise<void>;
  /** Newest first. */
  runs(query: { readonly verb?: string; readonly limit: number }): Promise<readonly Run[]>;

  /** A database of the service that was kept under the name that was restored is kept no more. */
  recordRecovery(recovery: Recovery): Promise<void>;
  /** Newest first. @param query `keeping`: only those of which something is kept still */
  recoveries(query: { readonly limit: number; readonly keeping?: boolean }): Promise<readonly Recovery[]>;
  /** Those whose time is over at `endedBy`, oldest first; all of them when it is left out. */
  keptStates(query: { readonly endedBy?: Temporal.Instant }): Promise<readonly KeptState[]>;
  /** Once it was removed. */
  forgetKeptState(kept: KeptPlace): Promise<void>;

  /** One with this pool and name is replaced. */
  recordSnapshot(snapshot: Snapshot): Promise<void>;
  forgetSnapshot(snapshot: Pick<Snapshot, 'pool' | 'name'>): Promise<void>;
  /** Newest first. `names`: these alone, so that what is on the disk is looked up without reading the whole history. */
  snapshots(query: SnapshotQuery): Promise<readonly Snapshot[]>;

  recordSamples(samples: readonly Sample[]): Promise<void>;
  /** Oldest first, `since` included. */
  samples(query: { readonly series: string; readonly since: Temporal.Instant }): Promise<readonly Sample[]>;
  /** Removes what is older. */
  forgetSamples(before: Temporal.Instant): Promise<void>;
}
