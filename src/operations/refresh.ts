import { newestFirst } from '../domain/proof.ts';
import type { PointSummary, UnreadablePoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';

export interface Refreshed {
  /** Newest first. */
  readonly points: readonly PointSummary[];
  readonly unreadable: readonly UnreadablePoint[];
}

/** Brings the catalog up to date with one repository by a listing that reads new manifests only, and answers with what
 *  is there. A point that was known and is gone is marked as missing, for `health` to report. */
export async function refresh(
  repository: Repository,
  service: string | undefined,
  { catalog, clock }: Pick<Context, 'catalog' | 'clock'>,
  signal: AbortSignal,
): Promise<Refreshed> {
  const ofService = service === undefined ? {} : { service };
  const known = await catalog.points({ repository: repository.name, ...ofService });
  const listing = await repository.list(
    { ...ofService, known: new Set(known.map(({ location }) => location)) },
    signal,
  );
  const gone = known.filter(({ location }) => !listing.locations.has(location));
  if (gone.length > 0) await catalog.markMissing(gone, clock.now());
  if (listing.points.length > 0) await catalog.remember(listing.points);
  const there = known.filter(({ location }) => listing.locations.has(location));
  return { points: [...there, ...listing.points].toSorted(newestFirst), unreadable: listing.unreadable };
}
