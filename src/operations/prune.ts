import type { ServiceDecisions } from '../domain/pruning.ts';
import type { PointSummary } from '../domain/recovery-point.ts';
import type { Failure } from './failure.ts';

export interface PruneRequest {
  /** All configured plans when null; also the name of one that is no longer configured. */
  readonly plan: string | null;
  /** Only in these; the plan's when empty. */
  readonly repositories: readonly string[];
  /** Only these; the plan's when empty. */
  readonly services: readonly string[];
  /** Points made by hand that are older, in place of a plan's. */
  readonly manualOlderThanSeconds: number | null;
  readonly lockWaitMs: number;
}

/** What would become of the points that one plan made of one service in one repository. */
export interface PlannedPrune extends ServiceDecisions {
  readonly repository: string;
  readonly service: string;
  /** Null for points made by hand. */
  readonly plan: string | null;
}

/** A plan to print (`--dry-run`), to ask about (`question` of each), or to perform. */
export interface PrunePlan {
  readonly request: PruneRequest;
  readonly services: readonly PlannedPrune[];
  /** Repositories and services that could not be looked at. */
  readonly failures: readonly Failure[];
}

export interface PruneReport {
  readonly run: string;
  /** `partial`: some was removed, or there was nothing to remove, and something else failed, was refused or not confirmed. */
  readonly outcome: 'passed' | 'partial' | 'failed';
  readonly durationMs: number;
  readonly services: readonly PlannedPrune[];
  readonly removed: readonly PointSummary[];
  /** Points that may go and did not, and why: they are being read, or changed since the plan was made. */
  readonly passedOver: readonly { readonly point: PointSummary; readonly reason: string }[];
  readonly failures: readonly Failure[];
}
