import type { Manifest } from '../domain/manifest.ts';
import type { PointReference, PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';
import { parseInstant, printInstant } from './instant.ts';
import type { PointRow } from './schema.ts';

export const referenceOf = ({ id, repository, service, location }: PointRow): PointReference => ({
  id,
  repository,
  service,
  location,
});

export const summaryOfRow = (row: PointRow): PointSummary => ({
  ...referenceOf(row),
  timestamp: parseInstant(row.point_timestamp),
  outcome: row.outcome as PointSummary['outcome'],
  totalSize: Number(row.total_size), // PostgreSQL's bigint comes as text
  evidence: row.evidence as PointSummary['evidence'],
  evidenceAt: parseInstant(row.evidence_at),
  held:
    row.hold_at === null || row.hold_reason === null
      ? null
      : {
          reason: row.hold_reason,
          at: parseInstant(row.hold_at),
          by: row.hold_by as NonNullable<PointSummary['held']>['by'],
        },
  foreign: row.is_foreign === 1,
  plan: row.plan,
  type: row.point_type as Manifest['type'],
  origin: row.origin,
  items: JSON.parse(row.items),
});

export const holdColumns = (held: RecoveryPoint['held']): Pick<PointRow, 'hold_reason' | 'hold_at' | 'hold_by'> => ({
  hold_reason: held?.reason ?? null,
  hold_at: held === null ? null : printInstant(held.at),
  hold_by: held?.by ?? null,
});

export const rowOf = (point: RecoveryPoint): PointRow => ({
  repository: point.repository,
  location: point.location,
  id: point.id,
  service: point.service,
  point_timestamp: printInstant(point.timestamp),
  outcome: point.outcome,
  total_size: point.totalSize,
  evidence: point.evidence,
  evidence_at: printInstant(point.evidenceAt),
  ...holdColumns(point.held),
  is_foreign: point.foreign ? 1 : 0,
  plan: point.plan,
  point_type: point.type,
  origin: point.origin,
  items: JSON.stringify(point.items),
  missing_since: null,
});
