import { anomaliesOf } from '../domain/anomaly.ts';
import type { AnomalyBounds } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Manifest } from '../domain/manifest.ts';
import { newestFirst } from '../domain/proof.ts';
import type { Hold, PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';
import { anomalyOf } from './backup.ts';
import type { Context } from './context.ts';
import { list } from './list.ts';
import { pointsOf } from './point-selection.ts';
import { recorded } from './recorded.ts';
import { vanishedOf } from './vanished.ts';

export interface HoldRequest {
  /** A point by id, the beginning of one, or location. */
  readonly what: string;
  /** Only in this repository; in all that have the point when null. */
  readonly repository: string | null;
  readonly reason: string | null;
}

export type ReleaseRequest = Omit<HoldRequest, 'reason'>;

export interface HoldReport {
  readonly run: string;
  readonly outcome: 'passed';
  readonly durationMs: number;
  /** As they are now. */
  readonly points: readonly PointSummary[];
}

/** `released`: beside the point itself, the later ones of its series that are within bounds of it. */
export interface ReleaseReport extends HoldReport {
  readonly released: readonly PointSummary[];
  /** Repositories in which the point was not held. */
  readonly wasNotHeld: readonly string[];
}

/** Keeps a point whatever retention says, in every repository that has it. Why it was held before stays in the reason: a
 *  person's words do not take away that it looked suspicious. @throws as `pointsOf`; PointNotFound */
export async function hold(request: HoldRequest, context: Context, signal: AbortSignal): Promise<HoldReport> {
  const { named } = await pointsNamed(request, context, signal);
  const at = context.clock.now();
  const what = { verb: 'hold', plan: null, services: [...new Set(named.map(({ service }) => service))] };
  const perform = async () => {
    const points: PointSummary[] = [];
    for (const point of named) {
      const held: Hold = { by: 'user', at, reason: reasonOf(request.reason, point.held) };
      const repository = await context.repository(point.repository);
      // A removal that is under way must not take away what was said to be held.
      await using _ = await repository.lock({ kind: 'point', id: point.id }, 'shared', 0, signal);
      await repository.hold(point, held, signal);
      await context.catalog.setHold(point, held);
      points.push({ ...point, held });
    }
    return { outcome: 'passed' as const, points };
  };
  return recorded(what, context, perform, ({ points }) => points.map(({ id, repository }) => ({ id, repository })));
}

/** The points that {@link hold} would keep, as they are now. @throws as `hold` */
export const planHold = async (
  request: HoldRequest,
  context: Context,
  signal: AbortSignal,
): Promise<readonly PointSummary[]> => (await pointsNamed(request, context, signal)).named;

const BEFORE = '; held by itself: ';

/** @param given null keeps what a person said before */
function reasonOf(given: string | null, before: Hold | null): string {
  if (before?.by === 'user' && given === null) return before.reason;
  const found = before?.by === 'user' ? before.reason.split(BEFORE).slice(1).join(BEFORE) : (before?.reason ?? '');
  return `${given ?? 'held by hand'}${found === '' ? '' : `${BEFORE}${found}`}`;
}

/** Gives a point back to retention. One that was held as suspicious becomes what later ones are compared with: those of
 *  its series that are within bounds of it are released too (interface, section 10, line 12). One that is not held stays
 *  as it is. */
export async function release(request: ReleaseRequest, context: Context, signal: AbortSignal): Promise<ReleaseReport> {
  const { named, all } = await pointsNamed(request, context, signal);
  const what = { verb: 'release', plan: null, services: [...new Set(named.map(({ service }) => service))] };
  const perform = async () => {
    const released: PointSummary[] = [];
    for (const point of named.filter(({ held }) => held !== null)) {
      const followers = await followersOf(point, all, context, signal);
      for (const each of [point, ...followers]) {
        await (await context.repository(each.repository)).release(each, signal);
        await context.catalog.setHold(each, null);
      }
      released.push(...followers.map((follower) => ({ ...follower, held: null })));
    }
    const points = named.map((point) => ({ ...point, held: null }));
    const wasNotHeld = named.filter(({ held }) => held === null).map(({ repository }) => repository);
    return { outcome: 'passed' as const, points, released, wasNotHeld };
  };
  return recorded(what, context, perform, ({ points, released }) =>
    [...points, ...released].map(({ id, repository }) => ({ id, repository })),
  );
}

/** The held points that {@link release} would give back, the later ones of their series among them. @throws as `release` */
export async function planRelease(
  request: ReleaseRequest,
  context: Context,
  signal: AbortSignal,
): Promise<readonly PointSummary[]> {
  const { named, all } = await pointsNamed(request, context, signal);
  const given: PointSummary[] = [];
  for (const point of named.filter(({ held }) => held !== null))
    given.push(point, ...(await followersOf(point, all, context, signal)));
  return given;
}

const followersOf = async (
  point: PointSummary,
  all: readonly PointSummary[],
  context: Context,
  signal: AbortSignal,
): Promise<readonly PointSummary[]> =>
  point.held?.by === 'anomaly' ? await withinBounds(point, all, context, signal) : [];

interface Named {
  readonly named: readonly PointSummary[];
  readonly all: readonly PointSummary[];
}

async function pointsNamed(
  { what, repository }: ReleaseRequest,
  context: Context,
  signal: AbortSignal,
): Promise<Named> {
  const repositories = repository === null ? [] : [repository];
  const { points, failures } = await list({ service: null, repositories }, context, signal);
  const named = pointsOf(what, points);
  if (named.length > 0) return { named: await asTheyAre(named, context, signal), all: points };
  const also = failures.map((failure) => ` ${failure.repository}: ${failure.message}`).join('');
  const words = `No recovery point is called "${what}".${also}`;
  if (points.every(({ service }) => service !== what)) throw new HoldfastError('PointNotFound', words, what);
  const hint = `It is a service; name one of its points: holdfast list ${what}`;
  throw new HoldfastError('PointNotFound', words, what, { hint });
}

/** The repository is right about a hold, and the catalog may be old. */
const asTheyAre = (points: readonly PointSummary[], { repository }: Context, signal: AbortSignal) =>
  Promise.all(points.map(async (point) => (await repository(point.repository)).find(point, signal)));

/** The later points of the series that `first` is of, up to the first one that is suspicious beside the one before it. */
async function withinBounds(
  first: PointSummary,
  all: readonly PointSummary[],
  context: Context,
  signal: AbortSignal,
): Promise<readonly PointSummary[]> {
  const repository = await context.repository(first.repository);
  const service = context.services.get(first.service);
  const plan = first.plan === null ? null : (context.plans.get(first.plan) ?? null);
  const bounds = service === undefined ? (plan?.anomaly ?? null) : anomalyOf(service, plan, context);
  const later = all
    .filter(
      ({ repository: where, service: of, origin, type }) =>
        where === first.repository && of === first.service && origin === first.origin && type === 'regular',
    )
    .filter((point) => newestFirst(point, first) < 0)
    .toReversed();
  const released: RecoveryPoint[] = [];
  let reference = (await repository.find(first, signal)).manifest;
  for (const summary of later) {
    const point = await repository.find(summary, signal);
    if (point.held?.by === 'user' || point.held?.by === 'clock') continue;
    if (point.held === null) break; // its series ends here
    if (bounds === null || reference === null || point.manifest === null) break;
    if (suspicious(reference, point.manifest, bounds)) break;
    released.push(point);
    reference = point.manifest;
  }
  return released;
}

const suspicious = (before: Manifest, after: Manifest, bounds: AnomalyBounds): boolean =>
  anomaliesOf(after.items, itemOf(before), bounds).length > 0 ||
  (bounds !== false && before.items.some(({ source }) => vanishedOf(source, before, after).length > 0));

const itemOf =
  ({ items }: Manifest) =>
  (name: string) =>
    items.find((item) => item.name === name);
