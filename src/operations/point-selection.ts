import { HoldfastError, messageOf } from '../domain/errors.ts';
import { didYouMean } from '../domain/nearest.ts';
import { parsePointInTime } from '../domain/point-in-time.ts';
import type { PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { refresh } from './refresh.ts';

export interface PointQuery {
  /** A service, or a point: its id, the unique beginning of one, or its location (`mealie/20261120_020000`). */
  readonly what: string;
  /** With a service: the newest point at or before this time, see `parsePointInTime`. */
  readonly at?: string | undefined;
  /** Only this repository; in the order of the configuration when left out. */
  readonly repository?: string | undefined;
  /** With a service: where only points are left whose last check failed, the newest of them, and not an error. For who
   *  proves what is read, and replaces nothing: what made the check fail may be mended. */
  readonly evenFailed?: boolean;
}

/** A point whose manifest was just read from the repository that holds it. */
export interface SelectedPoint {
  readonly repository: Repository;
  readonly point: RecoveryPoint;
}

export type SelectionPorts = Pick<
  Context,
  'clock' | 'catalog' | 'origin' | 'progress' | 'services' | 'repositoryNames' | 'repository'
>;

/** A clock may be this far behind the one that made a point (interface, section 10, line 6). */
const TOLERATED_SKEW = { minutes: 10 } as const;
const ID_PREFIX = /^[0-9A-HJKMNP-TV-Z]{1,26}$/i; // https://github.com/ulid/spec, Crockford's alphabet

/** Finds the point that is meant. By service: the newest that passed, is not held, was not made for safety, does not lie
 *  in the future and whose last check did not fail; a newer one whose check failed is named in a warning. By id or
 *  location: that one, whatever it is.
 *  @throws PointNotFound; Usage for a time with a point, or a beginning that several points share;
 *  RepositoryNotFound and the like for a repository that was asked for by name */
export async function selectPoint(
  query: PointQuery,
  context: SelectionPorts,
  signal: AbortSignal,
): Promise<SelectedPoint> {
  const { points, failures } = await presentPoints(query, context, signal);
  const named = points.filter(({ service }) => service === query.what);
  if (context.services.has(query.what) || named.length > 0) {
    const passedOver = new Map<PointSummary, string>();
    const found = await newestUsable(query, named, passedOver, context, signal);
    if (found !== null) return found;
    throw noneUsable(query, named, passedOver, failures);
  }
  const [found] = pointsOf(query.what, points);
  if (found === undefined) throw unknownPoint(query, points, context, failures);
  if (query.at !== undefined) {
    throw new HoldfastError('Usage', `--at takes a service, and ${query.what} is a recovery point.`, query.what);
  }
  const repository = await context.repository(found.repository);
  return { repository, point: await repository.find(found, signal) };
}

export interface Present {
  readonly points: readonly PointSummary[];
  readonly failures: readonly unknown[];
}

/** What the repositories hold at this moment, those that come first in the configuration first. */
export async function presentPoints(
  query: Pick<PointQuery, 'repository'>,
  context: SelectionPorts,
  signal: AbortSignal,
): Promise<Present> {
  const names = query.repository === undefined ? context.repositoryNames : [query.repository];
  const points: PointSummary[] = [];
  const failures: unknown[] = [];
  for (const name of names) {
    try {
      const { points: present } = await refresh(await context.repository(name), undefined, context, signal);
      points.push(...present);
    } catch (error) {
      if (signal.aborted || query.repository !== undefined) throw error;
      failures.push(error); // another repository may hold the same point
      context.progress({ type: 'warning', subject: name, text: messageOf(error) });
    }
  }
  return { points, failures };
}

async function newestUsable(
  query: PointQuery,
  points: readonly PointSummary[],
  passedOver: Map<PointSummary, string>,
  context: SelectionPorts,
  signal: AbortSignal,
): Promise<SelectedPoint | null> {
  const now = context.clock.now();
  const latest = now.add(TOLERATED_SKEW);
  const at = query.at === undefined ? latest : parsePointInTime(query.at, now, Temporal.Now.timeZoneId());
  const limit = Temporal.Instant.compare(at, latest) > 0 ? latest : at;
  const newest = points
    .filter(({ timestamp }) => Temporal.Instant.compare(timestamp, limit) <= 0)
    .toSorted((left, right) => Temporal.Instant.compare(right.timestamp, left.timestamp)); // stable: repositories stay in order
  const failed = newest.filter((point) => point.evidence === 'failed' && whyUnusable(unchecked(point)) === null);
  for (const candidate of newest.filter(mayBecomeUsable)) {
    const repository = await context.repository(candidate.repository);
    const point = await asItIs(candidate, repository, signal);
    const reason = typeof point === 'string' ? point : whyUnusable(point);
    if (typeof point !== 'string' && reason === null) {
      warnOfFailed(failed, point, context);
      return { repository, point };
    }
    passedOver.set(candidate, reason ?? '');
    if (whyUnusable(candidate) !== null) continue; // as everybody knows
    context.progress({ type: 'warning', subject: candidate.id, text: `passed over: ${reason}` });
  }
  for (const candidate of query.evenFailed ? failed : []) {
    const repository = await context.repository(candidate.repository);
    const point = await asItIs(candidate, repository, signal);
    if (typeof point === 'string' || whyUnusable(unchecked(point)) !== null) continue;
    const text = 'taken although its last check failed: there is no other';
    context.progress({ type: 'warning', subject: candidate.id, text });
    return { repository, point };
  }
  return null;
}

/** The point as if no check of it had failed. */
const unchecked = <Point extends PointSummary>(point: Point): Point =>
  point.evidence === 'failed' ? { ...point, evidence: 'stored' } : point;

/** Who gets an older state than the newest has to hear of it. */
function warnOfFailed(
  failed: readonly PointSummary[],
  { timestamp }: PointSummary,
  { progress }: Pick<SelectionPorts, 'progress'>,
): void {
  const newer = failed.filter((point) => Temporal.Instant.compare(point.timestamp, timestamp) > 0);
  for (const id of new Set(newer.map((point) => point.id)))
    progress({ type: 'warning', subject: id, text: 'passed over: its last check failed' });
}

/** The repository is right and the catalog may be old. Text: why it cannot be read. */
async function asItIs(
  candidate: PointSummary,
  repository: Repository,
  signal: AbortSignal,
): Promise<RecoveryPoint | string> {
  try {
    return await repository.find(candidate, signal);
  } catch (error) {
    if (error instanceof HoldfastError && ['Damaged', 'PointNotFound'].includes(error.code)) return error.message;
    throw error;
  }
}

/** True when nothing, or only a hold, keeps it from being taken: another machine may have released it since the catalog
 *  heard of it. A check that failed is believed, because it may not have been possible to write it beside the point. */
const mayBecomeUsable = (point: PointSummary): boolean => whyUnusable({ ...point, held: null }) === null;

/** Further in the future than a clock may be behind another. */
export const isAhead = ({ timestamp }: Pick<PointSummary, 'timestamp'>, now: Temporal.Instant): boolean =>
  Temporal.Instant.compare(timestamp, now.add(TOLERATED_SKEW)) > 0;

/** Why a point is not taken by itself; null when it may be. */
export function whyUnusable(point: PointSummary): string | null {
  if (point.foreign) return 'made by another tool';
  if (point.type === 'safety') return 'a safety point';
  if (point.held !== null) return `held: ${point.held.reason}`;
  if (point.outcome !== 'passed') return 'partial';
  return point.evidence === 'failed' ? 'its last check failed' : null;
}

/** One point may lie in several repositories: the first one counts. @throws Usage when it is not one point */
export function pointsOf(what: string, points: readonly PointSummary[]): readonly PointSummary[] {
  const byLocation = points.filter(({ location }) => location === what);
  const prefix = what.toUpperCase();
  const found =
    byLocation.length > 0 || !ID_PREFIX.test(what) ? byLocation : points.filter(({ id }) => id.startsWith(prefix));
  const different = [...new Map(found.map((point) => [point.id, point])).values()];
  if (different.length <= 1) return found;
  const shown = different.slice(0, 10).map(({ id, service, timestamp }) => `  ${id}  ${service}  ${timestamp}`);
  const words = [`"${what}" may be any of ${different.length} recovery points:`, ...shown].join('\n');
  throw new HoldfastError('Usage', words, what, { hint: 'Give more of its id' });
}

function noneUsable(
  { what, at }: PointQuery,
  points: readonly PointSummary[],
  passedOver: ReadonlyMap<PointSummary, string>,
  failures: readonly unknown[],
): Error {
  const when = at === undefined ? '' : ` at or before ${at}`;
  const late = at === undefined ? 'in the future of this clock' : 'later';
  const why = (point: PointSummary): string => whyUnusable(point) ?? passedOver.get(point) ?? late;
  const others = points
    .slice(0, 5)
    .map((point) => `  ${point.id}  ${point.timestamp}  ${point.repository}  ${why(point)}`);
  const words = `No recovery point of ${what}${when} that passed and is not held.`;
  const lines = others.length === 0 ? [words] : [words, 'There are, to be restored by id:', ...others];
  return new HoldfastError('PointNotFound', lines.join('\n'), what, { cause: failures[0] });
}

/** A repository that could not be asked is the likelier reason than a wrong name. */
function unknownPoint(
  { what }: PointQuery,
  points: readonly PointSummary[],
  { services }: Pick<Context, 'services'>,
  failures: readonly unknown[],
): unknown {
  if (failures.length > 0) return failures[0];
  const known = new Set([...services.keys(), ...points.map(({ service }) => service)]);
  const words = `No service or recovery point is called "${what}".${didYouMean(what, known)}`;
  return new HoldfastError('PointNotFound', words, what);
}
