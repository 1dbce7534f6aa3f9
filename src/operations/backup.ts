import type { ErrorCode } from '../domain/errors.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';

export interface BackupRequest {
  /** All services, or all of the plan, when empty. */
  readonly services: readonly string[];
  /** Null: points made by hand, which no policy removes. */
  readonly plan: string | null;
  /** In this order. When empty: the plan's; without a plan those of the plans that have the service, else all. */
  readonly repositories: readonly string[];
  /** Services of which a path that had files may have none, this once. */
  readonly acceptLoss: readonly string[];
  /** How long another run on the same service is waited for. */
  readonly lockWaitMs: number;
}

/** What could not be done. `repository` is null when the service failed before any was written. */
export interface Failure {
  readonly service: string;
  readonly repository: string | null;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** Outcome: `passed` when every item of every service is in every repository and nothing is held; `partial` when there
 *  is a point and something failed or is held; `failed` when there is no point. */
export interface BackupReport {
  readonly run: string;
  readonly outcome: 'passed' | 'partial' | 'failed';
  readonly durationMs: number;
  /** One for each service and repository, in the order they were made. */
  readonly points: readonly RecoveryPoint[];
  readonly failures: readonly Failure[];
}
