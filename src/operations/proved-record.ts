import { isRelied, type Proved } from '../domain/objectives.ts';
import type { PointSummary } from '../domain/recovery-point.ts';
import type { Run } from '../ports/catalog.ts';

/** What a run that proved points keeps of each, so that the series of what would have been lost outlives the points. */
export interface ProvedRecord {
  readonly service: string;
  /** Of the point, ISO 8601. */
  readonly timestamp: string;
  /** Since when the evidence is there, ISO 8601. */
  readonly evidenceAt: string;
  /** Whether the service could be taken back to it for sure then. */
  readonly relied: boolean;
}

export const provedRecord = (
  point: PointSummary,
  { evidence, evidenceAt }: Pick<PointSummary, 'evidence' | 'evidenceAt'>,
): ProvedRecord => ({
  service: point.service,
  timestamp: `${point.timestamp}`,
  evidenceAt: `${evidenceAt}`,
  relied: isRelied({ ...point, evidence }),
});

/** What a run proved so far that it can be relied on, by services. */
export function provedIn({ detail }: Pick<Run, 'detail'>): readonly (Proved & Pick<ProvedRecord, 'service'>)[] {
  const points = (detail as { readonly points?: unknown } | null)?.points;
  const records = (Array.isArray(points) ? points : []) as readonly Partial<ProvedRecord>[];
  return records.flatMap(({ service, timestamp, evidenceAt, relied }) =>
    relied === true && service !== undefined && timestamp !== undefined && evidenceAt !== undefined
      ? [{ service, timestamp: Temporal.Instant.from(timestamp), provedAt: Temporal.Instant.from(evidenceAt) }]
      : [],
  );
}
