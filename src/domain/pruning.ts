import { clockProblem } from './clock-guard.ts';
import type { Retention } from './definitions.ts';
import type { Manifest } from './manifest.ts';
import { newestFirst, provenPoints, worth } from './proof.ts';
import type { PointSummary, RecoveryPoint } from './recovery-point.ts';
import { isInFuture, retain, type Verdict, withinOf } from './retention.ts';

/** Points that a restore in place makes of the state it replaces stay this long. */
const SAFETY_DAYS = 30;

/** Which points a prune is about. `plan`: those that a configured plan made. `orphaned`: those of a plan that is no
 *  longer configured. `manual`: those made by hand, when they are older. */
export type PruneScope =
  | {
      readonly kind: 'plan';
      readonly plan: string;
      readonly retention: Retention;
      readonly timezone: string;
      /** The merged configuration as it is now, to see whether points were made under another policy. */
      readonly configuration: unknown;
    }
  | { readonly kind: 'orphaned'; readonly plan: string }
  | { readonly kind: 'manual'; readonly olderThanSeconds: number };

export interface PruneConditions {
  /** The id of this state folder: only its own points are looked at. */
  readonly origin: string;
  readonly now: Temporal.Instant;
  /** Foreign archives may go by age. */
  readonly adopt: boolean;
  /** Where the points are foreign archives that may be of any of several services: the points of each of these. */
  readonly owners?: readonly (readonly RecoveryPoint[])[] | undefined;
}

export interface Decision {
  readonly point: PointSummary;
  readonly action: 'keep' | 'remove';
  readonly reasons: readonly string[];
}

/** What would become of each point of one service in one repository, newest first. */
export interface ServiceDecisions {
  readonly decisions: readonly Decision[];
  /** Why nothing of the service is removed, whatever the decisions say. */
  readonly refused: string | null;
  /** What has to be asked before anything is removed. */
  readonly question: string | null;
}

const keep = (reason: string): Verdict => ({ stays: true, reasons: [reason] });

/** Decides over all points of one service in one repository, as the repository itself lists them. */
export function decide(
  points: readonly RecoveryPoint[],
  scope: PruneScope,
  conditions: PruneConditions,
): ServiceDecisions {
  const { origin, now } = conditions;
  const sorted = points.toSorted(newestFirst);
  const own = ownOf(sorted, origin);
  const inScope = own.filter((point) => point.type === 'regular' && belongs(point, scope));
  const verdicts = judge(inScope, own, scope, now);
  const copies = new Set([...Map.groupBy(sorted, ({ id }) => id).values()].filter(({ length }) => length > 1).flat());
  const decisions = sorted.map((point): Decision => {
    const verdict = copies.has(point)
      ? keep('its id is there twice: a copy made by hand')
      : (verdicts.get(point.location) ?? outside(point, own, scope, conditions));
    return { point, action: verdict.stays ? 'keep' : 'remove', reasons: verdict.reasons };
  });
  const removed = new Set(decisions.filter(({ action }) => action === 'remove').map(({ point }) => point.location));
  return {
    decisions,
    refused: refusal(sorted, removed, conditions),
    question: question(inScope, removed, scope),
  };
}

const ownOf = (sorted: readonly RecoveryPoint[], origin: string): readonly RecoveryPoint[] =>
  sorted.filter((point) => point.origin === origin && !point.foreign);

function belongs({ plan }: RecoveryPoint, scope: PruneScope): boolean {
  return scope.kind === 'manual' ? plan === null : plan === scope.plan;
}

function judge(
  inScope: readonly RecoveryPoint[],
  own: readonly RecoveryPoint[],
  scope: PruneScope,
  now: Temporal.Instant,
): ReadonlyMap<string, Verdict> {
  if (scope.kind === 'plan') return retain(inScope, scope.retention, scope.timezone, now);
  // Without a policy of their own, the gate looks at all that the service has: what others prove better may go.
  const regular = own.filter(({ type, held }) => type === 'regular' && held === null);
  const proven = provenPoints(regular);
  const verdictOf = (point: RecoveryPoint): Verdict => {
    if (point.held !== null) return keep(`held: ${point.held.reason}`);
    const why = proven.get(point.location);
    if (why !== undefined) return { stays: true, reasons: why };
    if (scope.kind === 'orphaned') return { stays: false, reasons: [`plan ${scope.plan} is no longer configured`] };
    const limit = now.subtract({ seconds: scope.olderThanSeconds });
    return Temporal.Instant.compare(point.timestamp, limit) < 0
      ? { stays: false, reasons: [`made by hand before ${limit}`] }
      : keep(`made by hand after ${limit}`);
  };
  return new Map(inScope.map((point) => [point.location, verdictOf(point)]));
}

