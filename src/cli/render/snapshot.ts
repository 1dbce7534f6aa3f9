import { formatBytes } from '../../domain/size.ts';
import type { ListedSnapshot } from '../../operations/snapshot.ts';
import type { Snapshot } from '../../ports/catalog.ts';
import { coloured } from './colour.ts';
import { ageForPeople, timeForPeople } from './point.ts';
import { printable, table } from './table.ts';

/** Mebibytes, whole; null where the file system cannot tell. */
const mebibytes = (bytes: number | null): number | null => (bytes === null ? null : Math.round(bytes / 1024 ** 2));

/** As the times in names and manifests are: whole seconds, which every program reads. */
export const secondOf = (at: Temporal.Instant): string => at.toString({ smallestUnit: 'second' });

/** A row of `history --json` (interface, section 5) and the pool. */
export const snapshotAsJson = (snapshot: Snapshot): object => ({
  timestamp: secondOf(snapshot.madeAt),
  subvolume: snapshot.subvolume,
  type: snapshot.type,
  operation: snapshot.operation,
  snapshot_name: snapshot.name,
  outcome: snapshot.outcome,
  size_mb: mebibytes(snapshot.sizeBytes),
  pool: snapshot.pool,
});

const listedAsJson = (listed: ListedSnapshot): object => ({
  timestamp: secondOf(listed.madeAt),
  subvolume: listed.subvolume,
  type: listed.type,
  operation: listed.operation,
  snapshot_name: listed.name,
  outcome: listed.outcome,
  size_mb: mebibytes(listed.sizeBytes),
  pool: listed.pool,
  path: listed.path,
});

export const snapshotsAsJson = (snapshots: readonly ListedSnapshot[]): { readonly snapshots: readonly object[] } => ({
  snapshots: snapshots.map(listedAsJson),
});

export function snapshotsForPeople(snapshots: readonly ListedSnapshot[], now: Temporal.Instant): string {
  if (snapshots.length === 0) return 'No snapshots yet. Make one with: holdfast snapshot create SUBVOLUME';
  const columns = [
    { title: 'SNAPSHOT' },
    { title: 'SUBVOLUME' },
    { title: 'TIME' },
    { title: 'AGE', align: 'right' },
    { title: 'SIZE', align: 'right' },
    { title: 'TYPE' },
    { title: 'OUTCOME' },
  ] as const;
  const zone = Temporal.Now.timeZoneId();
  const rows = snapshots.map(({ name, subvolume, madeAt, sizeBytes, type, outcome }) => [
    printable(name),
    printable(subvolume ?? '-'),
    timeForPeople(madeAt, zone),
    ageForPeople(madeAt, now),
    sizeBytes === null ? '-' : formatBytes(sizeBytes),
    type,
    outcome === null ? '-' : coloured(outcome),
  ]);
  return table(columns, rows);
}
