import type { Item, Manifest } from './manifest.ts';

/** What has been proved about a point, weakest first. */
export const EVIDENCE = ['stored', 'readable', 'sound', 'restored'] as const;
/** `failed`: the last check of the point failed, which counts for nothing (interface, section 10, line 11). */
export type Evidence = (typeof EVIDENCE)[number] | 'failed';

/** -1 for `failed`, then the place in {@link EVIDENCE}. */
export const evidenceRank = (evidence: Evidence): number => EVIDENCE.indexOf(evidence as (typeof EVIDENCE)[number]);

export type Outcome = 'passed' | 'failed' | 'partial' | 'inconclusive';

/** Why and since when retention passes over a point. Stored beside the point as `hold.json`. */
export interface Hold {
  readonly reason: string;
  readonly at: Temporal.Instant;
  /** `anomaly` and `clock` are made by Holdfast, `user` by `holdfast hold`. */
  readonly by: 'user' | 'anomaly' | 'clock';
}

/** Names one point in one repository. `location` is the repository's own name for it: `<service>/<folder>`, a file. */
export interface PointReference {
  readonly id: string;
  readonly repository: string;
  readonly service: string;
  readonly location: string;
}

/** An item as lists and retention see it. `size`: bytes as stored. */
export type PointItem = Pick<Item, 'name' | 'source' | 'outcome' | 'size'>;

/** What lists, retention and health need of a point, without its manifest: ten thousand of these are quickly read. */
export interface PointSummary extends PointReference {
  readonly timestamp: Temporal.Instant;
  readonly outcome: 'passed' | 'partial';
  /** Bytes of its items as stored; of the archive file where the point is foreign. */
  readonly totalSize: number;
  readonly evidence: Evidence;
  readonly evidenceAt: Temporal.Instant;
  readonly held: Hold | null;
  readonly foreign: boolean;
  /** Null for a point that was made by hand, and for a foreign one. */
  readonly plan: string | null;
  readonly type: Manifest['type'];
  /** Null for a foreign point. */
  readonly origin: string | null;
  /** None for a foreign point. */
  readonly items: readonly PointItem[];
}

/** One recovery point as a repository holds it. `manifest` is null for a foreign archive. */
export interface RecoveryPoint extends PointSummary {
  readonly manifest: Manifest | null;
}

/** The fields of a point that its manifest says; null is a foreign archive, which says nothing. */
export function summaryOf(manifest: Manifest | null): Pick<PointSummary, 'plan' | 'type' | 'origin' | 'items'> {
  if (manifest === null) return { plan: null, type: 'regular', origin: null, items: [] };
  const items = manifest.items.map(({ name, source, outcome, size }) => ({ name, source, outcome, size }));
  return { plan: manifest.plan, type: manifest.type, origin: manifest.origin, items };
}

/** A row of a repository's list that could not be read as a point: shown, and hiding no other. */
export interface UnreadablePoint {
  readonly location: string;
  readonly service: string;
  readonly problem: string;
}
