import type { Evidence, PointSummary } from '../domain/recovery-point.ts';

export const VERIFY_LEVELS = ['readable', 'sound'] as const;
export type VerifyLevel = (typeof VERIFY_LEVELS)[number];

export interface VerifyRequest {
  /** Services, all points of each; points by id, beginning of an id or location; every service when empty. */
  readonly what: readonly string[];
  /** Only in these; all when empty. */
  readonly repositories: readonly string[];
  readonly level: VerifyLevel;
  /** The newest point of each service must not be older. */
  readonly maxAgeSeconds: number | null;
  /** At most so many points: the newest of each service first, then others at random. */
  readonly sample: number | null;
}

export interface Check {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'inconclusive';
  readonly detail: string;
  readonly durationMs: number;
}

export interface PointVerdict {
  readonly point: PointSummary;
  readonly outcome: Check['outcome'];
  readonly checks: readonly Check[];
  /** What is proved of the point now, and since when. */
  readonly evidence: Evidence;
  readonly evidenceAt: Temporal.Instant;
}

/** Outcome: `failed` when any point failed, else `inconclusive` when any was, or when there was none to look at. */
export interface VerifyReport {
  readonly run: string;
  readonly outcome: Check['outcome'];
  readonly level: VerifyLevel;
  readonly durationMs: number;
  readonly points: readonly PointVerdict[];
  /** Repositories and services that could not be looked at, and why. */
  readonly warnings: readonly { readonly subject: string; readonly text: string }[];
}
