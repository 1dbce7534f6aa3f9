/** Rows as they are stored, on SQLite and on PostgreSQL. Instants are text, ISO 8601 in UTC with nine digits after the
 *  second, so that they sort as text and lose nothing; sizes are bytes; truth is 0 or 1; JSON is text. */
export interface CatalogTables {
  points: PointRow;
  manifests: ManifestRow;
  evidence: EvidenceRow;
  runs: RunRow;
  recoveries: RecoveryRow;
  kept_states: KeptStateRow;
  kept_databases: KeptDatabaseRow;
  snapshots: SnapshotRow;
  samples: SampleRow;
  migrations: MigrationRow;
}

export interface PointRow {
  repository: string;
  location: string;
  id: string;
  service: string;
  point_timestamp: string;
  outcome: string;
  total_size: number;
  evidence: string;
  evidence_at: string;
  hold_reason: string | null;
  hold_at: string | null;
  hold_by: string | null;
  /** 1 for an archive that another tool made. */
  is_foreign: number;
  plan: string | null;
  point_type: string;
  origin: string | null;
  /** JSON of PointItem[]. */
  items: string;
  missing_since: string | null;
}

/** Apart from the points, because lists do not read it and it is long. Foreign points have none. */
export interface ManifestRow {
  repository: string;
  location: string;
  manifest: string;
}

export interface EvidenceRow {
  repository: string;
  location: string;
  evidence: string;
  evidence_at: string;
}

export interface RunRow {
  id: string;
  verb: string;
  plan: string | null;
  /** JSON of string[]. */
  services: string;
  started_at: string;
  duration_ms: number;
  outcome: string;
  /** JSON. */
  detail: string;
}

export interface RecoveryRow {
  id: string;
  subject_kind: string;
  subject_name: string;
  restored: string;
  reason: string;
  started_at: string;
  duration_ms: number;
  outcome: string;
}

export interface KeptStateRow {
  host: string;
  path: string;
  until_at: string;
  recovery: string;
}

export interface KeptDatabaseRow {
  service: string;
  source: string;
  database_name: string;
  original: string;
  until_at: string;
  recovery: string;
}

export interface SnapshotRow {
  pool: string;
  name: string;
  subvolume: string;
  snapshot_type: string;
  operation: string | null;
  made_at: string;
  outcome: string;
  size_bytes: number | null;
}

export interface SampleRow {
  series: string;
  subject: string;
  sampled_at: string;
  measured: number;
}

interface MigrationRow {
  name: string;
  applied_at: string;
}
