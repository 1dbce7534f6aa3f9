import { HoldfastError } from '../domain/errors.ts';
import { decide, type PruneScope, type ServiceDecisions } from '../domain/pruning.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import type { KeptState } from '../ports/catalog.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { type Failure, failureOf } from './failure.ts';

export interface PruneRequest {
  /** All configured plans when null; also the name of one that is no longer configured. */
  readonly plan: string | null;
  /** Only in these; the plan's when empty. */
  readonly repositories: readonly string[];
  /** Only these; all that the plan has points of when empty. */
  readonly services: readonly string[];
  /** Points made by hand that are older, in place of a plan's. */
  readonly manualOlderThanSeconds: number | null;
  readonly lockWaitMs: number;
}

/** What would become of the points of one service in one repository, as one plan's policy has it. */
export interface PlannedPrune extends ServiceDecisions {
  readonly repository: string;
  readonly service: string;
  /** Null for points made by hand. */
  readonly plan: string | null;
}

/** A plan to print (`--dry-run`), to ask about (`question` of each), or to perform. */
export interface PrunePlan {
  readonly request: PruneRequest;
  readonly services: readonly PlannedPrune[];
  /** States that restores in place moved aside and whose time is over. */
  readonly keptStates: readonly KeptState[];
  /** Repositories and points that could not be looked at. */
  readonly failures: readonly Failure[];
}

type Ports = Pick<Context, 'clock' | 'origin' | 'configuration' | 'plans'>;

/** Decides over every point, changing nothing. Manifests, holds and evidence are read from the repositories themselves.
 *  @param arriving points that do not exist yet and would be there by then; nothing is decided about them
 *  @throws PlanNotFound for a plan that neither is configured nor has a point; RepositoryNotFound and the like for a
 *  repository that was named */
export async function planPrune(
  request: PruneRequest,
  context: Context,
  signal: AbortSignal,
  arriving: readonly RecoveryPoint[] = [],
): Promise<PrunePlan> {
  const services: PlannedPrune[] = [];
  const failures: Failure[] = [];
  const listed = new Map<string, ReadonlyMap<string, RecoveryPoint[]>>();
  for (const { plan, repositories } of wanted(request, context))
    for (const name of repositories) {
      try {
        const repository = await context.repository(name);
        const byService = listed.get(name) ?? (await listAll(repository, failures, signal));
        listed.set(name, byService);
        const scope = scopeOf(plan, request, context);
        for (const [service, points] of byService) {
          if (!isAsked(service, plan, points, request)) continue;
          const added = arriving.filter((point) => point.repository === name && point.service === service);
          const owners = ownersOf({ service, plan, repository: name }, byService, context);
          const decided = decideService([...points, ...added], scope, repository, context, owners);
          const decisions = decided.decisions.filter(({ point }) => !added.some(({ id }) => id === point.id));
          services.push({ repository: name, service, plan, ...decided, decisions });
        }
      } catch (error) {
        signal.throwIfAborted();
        if (request.repositories.length > 0) throw error;
        failures.push(failureOf(error, plan ?? '', name));
      }
    }
  const { plan } = request;
  const made = services.some(({ decisions }) => decisions.some(({ point }) => point.plan === plan));
  const unseen = failures.some(({ code }) => code !== 'Damaged'); // its points may be where nothing could be listed
  const known = plan === null || context.plans.has(plan) || made || unseen;
  if (!known)
    throw new HoldfastError('PlanNotFound', `No plan is called "${plan}", and no point was made by it.`, plan);
  const keptStates = await context.catalog.keptStates({ endedBy: context.clock.now() });
  return { request, services, keptStates, failures };
}

/** Which plans are looked at in which repositories. A plan of null stands for points made by hand. */
function wanted(
  { plan, repositories, manualOlderThanSeconds }: PruneRequest,
  { plans, repositoryNames }: Context,
): readonly { readonly plan: string | null; readonly repositories: readonly string[] }[] {
  const all = repositories.length > 0 ? repositories : repositoryNames;
  if (manualOlderThanSeconds !== null) return [{ plan: null, repositories: all }];
  if (plan !== null && !plans.has(plan)) return [{ plan, repositories: all }];
  return [...plans.values()]
    .filter(({ name }) => plan === null || name === plan)
    .map(({ name, repositories: own }) => ({ plan: name, repositories: repositories.length > 0 ? repositories : own }));
}

async function listAll(
  repository: Repository,
  failures: Failure[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, RecoveryPoint[]>> {
  const { points, unreadable } = await repository.list({}, signal);
  for (const { service, location, problem } of unreadable) {
    const error = new HoldfastError('Damaged', `${location} is left alone: ${problem}`, location);
    failures.push(failureOf(error, service, repository.name));
  }
  return Map.groupBy(points, ({ service }) => service);
}

/** A service that the plan made no point of has nothing to decide, except foreign archives and safety points. */
function isAsked(
  service: string,
  plan: string | null,
  points: readonly RecoveryPoint[],
  { services }: PruneRequest,
): boolean {
  if (services.length > 0 && !services.includes(service)) return false;
  return points.some((point) => point.plan === plan || point.type === 'safety' || point.foreign);
}

/** What a prune for this plan, or for points made by hand, is about. */
export function scopeOf(
  plan: string | null,
  { manualOlderThanSeconds }: PruneRequest,
  { plans, configuration }: Pick<Context, 'plans' | 'configuration'>,
): PruneScope {
  if (plan === null) {
    if (manualOlderThanSeconds === null) throw new Error('Points made by hand are only pruned by an age.');
    return { kind: 'manual', olderThanSeconds: manualOlderThanSeconds };
  }
  const definition = plans.get(plan);
  if (definition === undefined) return { kind: 'orphaned', plan };
  const { retention, timezone } = definition;
  return { kind: 'plan', plan, retention, timezone, configuration };
}

/** Points of the services that foreign archives may be of, where a repository has those of several and nobody can tell
 *  whose an archive is: none where another plan stores there, too. Undefined for the points of one service. */
export function ownersOf(
  { service, plan, repository }: Pick<PlannedPrune, 'service' | 'plan' | 'repository'>,
  all: ReadonlyMap<string, readonly RecoveryPoint[]>,
  { services, plans }: Pick<Context, 'services' | 'plans'>,
): readonly (readonly RecoveryPoint[])[] | undefined {
  const foreign = (all.get(service) ?? []).every((point) => point.foreign);
  if (!foreign || services.has(service)) return undefined;
  const storing = [...plans.values()].filter(({ repositories }) => repositories.includes(repository));
  if (storing.length !== 1 || storing[0]?.name !== plan) return [];
  return storing[0].services.map((name) => all.get(name) ?? []);
}

/** @param owners as {@link ownersOf} */
export const decideService = (
  points: readonly RecoveryPoint[],
  scope: PruneScope,
  { capabilities }: Repository,
  { clock, origin }: Ports,
  owners: readonly (readonly RecoveryPoint[])[] | undefined,
): ServiceDecisions => decide(points, scope, { origin, now: clock.now(), adopt: capabilities.adopt, owners });
