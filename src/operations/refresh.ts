import { newestFirst } from '../domain/proof.ts';
import type { PointSummary, RecoveryPoint, UnreadablePoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';

export interface Refreshed {
  /** Newest first. */
  readonly points: readonly PointSummary[];
  readonly unreadable: readonly UnreadablePoint[];
}

/** How many points of other machines are read again: what a person looks at. Older ones are as the catalog last saw them;
 *  whatever acts on a point reads it in any case, and `catalog rebuild` reads all. */
const READ_AGAIN = 20;

/** Brings the catalog up to date with one repository by a listing that reads new manifests only, and answers with what
 *  is there. Of the points that another machine made the newest are read again: what that machine held or proved since
 *  stands in the repository alone. A point of this machine that was known and is gone is marked as missing, for
 *  `health` to report; another machine prunes its own, as another tool rotates its archives, and nobody here could tell. */
export async function refresh(
  repository: Repository,
  service: string | undefined,
  { catalog, clock, origin }: Pick<Context, 'catalog' | 'clock' | 'origin'>,
  signal: AbortSignal,
): Promise<Refreshed> {
  const ofService = service === undefined ? {} : { service };
  const known = await catalog.points({ repository: repository.name, ...ofService });
  const shared = known.filter((point) => point.origin !== null && point.origin !== origin);
  const again = new Set(shared.slice(0, READ_AGAIN).map(({ location }) => location));
  const trusted = known.filter(({ location }) => !again.has(location));
  const listing = await repository.list(
    { ...ofService, known: new Set(trusted.map(({ location }) => location)) },
    signal,
  );
  const gone = known.filter(({ location }) => !listing.locations.has(location));
  const { own = [], others = [] } = Object.groupBy(gone, (point) =>
    point.foreign || (point.origin !== null && point.origin !== origin) ? 'others' : 'own',
  );
  if (own.length > 0) await catalog.markMissing(own, clock.now());
  if (others.length > 0) await catalog.forget(others);
  const before = new Map(known.map((point) => [point.location, point]));
  const read = listing.points.map((point) => withNewerEvidence(point, before.get(point.location)));
  const changed = read.filter((point) => !isSame(point, before.get(point.location)));
  if (changed.length > 0) await catalog.remember(changed);
  const there = trusted.filter(({ location }) => listing.locations.has(location));
  return { points: [...there, ...read].toSorted(newestFirst), unreadable: listing.unreadable };
}

/** What was found here and could not be written beside the point, as on a disk that only reads. */
function withNewerEvidence(point: RecoveryPoint, known: PointSummary | undefined): RecoveryPoint {
  if (known === undefined || Temporal.Instant.compare(known.evidenceAt, point.evidenceAt) <= 0) return point;
  return { ...point, evidence: known.evidence, evidenceAt: known.evidenceAt };
}

/** A manifest does not change once it is written: what may is what stands beside it. */
const isSame = (point: PointSummary, known: PointSummary | undefined): boolean =>
  known?.id === point.id &&
  known.evidence === point.evidence &&
  known.evidenceAt.equals(point.evidenceAt) &&
  known.held?.by === point.held?.by &&
  known.held?.reason === point.held?.reason;
