import { counted } from '../domain/counted.ts';
import { HoldfastError } from '../domain/errors.ts';
import { didYouMean } from '../domain/nearest.ts';
import { newestFirst } from '../domain/proof.ts';
import type { PointSummary, UnreadablePoint } from '../domain/recovery-point.ts';
import type { Context } from './context.ts';
import { type Failure, failureOf } from './failure.ts';
import { isOrphaned } from './orphaned.ts';
import { refresh } from './refresh.ts';

export interface ListRequest {
  /** All when null. */
  readonly service: string | null;
  /** All when empty; one that is named here and cannot be reached is an error, not a warning. */
  readonly repositories: readonly string[];
}

export interface ListedPoint extends PointSummary {
  /** The plan that made it is no longer configured. */
  readonly orphaned: boolean;
}

export interface ListReport {
  /** Newest first; a point that lies in several repositories once for each. */
  readonly points: readonly ListedPoint[];
  readonly unreadable: readonly (UnreadablePoint & { readonly repository: string })[];
  /** Repositories that could not be reached. `service` is empty. */
  readonly failures: readonly Failure[];
}

/** The recovery points as the repositories have them now; the catalog is brought up to date by it.
 *  @throws RepositoryNotFound and the like for a repository that was named; ServiceNotFound for a service that neither
 *  is configured nor has a point */
export async function list(
  { service, repositories }: ListRequest,
  context: Pick<
    Context,
    | 'catalog'
    | 'clock'
    | 'configuration'
    | 'origin'
    | 'plans'
    | 'progress'
    | 'repository'
    | 'repositoryNames'
    | 'services'
  >,
  signal: AbortSignal,
): Promise<ListReport> {
  const points: ListedPoint[] = [];
  const unreadable: (UnreadablePoint & { repository: string })[] = [];
  const failures: Failure[] = [];
  const listed = new Set<string>();
  for (const name of repositories.length > 0 ? repositories : context.repositoryNames) {
    try {
      const found = await refresh(await context.repository(name), service ?? undefined, context, signal);
      points.push(...found.points.map((point) => ({ ...point, orphaned: isOrphaned(point, context) })));
      unreadable.push(...found.unreadable.map((row) => ({ ...row, repository: name })));
      listed.add(name);
    } catch (error) {
      signal.throwIfAborted();
      if (repositories.length > 0) throw error;
      const failure = failureOf(error, '', name);
      failures.push(failure);
      context.progress({ type: 'warning', subject: name, text: failure.message });
    }
  }
  await tellMissing(service, listed, context);
  const absent = points.length === 0 && unreadable.length === 0 && failures.length === 0;
  if (service !== null && absent && !context.services.has(service))
    throw new HoldfastError(
      'ServiceNotFound',
      `No service is called "${service}".${didYouMean(service, context.services.keys())}`,
      service,
    );
  return { points: points.toSorted(newestFirst), unreadable, failures };
}

/** An empty list must not look as if there had never been anything. */
async function tellMissing(
  service: string | null,
  repositories: ReadonlySet<string>,
  { catalog, progress }: Pick<Context, 'catalog' | 'progress'>,
): Promise<void> {
  const gone = (await catalog.missing()).filter(
    (point) => repositories.has(point.repository) && (service === null || point.service === service),
  );
  for (const [repository, points] of Map.groupBy(gone, (point) => point.repository)) {
    const text = `gone, though nobody removed it with Holdfast: ${counted(points.length, 'recovery point')}. Which: holdfast doctor`;
    progress({ type: 'warning', subject: repository, text });
  }
}