/** A point that the scope is not about. */
function outside(
  point: RecoveryPoint,
  own: readonly RecoveryPoint[],
  scope: PruneScope,
  { origin, now, adopt, owners }: PruneConditions,
): Verdict {
  if (point.held !== null) return keep(`held: ${point.held.reason}`);
  if (point.foreign) {
    const services = owners?.map((points) => ownOf(points.toSorted(newestFirst), origin)) ?? [own];
    return foreignVerdict(point, services, scope, now, adopt);
  }
  if (point.origin !== origin) return keep('made by another machine');
  if (point.type === 'safety') {
    const limit = now.subtract({ hours: SAFETY_DAYS * 24 });
    return Temporal.Instant.compare(point.timestamp, limit) < 0
      ? { stays: false, reasons: [`a safety point older than ${SAFETY_DAYS} days`] }
      : keep(`a safety point stays ${SAFETY_DAYS} days`);
  }
  return keep(point.plan === null ? 'made by hand' : `made by plan ${point.plan}`);
}

/** Foreign archives go by age alone, and only while there is a newer whole point of our own to count it from: of each
 *  service that they may be of, the oldest counts. */
function foreignVerdict(
  point: RecoveryPoint,
  services: readonly (readonly RecoveryPoint[])[],
  scope: PruneScope,
  now: Temporal.Instant,
  adopt: boolean,
): Verdict {
  const within = scope.kind === 'plan' ? withinOf(scope.retention) : 0;
  if (!adopt) return keep('foreign, and the repository does not adopt such');
  if (within === 0) return keep('foreign, and the policy has no `within`');
  if (services.length === 0) return keep('foreign, and several plans store here');
  const newest = services.map((own) =>
    own.find((candidate) => worth(candidate) === 2 && candidate.held === null && !isInFuture(candidate, now)),
  );
  const anchor = newest.toSorted((left, right) => (left && right ? newestFirst(right, left) : 0))[0];
  if (anchor === undefined || newest.includes(undefined)) return keep('foreign, and there is no point of our own yet');
  const limit = anchor.timestamp.subtract({ seconds: within });
  return Temporal.Instant.compare(point.timestamp, limit) < 0
    ? { stays: false, reasons: [`foreign, made before ${limit}`] }
    : keep(`foreign, made after ${limit}`);
}

function refusal(
  points: readonly RecoveryPoint[],
  removed: ReadonlySet<string>,
  { origin, now, owners }: PruneConditions,
): string | null {
  const clock = clockProblem(points, origin, now);
  if (clock !== null) return `the clock cannot be trusted: ${clock}`;
  if (removed.size === 0 || owners !== undefined) return null; // each of the services has newer ones
  const lasting = points.filter(({ type }) => type === 'regular');
  const [all, some] = [points, lasting].map((list) => list.length > 0 && list.every((at) => removed.has(at.location)));
  return all === true || some === true ? 'it would remove every point of the service' : null;
}

function question(inScope: readonly RecoveryPoint[], removed: ReadonlySet<string>, scope: PruneScope): string | null {
  const going = inScope.filter(({ location }) => removed.has(location));
  if (scope.kind === 'manual' || going.length * 2 <= inScope.length) return null;
  const share = `${going.length} of ${inScope.length} points`;
  if (scope.kind === 'orphaned') return `Plan ${scope.plan} is no longer configured. Remove ${share} that it made?`;
  const now = policyIn(scope.configuration, scope.plan);
  const changed = going.some(({ manifest }) => policyOf(manifest, scope.plan) !== now);
  return changed ? `The policy of plan ${scope.plan} was changed. Remove ${share}?` : null;
}

const policyOf = (manifest: Manifest | null, plan: string): string => policyIn(manifest?.configuration, plan);

/** The retention of a plan as a configuration says it, as text to compare, its keys in one order. */
function policyIn(configuration: unknown, plan: string): string {
  const { plans } = (configuration ?? {}) as { plans?: Record<string, { retention?: Record<string, unknown> }> };
  return JSON.stringify(Object.entries(plans?.[plan]?.retention ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
