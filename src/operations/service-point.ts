import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import { removableSnapshots } from '../domain/snapshot-retention.ts';
import type { Repository } from '../ports/repository.ts';
import type { Source } from '../ports/source.ts';
import type { Unit } from '../ports/unit.ts';
import { anomalyOf, repositoriesOf, sourcesOf, stopsAround } from './backup.ts';
import { capture } from './capture.ts';
import { writtenMeanwhile } from './container-writers.ts';
import type { ServiceContext } from './service-context.ts';
import { labelOf, poolOfService, type RecordedPoint, recordedPoints, type ServicePoint } from './service-record.ts';
import { nameCopies, planTrees, removeCopies, type TreePlan, takeCopies } from './service-trees.ts';
import { readFrom, servingOf } from './serving.ts';
import { whileStopped } from './while-stopped.ts';

/** What a point of a service will consist of, found out before anything is made. */
export interface PlannedPoint {
  readonly service: ServiceDefinition;
  readonly tree: TreePlan;
  /** Null when snapshots hold all. */
  readonly repository: Repository | null;
  /** Stopped while it is made, when the service wants that. */
  readonly stopped: readonly Unit[];
  /** Members of them that go on: the servers that are read. */
  readonly spared: ReadonlySet<string>;
}

/** @throws Unsupported for a source that cannot be taken back; Refused for a server that lets nothing be taken back, and
 *  when the service has no archive repository and needs one; SourceMissing, NoSpace */
