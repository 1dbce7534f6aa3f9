import { anomaliesOf, POINTS_BEFORE_ANOMALIES } from '../domain/anomaly.ts';
import { clockProblem } from '../domain/clock-guard.ts';
import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Item, Manifest } from '../domain/manifest.ts';
import type { Hold, RecoveryPoint } from '../domain/recovery-point.ts';
import type { Draft, PointHeader, Repository } from '../ports/repository.ts';
import { beginWaiting } from './begin.ts';
import type { CaptureRequest } from './capture-request.ts';
import { captureSources } from './capture-sources.ts';
import { startedSince, writtenMeanwhile } from './container-writers.ts';
import type { Context } from './context.ts';
import { type EarlierPoints, earlierPoints } from './earlier-points.ts';
import { refresh } from './refresh.ts';
import { copiesOfGuards } from './service-record.ts';
import { readFrom, servingOf } from './serving.ts';
import { NO_SNAPSHOTS, planSourceSnapshots, type SourceSnapshots, sourceSnapshots } from './source-snapshots.ts';
import { vanishedOf } from './vanished.ts';
import { type Stillness, whileStopped } from './while-stopped.ts';

/** Reads the sources of a service into one new point of a repository. A failed item is a row of its manifest and stops
 *  no other. @throws NothingDone, SecretMissing when no item could be stored: such a point is not made; what the repository
 *  throws */
export async function capture(
  request: CaptureRequest,
  repository: Repository,
  context: Context,
  signal: AbortSignal,
): Promise<RecoveryPoint> {
  const { service, sources, units, unitsForGood: forGood = [] } = request;
  const begun = await begin(request, repository, context, signal);
  await using draft = begun.draft;
  const { points } = await refresh(repository, service.name, context, signal);
  const clock = clockProblem(points, context.origin, begun.header.timestamp);
  const own = points.filter(({ origin, type }) => origin === context.origin && type === 'regular');
  const earlier = earlierPoints(own, repository, context, signal);
  const forbidden = await forbiddenPaths(service, context);
  const host = await context.host(service.host);
  const { members: spared } = await servingOf(readFrom(sources), [...units, ...forGood], host, context, signal);
  const written = writtenMeanwhile(request.writers ?? [], spared);
  const planned =
    units.length > 0
      ? await planSourceSnapshots(service, sources, { latest: await earlier.latest(), written }, context, signal)
      : NO_SNAPSHOTS;
  await using snapshots = sourceSnapshots(planned, context, (error) => request.onLeftSnapshots?.(error));
  const items: Item[] = [];
  const unopened = new Map<string, unknown>();
  const read = async (release: () => Promise<void>): Promise<void> => {
    const onUnopened = (item: string, error: unknown): void => void unopened.set(item, error);
    const parts = { request, repository, draft, earlier, forbidden, snapshots, written, release, onUnopened };
    items.push(...(await captureSources(parts, context, signal)));
  };
  if (units.length + forGood.length === 0) await read(async () => {});
  else await readWhileStopped(request, { draft, snapshots, spared, read }, context, signal);
  refuseNothing(service.name, items, unopened);
  const manifest = manifestOf(begun, service.host, items, context);
  const hold = await holdOf(request, manifest, earlier, clock);
  return await draft.commit(manifest, hold, signal);
}

/** A point that was begun. */
interface Begun {
  readonly draft: Draft;
  readonly header: PointHeader;
  readonly begunAt: Temporal.Instant;
  /** The same by the monotonic clock, in milliseconds. */
  readonly fromMs: number;
}

/** @throws RepositoryLocked while another run on the service does not end in time */
async function begin(
  { service, plan, timezone, id, type = 'regular', lockWaitMs }: CaptureRequest,
  repository: Repository,
  { clock, identifiers, origin }: Pick<Context, 'clock' | 'identifiers' | 'origin'>,
  signal: AbortSignal,
): Promise<Begun> {
  let begunAt = clock.now();
  let fromMs = clock.monotonicMs();
  const header = (): PointHeader => {
    begunAt = clock.now();
    fromMs = clock.monotonicMs();
    const timestamp = begunAt.round({ smallestUnit: 'second', roundingMode: 'floor' });
    return { id: id ?? identifiers.next(begunAt), service: service.name, plan, type, origin, timestamp, timezone };
  };
  const begun = await beginWaiting(repository, header, lockWaitMs, clock, signal);
  return { ...begun, begunAt, fromMs };
}

interface StoppedReading {
  readonly draft: Draft;
  readonly snapshots: SourceSnapshots;
  /** Members of the units that go on: the servers that are read. */
  readonly spared: ReadonlySet<string>;
  /** Reads all sources. @param release once nothing more is read of what the units change */
  read(release: () => Promise<void>): Promise<void>;
}

/** Reads the sources with the units down, from snapshots where that can be, and tells whoever asked for the point what
 *  became of the units. */
