import { type Container, placesOf, sharedBy } from '../domain/containers.ts';
import type { AnomalyBounds, ServiceDefinition } from '../domain/definitions.ts';
import { type ErrorCode, HoldfastError } from '../domain/errors.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Source } from '../ports/source.ts';
import { capture } from './capture.ts';
import type { Stop } from './capture-request.ts';
import type { Context } from './context.ts';
import { copyPoint } from './copy-point.ts';
import { type Failure, failureOf } from './failure.ts';
import { untilAllRun } from './fallen-units.ts';
import { confirmCommands, runLabelled, signalAfter, unpreparedBy } from './label-commands.ts';
import { containersAround, type FoundStops, warnOfLabels } from './service-containers.ts';
import { waitForService } from './service-wait.ts';

/** One service that is backed up. */
export interface ServiceBackup {
  readonly service: ServiceDefinition;
  /** The first that can is written from the sources, the others from it. */
  readonly repositories: readonly string[];
  readonly plan: string | null;
  readonly timezone: string;
  readonly anomaly: AnomalyBounds;
  readonly lossAccepted: boolean;
  readonly lockWaitMs: number;
  readonly jobs: number | undefined;
  /** @throws Unsupported, ConfigurationInvalid */
  openSources(): Promise<readonly Source[]>;
  /** Units that are stopped while it is read. @throws Unsupported; what {@link foundStops} throws */
  openUnits(around: readonly Container[]): Promise<FoundStops>;
}

/** What was down, for people and scripts. */
export interface StopReport {
  readonly service: string;
  readonly units: readonly string[];
  readonly downtimeMs: number;
  readonly readings: Stop['readings'];
}

/** What was made and what failed, in the order it happened. */
export interface Made {
  readonly points: RecoveryPoint[];
  readonly failures: Failure[];
  readonly stops: StopReport[];
}

interface First {
  readonly point: RecoveryPoint;
  readonly repository: Repository;
  /** Those that are filled from it. */
  readonly others: readonly string[];
}

/** Backs up one service and adds to `made` what became of it; what fails is a row of it.
 *  @throws the signal's reason */
export async function backUpService(
  backup: ServiceBackup,
  made: Made,
  context: Context,
  signal: AbortSignal,
): Promise<void> {
  const { service } = backup;
  const fail = (error: unknown, repository: string | null): void =>
    void made.failures.push(failureOf(error, service.name, repository));
  let opened: Opened;
  try {
    opened = await open(backup, context, signal);
  } catch (error) {
    signal.throwIfAborted();
    return fail(error, null);
  }
  const { around } = opened;
  for (const error of opened.unstopped) fail(error, null);
  const stops: Stop[] = [];
  const problems: unknown[] = [];
  let first: First | null;
  try {
    const failed = await runLabelled('archive-pre', service, around, context, signal);
    for (const { error } of failed) fail(error, null);
    const unprepared = unpreparedBy(failed, service);
    const inVain = service.sources.every(({ name }) => unprepared.has(name)); // nothing stops for what is not read
    const prepared = { ...opened, ...(inVain ? { units: [], forGood: [] } : {}), unprepared, stops, problems };
    first = await captureFirst(backup, prepared, made, context, signal);
    // one that did not start was told already
    if (first !== null && problems.length === 0) await lookAtHealth(service.name, stops, made, context, signal);
  } finally {
    // what a command prepared is cleaned up whatever happened
    const last = signalAfter(signal);
    for (const { error } of await runLabelled('archive-post', service, around, context, last)) fail(error, null);
  }
  for (const { stopped, downtimeMs, readings } of stops)
    made.stops.push({ service: service.name, units: stopped.map(({ unit }) => unit.name), downtimeMs, readings });
  if (first !== null) await copyToOthers(backup, first, around, made, context, signal);
}

interface Opened extends FoundStops {
  readonly sources: readonly Source[];
  readonly around: readonly Container[];
}

/** What the service needs is looked at before its first step, so that nothing is half done for want of an adapter. */
async function open(backup: ServiceBackup, context: Context, signal: AbortSignal): Promise<Opened> {
  const sources = await backup.openSources();
  // one that is not there is told when it is captured
  const roots = await Promise.allSettled(sources.map(async (source) => await source.snapshotRoots(signal)));
  const trees = roots.flatMap((one) => (one.status === 'fulfilled' ? one.value.map(({ path }) => path) : []));
  await waitForService(backup.service.name, 'backup', context, signal, trees);
  const around = await containersAround(backup.service, context, signal);
  warnOfLabels(around, context);
  confirmCommands(backup.service, around);
  const found = await backup.openUnits(around);
  sources.forEach(({ name }, index) => {
    const root = roots[index];
    if (root?.status === 'rejected') refuseLoss(name, root.reason, backup.service, around, found);
  });
  return { sources, around, ...found };
}

