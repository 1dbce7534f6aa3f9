import type { Evidence, PointSummary } from './recovery-point.ts';

export const VERIFY_LEVELS = ['readable', 'sound'] as const;
/** `readable`: every stored byte was read and its hashes compared. `sound`: the structure of each item too. */
export type VerifyLevel = (typeof VERIFY_LEVELS)[number];

/** One thing that was looked at. `inconclusive`: it could not be told. */
export interface Check {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'inconclusive';
  readonly detail: string;
  readonly durationMs: number;
}

/** A check as reports have it, which scripts rely on: these fields and no more. */
export const checkFields = ({ name, outcome, detail, durationMs }: Check): Check => ({
  name,
  outcome,
  detail,
  durationMs,
});

/** What a report says of its own making. */
export interface ReportMade {
  readonly at: Temporal.Instant;
  /** Of Holdfast. */
  readonly version: string;
}

/** What the checks of one point found. */
export interface PointVerdict {
  readonly point: PointSummary;
  readonly outcome: Check['outcome'];
  readonly checks: readonly Check[];
  /** What is proved of the point now, and since when. */
  readonly evidence: Evidence;
  readonly evidenceAt: Temporal.Instant;
}

/** One failure fails all; without one, a single check that could not be told leaves all untold. */
export function worst(outcomes: readonly Check['outcome'][]): Check['outcome'] {
  if (outcomes.includes('failed')) return 'failed';
  return outcomes.includes('inconclusive') ? 'inconclusive' : 'passed';
}
