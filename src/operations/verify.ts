import { HoldfastError } from '../domain/errors.ts';
import type { PointSummary } from '../domain/recovery-point.ts';
import type { Check, PointVerdict, VerifyLevel } from '../domain/verdict.ts';
import type { Context } from './context.ts';
import { list } from './list.ts';
import { pointsOf } from './point-selection.ts';
import { provedRecord } from './proved-record.ts';
import { recorded } from './recorded.ts';
import { verifyPoint } from './verify-point.ts';

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

/** Outcome: `failed` when any point failed, else `inconclusive` when any was, or something could not be looked at. */
export interface VerifyReport {
  readonly run: string;
  readonly outcome: Check['outcome'];
  readonly level: VerifyLevel;
  readonly durationMs: number;
  readonly points: readonly PointVerdict[];
  /** Repositories and services that could not be looked at, and why. */
  readonly warnings: readonly VerifyWarning[];
}

interface VerifyWarning {
  readonly subject: string;
  readonly text: string;
}

/** Proves points: `readable` reads every stored byte and compares the hashes, `sound` looks at the structure of each item
 *  as well. Writes a report beside each point and raises, or lowers, its evidence.
 *  @throws ServiceNotFound, PointNotFound; RepositoryNotFound and the like for a repository that was named */
export async function verify(request: VerifyRequest, context: Context, signal: AbortSignal): Promise<VerifyReport> {
  const { points, warnings } = await chosen(request, context, signal);
  const newest = newestOfEach(points);
  const byName = request.what.some((what) => points.every(({ service }) => service !== what));
  const ages = (point: PointSummary): number | null => (newest.has(point) || byName ? request.maxAgeSeconds : null);
  return verifyEach({ points, level: request.level, warnings, ages }, context, signal);
}

/** The points that {@link verify} would prove, and what it could not look at. @throws as `verify` */
export const planVerify = (request: VerifyRequest, context: Context, signal: AbortSignal): Promise<PlannedProof> =>
  chosen(request, context, signal);

/** Proves exactly these points, as {@link verify} does. */
export const verifyPoints = (
  points: readonly PointSummary[],
  level: VerifyLevel,
  context: Context,
  signal: AbortSignal,
): Promise<VerifyReport> => verifyEach({ points, level, warnings: [], ages: () => null }, context, signal);

interface Selection extends PlannedProof {
  readonly level: VerifyLevel;
  /** How old a point may be, in seconds; null when it does not matter. */
  readonly ages: (point: PointSummary) => number | null;
}

function verifyEach(
  { points, level, warnings, ages }: Selection,
  context: Context,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const what = { verb: 'verify', plan: null, services: [...new Set(points.map(({ service }) => service))] };
  const perform = async (): Promise<Omit<VerifyReport, 'run' | 'durationMs'>> => {
    const verdicts: PointVerdict[] = [];
    for (const point of points)
      verdicts.push(await verifyPoint(point, { level, maxAgeSeconds: ages(point) }, context, signal));
    return { outcome: outcomeOf(verdicts, warnings), level, points: verdicts, warnings };
  };
  return recorded(what, context, perform, (report) => ({
    level,
    points: report.points.map(({ point, outcome, ...proof }) => ({
      id: point.id,
      repository: point.repository,
      outcome,
      evidence: proof.evidence,
      ...provedRecord(point, proof),
    })),
    warnings,
  }));
}

export interface PlannedProof {
  readonly points: readonly PointSummary[];
  readonly warnings: readonly VerifyWarning[];
}

async function chosen(
  { what, repositories, sample }: VerifyRequest,
  context: Context,
  signal: AbortSignal,
): Promise<PlannedProof> {
  // a repository that cannot be reached is said by the report, and not a second time on the way
  const quiet: Context = { ...context, progress: (event) => event.type !== 'warning' && context.progress(event) };
  const listing = await list({ service: null, repositories }, quiet, signal);
  const warnings = listing.failures.map(({ repository, message }) => ({ subject: repository ?? '', text: message }));
  for (const { repository, location, problem } of listing.unreadable)
    warnings.push({ subject: `${repository}: ${location}`, text: problem });
  const ours = listing.points.filter(({ foreign }) => !foreign);
  if (what.length === 0) {
    for (const service of repositories.length === 0 ? context.services.keys() : [])
      if (ours.every((point) => point.service !== service))
        warnings.push({ subject: service, text: 'it has no recovery point' });
    return { points: sampled(ours, sample), warnings };
  }
  const wanted = new Set<PointSummary>();
  for (const name of what) {
    const ofService = ours.filter(({ service }) => service === name);
    const found = ofService.length > 0 ? ofService : pointsOf(name, listing.points);
    if (found.length === 0) throw unknown(name, context, warnings);
    for (const point of found) wanted.add(point);
  }
  // What cannot be reached does not matter to those that were found by name.
  return {
    points: sampled(
      listing.points.filter((point) => wanted.has(point)),
      sample,
    ),
    warnings,
  };
}

function unknown(name: string, { services }: Context, warnings: readonly VerifyWarning[]): HoldfastError {
  const also = warnings.map(({ subject, text }) => ` ${subject}: ${text}`).join('');
  return services.has(name)
    ? new HoldfastError('PointNotFound', `${name} has no recovery point.${also}`, name)
    : new HoldfastError('PointNotFound', `No service or recovery point is called "${name}".${also}`, name);
}

/** `points` newest first. */
function newestOfEach(points: readonly PointSummary[]): ReadonlySet<PointSummary> {
  const newest = new Map<string, PointSummary>();
  for (const point of points) {
    const key = JSON.stringify([point.repository, point.service]);
    if (!newest.has(key)) newest.set(key, point);
  }
  return new Set(newest.values());
}

function sampled(points: readonly PointSummary[], size: number | null): readonly PointSummary[] {
  if (size === null || points.length <= size) return points;
  const newest = newestOfEach(points);
  const others = points
    .filter((point) => !newest.has(point))
    .map((point) => ({ point, order: Math.random() }))
    .toSorted((left, right) => left.order - right.order)
    .map(({ point }) => point);
  const taken = new Set([...newest, ...others].slice(0, size));
  return points.filter((point) => taken.has(point));
}

function outcomeOf(points: readonly PointVerdict[], warnings: readonly VerifyWarning[]): Check['outcome'] {
  if (points.some(({ outcome }) => outcome === 'failed')) return 'failed';
  const told = points.length > 0 && points.every(({ outcome }) => outcome === 'passed');
  return told && warnings.length === 0 ? 'passed' : 'inconclusive';
}