async function readWhileStopped(
  { service, units, unitsForGood: forGood = [], writers, onUnitProblem, onStopped }: CaptureRequest,
  { draft, snapshots, spared, read }: StoppedReading,
  context: Context,
  signal: AbortSignal,
): Promise<void> {
  await draft.warm();
  let since: Promise<readonly unknown[]> | undefined;
  const work = async ({ down, release }: Stillness): Promise<void> => {
    if (down) await snapshots.take(signal);
    await read(async () => {
      await release();
      // once all runs again, so that nothing stays down for the sake of the question
      if (down && writers !== undefined)
        since ??= startedSince(service, { writers, units }, context, signal).catch((error) => [error]);
    });
  };
  const what = { verb: 'backup', subject: service.name, units, forGood, spared };
  const { problems, stopped, downtimeMs, startedMs } = await whileStopped(what, context, signal, work);
  for (const problem of [...problems, ...((await since) ?? [])]) onUnitProblem(problem);
  const readings = snapshots.readings();
  if (stopped.length > 0) onStopped?.({ stopped, downtimeMs, startedMs, readings });
  await snapshots[Symbol.asyncDispose]();
}

/** What belongs to Holdfast itself: its own folders, the states that recoveries moved aside and the snapshots that guard
 *  made beside trees, which may lie in a source. */
async function forbiddenPaths(
  { host }: ServiceDefinition,
  { catalog, forbiddenPaths: own }: Pick<Context, 'catalog' | 'forbiddenPaths'>,
): Promise<readonly string[]> {
  const kept = await catalog.keptStates({});
  const copies = host === 'local' ? await copiesOfGuards(catalog) : [];
  return [...own, ...kept.flatMap((state) => ('path' in state && state.host === host ? [state.path] : [])), ...copies];
}

/** Secrets that cannot be had are a mistake in the configuration, and said as such (interface, section 1). */
function refuseNothing(service: string, items: readonly Item[], unopened: ReadonlyMap<string, unknown>): void {
  if (items.some(({ outcome }) => outcome !== 'failed')) return;
  const reasons = items.map(({ name, error }) => `${name}: ${error}`).join('; ');
  const words = `No item of ${service} could be stored: ${reasons}`;
  const errors = items.map(({ name }) => unopened.get(name));
  const [first] = errors;
  if (first instanceof HoldfastError && errors.every(lacksSecret))
    throw new HoldfastError(first.code, words, service, { cause: first, hint: first.hint });
  throw new HoldfastError('NothingDone', words, service);
}

const lacksSecret = (error: unknown): boolean => error instanceof HoldfastError && error.code === 'SecretMissing';

function manifestOf(
  { header, begunAt, fromMs }: Begun,
  host: string,
  items: Item[],
  { clock, version, machine, configuration }: Context,
): Manifest {
  const { id, service, plan, type, origin, timestamp } = header;
  const durationMs = Math.round(clock.monotonicMs() - fromMs);
  const failed = items.filter(({ outcome }) => outcome === 'failed').length;
  return {
    format: 1,
    id,
    service,
    plan,
    type,
    host: host === 'local' ? machine : host,
    origin,
    timestamp: `${timestamp}`,
    // Not the clock again, which may have jumped meanwhile.
    completedAt: `${begunAt.add({ milliseconds: durationMs }).round('millisecond')}`,
    durationMs,
    outcome: items.every(({ outcome }) => outcome === 'passed') ? 'passed' : 'partial',
    holdfast: version,
    counts: { succeeded: items.length - failed, failed },
    totalSize: totalSizeOf(items),
    items,
    configuration,
  };
}

/** The sum of the sizes of what is stored. */
export const totalSizeOf = (items: readonly Item[]): number =>
  items.reduce((sum, { outcome, size }) => (outcome === 'failed' ? sum : sum + size), 0);

async function holdOf(
  { anomaly, lossAccepted }: CaptureRequest,
  manifest: Manifest,
  earlier: EarlierPoints,
  clock: string | null,
): Promise<Hold | null> {
  const { items, timestamp } = manifest;
  const at = Temporal.Instant.from(timestamp);
  if (clock !== null) return { by: 'clock', at, reason: `the clock cannot be trusted: ${clock}` };
  if (earlier.unheld < POINTS_BEFORE_ANOMALIES) return null;
  const references = new Map<string, Item>();
  for (const { name } of items) {
    const found = await earlier.reference(name);
    if (found !== null) references.set(name, found.item);
  }
  const found = [...anomaliesOf(items, (name) => references.get(name), anomaly, lossAccepted)];
  for (const source of anomaly === false || lossAccepted ? [] : new Set(items.map((item) => item.source))) {
    const before = (await earlier.withSource(source))?.manifest ?? null;
    if (before !== null) found.push(...vanishedOf(source, before, manifest));
  }
  return found.length > 0 ? { by: 'anomaly', at, reason: found.join('; ') } : null;
}