export async function planPoint(
  service: ServiceDefinition,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<PlannedPoint> {
  const sources = await sourcesOf(service, context);
  refuseWithoutWayBack(sources);
  for (const { databases } of sources) await databases?.confirmExchange([], signal);
  const { units, forGood, writers } = await stopsAround(service, context, signal);
  const stopped = [...units, ...forGood];
  const on = await context.host(service.host);
  const { members: spared } = await servingOf(readFrom(sources), stopped, on, context, signal);
  const written = writtenMeanwhile(writers, spared);
  const holdsStill = (source: string): boolean => stopped.length > 0 && !written.has(source);
  const tree = await planTrees(service, sources, holdsStill, context, signal);
  const repository = tree.rest.length === 0 ? null : await archiveOf(service, context);
  return { service, tree, repository, stopped, spared };
}

/** A point that could not be taken back is no protection: said before the command runs. */
function refuseWithoutWayBack(sources: readonly Source[]): void {
  const source = sources.find(({ capabilities }) => !capabilities.inPlace);
  if (source === undefined) return;
  const words = `Guard cannot take ${source.name} back, a source of kind ${source.kind}.`;
  throw new HoldfastError('Unsupported', words, source.name, {
    hint: 'Make a point with holdfast backup, and take back what can be: holdfast restore SERVICE --item NAME',
  });
}

/** The service's first archive repository. */
async function archiveOf(service: ServiceDefinition, context: ServiceContext): Promise<Repository> {
  for (const name of repositoriesOf(service, [], null, context)) {
    const repository = await context.repository(name);
    if (repository.engine === 'archive') return repository;
  }
  const words = `${service.name} has no archive repository for what no snapshot can hold of it.`;
  throw new HoldfastError('Refused', words, service.name, { hint: 'Declare one, or a plan that has one' });
}

/** Makes what was planned and named: images are kept, trees snapshotted, the rest read into the repository. Left with an
 *  error, what was made of it stays until {@link removePoint}.
 *  @returns what is in the repository; null when snapshots hold all
 *  @throws Refused when not all of it could be captured: it could not be taken back */
export async function makePoint(
  { service, tree, repository, stopped, spared }: PlannedPoint,
  point: ServicePoint,
  units: readonly Unit[],
  context: ServiceContext,
  signal: AbortSignal,
): Promise<{ readonly archived: RecoveryPoint | null }> {
  for (const [index, { images }] of point.images.entries())
    await units[index]?.keepImages(labelOf(point), images, signal);
  const make = async (): Promise<RecoveryPoint | null> => {
    await takeCopies(point.trees, context, signal);
    return repository === null ? null : await archive(service, tree, repository, point.id, context, signal);
  };
  if (stopped.length === 0) return { archived: await make() };
  const what = { verb: 'backup', subject: service.name, units: stopped, spared };
  const { result, problems } = await whileStopped(what, context, signal, make);
  if (problems.length === 0) return { archived: result };
  throw new HoldfastError('Refused', `${service.name} does not run as before: ${messageOf(problems[0])}`, service.name);
}

async function archive(
  service: ServiceDefinition,
  { rest }: TreePlan,
  repository: Repository,
  id: string,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<RecoveryPoint> {
  const whole = rest.length === service.sources.length;
  const sources = [];
  for (const definition of rest) sources.push(await context.source(service, definition));
  const request = {
    service: { ...service, sources: rest },
    sources,
    plan: null,
    id,
    // what lacks the trees must never be taken for a backup of the service
    type: whole ? ('regular' as const) : ('safety' as const),
    timezone: Temporal.Now.timeZoneId(),
    anomaly: whole && anomalyOf(service, null, context),
    lossAccepted: false,
    lockWaitMs: context.guard.limit * 1000,
    anotherRepository: false,
    units: [],
    onUnitProblem: () => {},
  };
  const point = await capture(request, repository, context, signal);
  await context.catalog.remember([point]);
  const failed = point.items.filter(({ outcome }) => outcome !== 'passed').map(({ name }) => name);
  if (point.outcome === 'passed' && failed.length === 0) return point;
  const words = `Not all of ${service.name} could be captured: ${failed.join(', ')}.`;
  throw new HoldfastError('Refused', words, service.name, { hint: `See why with: holdfast show ${point.id}` });
}

/** Names of a point that will be made now. */
export const namePoint = async (
  { service, tree, repository }: PlannedPoint,
  { operation, id, at }: { readonly operation: string; readonly id: string; readonly at: Temporal.Instant },
  units: readonly Unit[],
  context: ServiceContext,
  signal: AbortSignal,
): Promise<ServicePoint> => ({
  id,
  service: service.name,
  operation,
  repository: repository?.name ?? null,
  trees: await nameCopies(tree, operation, at, context, signal),
  images: await Promise.all(units.map(async (unit) => ({ unit: unit.reference, images: await unit.images(signal) }))),
});

/** Lets go of the snapshots and images of a point. What is in a repository stays: its own retention removes it. */
export async function removePoint(point: ServicePoint, context: ServiceContext, signal: AbortSignal): Promise<void> {
  for (const { unit } of point.images) await (await context.unit(unit)).releaseImages(labelOf(point), signal);
  await removeCopies(point.trees, context, signal);
}

/** Removes points of a service that guard made and that nobody needs any more, by record: the newest, the young, those
 *  whose outcome is open and the newest that ended well stay (interface, section 10, line 15). What cannot be removed is
 *  told, and tried again after the next guard. */
export async function retainPoints(service: string, context: ServiceContext): Promise<void> {
  const signal = new AbortController().signal;
  const { catalog, guard, clock, progress } = context;
  try {
    const inUse = new Set((await context.journal()).open().map(({ detail }) => pointIn(detail)));
    const recorded = (await recordedPoints(service, context)).filter(({ point }) => !inUse.has(point.id));
    for (const one of recorded) if (!one.detail.whole) await forget(one, context, signal);
    const points = new Map(recorded.filter(({ detail }) => detail.whole).map((one) => [one.point.id, one]));
    const pool = poolOfService(service);
    const rows = (await catalog.snapshots({ subvolume: service })).filter(
      (row) => row.pool === pool && points.has(row.name),
    );
    for (const { name } of removableSnapshots(rows, guard.keep, clock.now()))
      await forget(points.get(name) as RecordedPoint, context, signal);
  } catch (error) {
    progress({ type: 'warning', subject: service, text: `old points were not removed: ${messageOf(error)}` });
  }
}

const pointIn = (detail: unknown): unknown => (detail as { readonly point?: unknown } | null)?.point;

async function forget(
  { point, run, detail }: RecordedPoint,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<void> {
  await removePoint(point, context, signal);
  await context.catalog.recordRun({ ...run, detail: { ...detail, removed: true } });
}
