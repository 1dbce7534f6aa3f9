import type { Evidence, Hold, Outcome, PointReference, RecoveryPoint } from '../domain/recovery-point.ts';

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

/** What this machine remembers: fast, and rebuilt from the repositories when lost, because they are right and it is not.
 *  What every implementation owes (test/contracts/catalog.ts proves it): a call that resolved is durable; each call is
 *  atomic; two processes may use it at once. */
export interface Catalog extends AsyncDisposable {
  /** Newest first, ties by id. */
  points(query: CatalogPointQuery): Promise<readonly RecoveryPoint[]>;
  /** By id, or by the beginning of one. */
  pointsById(prefix: string): Promise<readonly RecoveryPoint[]>;
  /** Adds points or replaces what was known of them. */
  remember(points: readonly RecoveryPoint[]): Promise<void>;
  forget(points: readonly PointReference[]): Promise<void>;
  /** A point that was known and is gone, though nobody removed it: kept for `health`, and out of every list. */
  markMissing(points: readonly PointReference[], since: Temporal.Instant): Promise<void>;
  missing(): Promise<readonly (PointReference & { readonly since: Temporal.Instant })[]>;
  setEvidence(point: PointReference, evidence: Evidence, at: Temporal.Instant): Promise<void>;
  setHold(point: PointReference, hold: Hold | null): Promise<void>;

  recordRun(run: Run): Promise<void>;
  /** Newest first. */
  runs(query: { readonly verb?: string; readonly limit: number }): Promise<readonly Run[]>;
  /** Replaces all points of a repository in one transaction: `catalog rebuild`. */
  replaceRepository(repository: string, points: readonly RecoveryPoint[]): Promise<void>;
}