/** A stop must not take away what it is for: when all stop who use what is lost then.
 *  @param reason why nothing can tell where the source is read
 *  @throws the reason, which is Unsupported */
function refuseLoss(
  source: string,
  reason: unknown,
  service: ServiceDefinition,
  around: readonly Container[],
  { writers }: FoundStops,
): void {
  if (!(reason instanceof HoldfastError) || reason.code !== 'Unsupported') return;
  const places = placesOf(service).filter((place) => place.source === source);
  const users = around.filter((one) => one.running && sharedBy(one, places, { writable: false }).length > 0);
  const stopping = new Set(writers.flatMap(({ container, stops }) => (stops ? [container] : [])));
  if (users.length > 0 && users.every(({ name }) => stopping.has(name))) throw reason;
}

const NOT_THE_REPOSITORY: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['NothingDone', 'UnitMissing', 'UnitFailed']);

interface Prepared extends Opened {
  readonly unprepared: ReadonlyMap<string, unknown>;
  /** Filled when units were stopped. */
  readonly stops: Stop[];
  /** Filled with what is wrong with the units nevertheless. */
  readonly problems: unknown[];
}

/** Reads the service into the first repository that takes it. Null when none did, or when the sources or the units are
 *  to blame: the next repository would see the same. */
async function captureFirst(
  { service, repositories, openSources: _, openUnits: __, ...wanted }: ServiceBackup,
  { sources, units, forGood, writers, unprepared, stops, problems }: Prepared,
  made: Made,
  context: Context,
  signal: AbortSignal,
): Promise<First | null> {
  for (const [index, name] of repositories.entries()) {
    const others = repositories.slice(index + 1);
    try {
      const repository = await context.repository(name);
      const request = {
        ...wanted,
        service,
        sources,
        units,
        unitsForGood: forGood,
        writers,
        unprepared,
        onUnitProblem: (error: unknown) => {
          problems.push(error);
          made.failures.push(failureOf(error, service.name, null));
        },
        onLeftSnapshots: (error: unknown) => void made.failures.push(failureOf(error, service.name, null)),
        onStopped: (stop: Stop) => void stops.push(stop),
        anotherRepository: others.length > 0,
      };
      const point = await capture(request, repository, context, signal);
      await keep(point, name, made, context);
      return { point, repository, others };
    } catch (error) {
      signal.throwIfAborted();
      made.failures.push(failureOf(error, service.name, name));
      if (error instanceof HoldfastError && NOT_THE_REPOSITORY.has(error.code)) return null;
    }
  }
  return null;
}

async function keep(point: RecoveryPoint, repository: string, made: Made, { catalog }: Context): Promise<void> {
  made.points.push(point);
  try {
    await catalog.remember([point]);
  } catch (error) {
    made.failures.push(failureOf(error, point.service, repository)); // the point is there; the catalog does not know it
  }
}

async function lookAtHealth(
  service: string,
  stops: readonly Stop[],
  { failures }: Made,
  context: Context,
  signal: AbortSignal,
): Promise<void> {
  const stopped = stops.flatMap((stop) => stop.stopped);
  const startedMs = Math.max(...stops.map((stop) => stop.startedMs));
  try {
    for (const bad of await untilAllRun(stopped, context, signal, startedMs))
      failures.push(failureOf(new HoldfastError('UnitFailed', `${bad} after the backup.`, bad), service, null));
  } catch (error) {
    signal.throwIfAborted();
    failures.push(failureOf(error, service, null));
  }
}

/** Fills the other repositories from the point, between the commands that labels have for it. */
async function copyToOthers(
  { service, timezone, lockWaitMs }: ServiceBackup,
  { point, repository, others }: First,
  around: readonly Container[],
  made: Made,
  context: Context,
  signal: AbortSignal,
): Promise<void> {
  const fail = (error: unknown, name: string | null): void =>
    void made.failures.push(failureOf(error, service.name, name));
  const failed = await runLabelled('copy-pre', service, around, context, signal);
  for (const { error } of failed) fail(error, null);
  try {
    for (const name of failed.length > 0 ? [] : others) {
      try {
        const to = await context.repository(name);
        const copied = await copyPoint(point, repository, to, { timezone, lockWaitMs }, context, signal);
        await keep(copied.point, name, made, context);
      } catch (error) {
        signal.throwIfAborted();
        fail(error, name);
      }
    }
  } finally {
    const last = signalAfter(signal);
    for (const { error } of await runLabelled('copy-post', service, around, context, last)) fail(error, null);
  }
}
