import type { Container } from '../domain/containers.ts';
import type { AnomalyBounds, PlanDefinition, ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import { didYouMean } from '../domain/nearest.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import { unitReferencesOf } from '../domain/unit-reference.ts';
import type { Source } from '../ports/source.ts';
import type { Unit } from '../ports/unit.ts';
import { backUpService, type Made, type StopReport } from './backup-service.ts';
import type { Context } from './context.ts';
import { type Failure, throwCommonFailure } from './failure.ts';
import { recorded } from './recorded.ts';
import { containersAround, type FoundStops, foundStops } from './service-containers.ts';

export interface BackupRequest {
  /** All services, or all of the plan, when empty. */
  readonly services: readonly string[];
  /** Null: points made by hand, which no policy removes. */
  readonly plan: string | null;
  /** In this order. When empty: the plan's; without a plan those of the plans that have the service, else all. */
  readonly repositories: readonly string[];
  /** Services of which a path that had files may have none, this once. */
  readonly acceptLoss: readonly string[];
  /** How long another run on the same service is waited for. */
  readonly lockWaitMs: number;
  /** Items of a service that are stored side by side; 2 when left out. */
  readonly jobs?: number | undefined;
}

/** Outcome: `passed` when every item of every service is in every repository and nothing is held; `partial` when there
 *  is a point and something failed or is held; `failed` when there is no point. */
export interface BackupReport {
  readonly run: string;
  readonly outcome: 'passed' | 'partial' | 'failed';
  readonly durationMs: number;
  /** One for each service and repository, in the order they were made. */
  readonly points: readonly RecoveryPoint[];
  readonly failures: readonly Failure[];
  /** Services of which something was stopped, and how long it was down. */
  readonly stops: readonly StopReport[];
}

/** Bounds for what no plan has (interface, section 1). */
const DEFAULT_ANOMALY: AnomalyBounds = { shrink: 0.5, grow: 3 };

/** Makes recovery points. Each service is read once, into its first repository; the others are filled from that point.
 *  Only where the first failed is the service read for the next. A failed service stops no other.
 *  @throws ServiceNotFound, PlanNotFound, RepositoryNotFound, Usage before anything is done; when there is no point at
 *  all and every failure is the same, that one (RepositoryNotFound, RepositoryLocked, WrongPassword, Unsupported); the signal's reason */
export async function backup(request: BackupRequest, context: Context, signal: AbortSignal): Promise<BackupReport> {
  const plan = request.plan === null ? null : planNamed(request.plan, context);
  const jobs = jobsOf(request, context);
  const what = { verb: 'backup', plan: request.plan, services: jobs.map(({ service }) => service.name) };
  const perform = async (): Promise<Omit<BackupReport, 'run' | 'durationMs'>> => {
    const made: Made = { points: [], failures: [], stops: [] };
    const { points, failures, stops } = made;
    const timezone = plan?.timezone ?? Temporal.Now.timeZoneId();
    for (const { service, repositories } of jobs) {
      context.progress({ type: 'step', subject: service.name, text: 'backup' });
      const one = {
        service,
        repositories,
        plan: plan?.name ?? null,
        timezone,
        jobs: request.jobs,
        anomaly: anomalyOf(service, plan, context),
        lossAccepted: request.acceptLoss.includes(service.name),
        lockWaitMs: request.lockWaitMs,
        openSources: () => sourcesOf(service, context),
        openUnits: (around: readonly Container[]) => stopsOf(service, around, context, signal),
      };
      await backUpService(one, made, context, signal);
    }
    if (points.length === 0) throwCommonFailure(failures);
    return { outcome: outcomeOf(points, failures), points, failures, stops };
  };
  return recorded(what, context, perform, ({ points, failures, stops }) => ({
    points: points.map(({ id, repository, service, outcome, totalSize, held }) => ({
      id,
      repository,
      service,
      outcome,
      totalSize,
      held: held?.reason ?? null,
    })),
    failures,
    stops,
  }));
}

type Declared = Pick<Context, 'services' | 'plans' | 'repositoryNames'>;

interface Job {
  readonly service: ServiceDefinition;
  readonly repositories: readonly string[];
}

/** What a request means. @throws ServiceNotFound, PlanNotFound, RepositoryNotFound, Usage */
export function jobsOf(request: BackupRequest, context: Declared): readonly Job[] {
  const plan = request.plan === null ? null : planNamed(request.plan, context);
  const services = servicesOf(request.services, plan, context);
  return services.map((service) => ({
    service,
    repositories: repositoriesOf(service, request.repositories, plan, context),
  }));
}

/** The sources of a service, opened in their order: all of them before the first is read, so that nothing is half done for
 *  want of an adapter. @throws ConfigurationInvalid for a service without any; what opening one throws */
export async function sourcesOf(
  service: ServiceDefinition,
  context: Pick<Context, 'source'>,
): Promise<readonly Source[]> {
  const { name } = service;
  if (service.sources.length === 0)
    throw new HoldfastError('ConfigurationInvalid', `${name} has no sources: there is nothing to capture.`, name);
  const sources: Source[] = [];
  for (const source of service.sources) sources.push(await context.source(service, source));
  return sources;
}

/** The units that the service wants stopped while it is read: those that it declares, and containers by their labels or
 *  since they share what is read. @throws Unsupported; what {@link foundStops} throws */
async function stopsOf(
  service: ServiceDefinition,
  around: readonly Container[],
  context: Pick<Context, 'unit' | 'containers' | 'host' | 'progress'>,
  signal: AbortSignal,
): Promise<FoundStops> {
  const { units, host, stopDuring } = service;
  const stopped = stopDuring.backup === false ? [] : unitReferencesOf(units, host);
  const declared = await Promise.all(stopped.map((reference) => context.unit(reference)));
  const found = await foundStops(service, around, declared, context, signal);
  return { ...found, units: [...declared, ...found.units] };
}

/** What stops while the service is read, and who can write to it. @throws as {@link containersAround} */
export const stopsAround = async (
  service: ServiceDefinition,
  context: Pick<Context, 'unit' | 'containers' | 'host' | 'progress'>,
  signal: AbortSignal,
): Promise<FoundStops> => await stopsOf(service, await containersAround(service, context, signal), context, signal);

/** All that stops while the service is read, what is left down too. @throws as {@link containersAround} */
export async function unitsToStop(
  service: ServiceDefinition,
  context: Pick<Context, 'unit' | 'containers' | 'host' | 'progress'>,
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly Unit[]> {
  const { units, forGood } = await stopsAround(service, context, signal);
  return [...units, ...forGood];
}

export function planNamed(name: string, { plans }: Pick<Context, 'plans'>): PlanDefinition {
  const plan = plans.get(name);
  if (plan !== undefined) return plan;
  throw new HoldfastError('PlanNotFound', `No plan is called "${name}".${didYouMean(name, plans.keys())}`, name);
}

function servicesOf(
  names: readonly string[],
  plan: PlanDefinition | null,
  { services }: Declared,
): readonly ServiceDefinition[] {
  const wanted = names.length > 0 ? [...new Set(names)] : (plan?.services ?? [...services.keys()]);
  if (wanted.length === 0)
    throw new HoldfastError('ConfigurationInvalid', 'There is no service to back up.', plan?.name ?? 'services');
  return wanted.map((name) => {
    const service = services.get(name);
    if (service === undefined) {
      const words = `No service is called "${name}".${didYouMean(name, services.keys())}`;
      throw new HoldfastError('ServiceNotFound', words, name);
    }
    if (plan !== null && !plan.services.includes(name))
      throw new HoldfastError('Usage', `Service ${name} is not in plan ${plan.name}.`, name);
    return service;
  });
}

const plansOf = (service: ServiceDefinition, { plans }: Pick<Context, 'plans'>): readonly PlanDefinition[] =>
  [...plans.values()].filter(({ services }) => services.includes(service.name));

/** Those that were asked for; else those of the plan, or of the plans that have the service; else all. */
export function repositoriesOf(
  service: ServiceDefinition,
  repositories: readonly string[],
  plan: PlanDefinition | null,
  context: Pick<Context, 'plans' | 'repositoryNames'>,
): readonly string[] {
  const declared = plan?.repositories ?? plansOf(service, context).flatMap((other) => other.repositories);
  const [wanted] = [repositories, declared, context.repositoryNames].filter(({ length }) => length > 0);
  if (wanted === undefined)
    throw new HoldfastError('ConfigurationInvalid', 'No repository is configured.', 'repositories');
  const unknown = wanted.find((name) => !context.repositoryNames.includes(name));
  if (unknown === undefined) return [...new Set(wanted)];
  const hint = 'See the repositories with: holdfast repository list';
  const words = `No repository is called "${unknown}".${didYouMean(unknown, context.repositoryNames)}`;
  throw new HoldfastError('RepositoryNotFound', words, unknown, { hint });
}

/** Of points made by hand: the bounds of the first plan that has the service. */
export const anomalyOf = (
  service: ServiceDefinition,
  plan: PlanDefinition | null,
  context: Pick<Context, 'plans'>,
): AnomalyBounds => (plan ?? plansOf(service, context)[0])?.anomaly ?? DEFAULT_ANOMALY;

function outcomeOf(points: readonly RecoveryPoint[], failures: readonly Failure[]): BackupReport['outcome'] {
  if (points.length === 0) return 'failed';
  const whole = points.every(({ outcome, held }) => outcome === 'passed' && held === null);
  return whole && failures.length === 0 ? 'passed' : 'partial';
}
