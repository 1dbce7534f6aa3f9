import { type Labelled, labelsOfNoService, stopOf, unknownLabels } from '../domain/container-labels.ts';
import { type Container, placesOf, sharedBy, type Writer } from '../domain/containers.ts';
import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import { inStartOrder } from '../domain/start-order.ts';
import type { Unit } from '../ports/unit.ts';
import type { Context } from './context.ts';
import { withLinkedPlaces } from './linked-mounts.ts';

type Ports = Pick<Context, 'containers' | 'host' | 'unit' | 'progress'>;

/** The containers of the machine that a service is on, in the order in which they are started; none where nothing of the
 *  service can be mounted by one. A service of files alone does not fail for want of an engine.
 *  @param mayFail false: where the engine is away, none are told with a warning
 *  @throws ToolMissing, ProcessFailed for a service of volumes, or one whose sharers are to be stopped */
export async function containersAround(
  service: ServiceDefinition,
  { containers, host, progress }: Pick<Context, 'containers' | 'host' | 'progress'>,
  signal: AbortSignal,
  { mayFail = true }: { readonly mayFail?: boolean } = {},
): Promise<readonly Container[]> {
  const places = placesOf(service);
  if (service.host !== 'local' || places.length === 0) return [];
  const engine = await containers();
  const needed = places.some(({ kind }) => kind === 'volume') || service.stopDuring.backup === 'sharing';
  if (!needed && !engine.present) return [];
  try {
    const all = inStartOrder(await engine.list(signal));
    return await withLinkedPlaces(all, places, await host(service.host), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (needed && mayFail) throw error;
    progress({
      type: 'warning',
      subject: service.name,
      text: `labels of containers were not looked at: ${messageOf(error)}`,
    });
    return [];
  }
}

export const labelledBy = (service: ServiceDefinition): Labelled => ({
  service: service.name,
  places: placesOf(service),
});

/** Containers that stop while a service is read, by their labels or since they share what is read. */
export interface FoundStops {
  /** Started again, in this order. */
  readonly units: readonly Unit[];
  /** Left down, as their label says. */
  readonly forGood: readonly Unit[];
  /** Whoever can write meanwhile, and who could without the stops. */
  readonly writers: readonly Writer[];
  /** Why some go on although they are meant to stop. */
  readonly unstopped: readonly HoldfastError[];
}

/** @param declared units of the service that stop anyway: what is in one of them is not among the answer's
 *  @throws ConfigurationInvalid for labels that contradict each other */
export async function foundStops(
  service: ServiceDefinition,
  around: readonly Container[],
  declared: readonly Unit[],
  context: Ports,
  signal: AbortSignal,
): Promise<FoundStops> {
  const labelled = labelledBy(service);
  const sharing = service.stopDuring.backup === 'sharing';
  const judged = around.map((container) => ({ container, stop: stopOf(container, labelled, sharing) }));
  const wanted = judged.filter(({ container, stop }) => container.running && stop !== 'runs');
  for (const { container } of wanted.filter((one) => one.container.paused))
    context.progress({ type: 'warning', subject: container.name, text: 'it is paused, and stays as it is' });
  const running = wanted.filter(({ container }) => !container.paused);
  const writing = around.filter((container) => container.running && !container.own);
  const written = writing.flatMap((container) =>
    sharedBy(container, labelled.places, { writable: true }).map(({ source }) => ({
      source,
      container: container.name,
    })),
  );
  if (running.length + written.length === 0) return { units: [], forGood: [], writers: [], unstopped: [] };
  const members = await membersOf(declared, around, signal);
  const own = around.filter(({ name }) => members.has(name));
  refuseRemoved(removedOf(own, declared));
  const again = running.flatMap(({ container, stop }) => (stop === 'stops' ? container : []));
  const unstopped = removedOf(again, declared);
  const stopping = running.filter(({ container }) => !unstopped.includes(container.name));
  const down = new Set([...members, ...stopping.map(({ container }) => container.name)]);
  const writers = written.map((one) => ({ ...one, stops: down.has(one.container) }));
  const open = async (wanted: 'stops' | 'stops-for-good'): Promise<readonly Unit[]> =>
    await Promise.all(
      stopping
        .filter(({ container, stop }) => stop === wanted && !members.has(container.name))
        .map(({ container }) => context.unit(referenceOf(container))),
    );
  return {
    units: await open('stops'),
    forGood: await open('stops-for-good'),
    writers,
    unstopped: unstopped.map(removedWhenStopped),
  };
}

const referenceOf = ({ id, name }: Container) => ({ kind: 'container', host: 'local', container: name, id }) as const;

/** Whether a unit may make containers when it starts. */
export const isMaker = ({ reference }: Unit): boolean => reference.kind === 'systemd';

/** Names of the containers that run in units. What is removed at its end is made by somebody: by a unit of systemd, where
 *  one is among them. */
async function membersOf(
  units: readonly Unit[],
  around: readonly Container[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const groups = units.filter((unit) => !isMaker(unit));
  const running = await Promise.all(groups.map((unit) => unit.running(signal)));
  const made = units.some(isMaker) ? around.filter(({ removedAtEnd }) => removedAtEnd) : [];
  return new Set([...running.flat(), ...made.map(({ name }) => name)]);
}

/** Those that nobody makes anew once they were stopped. */
const removedOf = (stopping: readonly Container[], declared: readonly Unit[]): readonly string[] =>
  declared.some(isMaker) ? [] : stopping.flatMap(({ name, removedAtEnd }) => (removedAtEnd ? name : []));

/** @throws UnitFailed for a container that would be gone, and not down, once it was stopped */
export function refuseRemoved([container]: readonly string[]): void {
  if (container !== undefined) throw removedWhenStopped(container);
}

function removedWhenStopped(container: string): HoldfastError {
  const words = `Container ${container} is removed by its engine when it stops (--rm), so it is not stopped.`;
  return new HoldfastError('UnitFailed', words, container, {
    hint: 'Run it without --rm, declare the systemd unit that runs it, or stop it by hand before',
  });
}

/** Running containers that have something of what is restored mounted. */
export interface Sharers {
  /** Those that are in none of the units. */
  readonly units: readonly Unit[];
  /** Whether the one that this program runs in has, too. */
  readonly own: boolean;
  /** Names of those that their engine removes when they end. */
  readonly removedAtEnd: readonly string[];
}

/** Containers that would go on with the old data after a restore in place.
 *  @param concerned names of the sources that are restored */
export async function sharersOf(
  service: ServiceDefinition,
  concerned: ReadonlySet<string>,
  declared: readonly Unit[],
  context: Ports,
  signal: AbortSignal,
): Promise<Sharers> {
  const places = placesOf(service).filter(({ source }) => concerned.has(source));
  const sources = service.sources.filter(({ name }) => concerned.has(name));
  const around = await containersAround({ ...service, sources }, context, signal);
  const sharing = around.filter(
    (container) => container.running && sharedBy(container, places, { writable: false }).length > 0,
  );
  const own = sharing.some((container) => container.own);
  if (sharing.length === 0) return { units: [], own, removedAtEnd: [] };
  const members = await membersOf(declared, around, signal);
  const others = sharing.filter((container) => !container.own && !members.has(container.name));
  const removedAtEnd = removedOf(
    sharing.filter((container) => !container.own),
    declared,
  );
  return {
    units: await Promise.all(others.map((container) => context.unit(referenceOf(container)))),
    own,
    removedAtEnd,
  };
}

/** Those of a plan that stop around the exchange. */
export const sharersToStop = ({
  service: { stopDuring },
  sharers,
}: {
  readonly service: Pick<ServiceDefinition, 'stopDuring'>;
  readonly sharers: readonly Unit[];
}): readonly Unit[] => (stopDuring.restore ? sharers : []);

/** A container with the data mounted goes on with the old ones after a rename, or sees them change beneath it. */
export function refuseSharers(service: string, sharers: readonly Unit[], live: boolean): void {
  if (live || sharers.length === 0) return;
  const words = `${sharers.map(({ name }) => name).join(', ')} has data of ${service} mounted and runs.`;
  throw new HoldfastError('TargetBusy', words, service, {
    hint: 'Stop it, let it be stopped (stopDuring: { restore: true }), or restore beneath it with: --live',
  });
}

/** Says which labels of the containers around a service mean nothing here. */
export function warnOfLabels(
  around: readonly Container[],
  { progress, services }: Pick<Context, 'progress' | 'services'>,
): void {
  for (const container of around) {
    const warn = (text: string): void => progress({ type: 'warning', subject: container.name, text });
    for (const label of unknownLabels(container)) warn(`the label ${label} is not known and means nothing`);
    for (const label of labelsOfNoService(container, services))
      warn(`the label ${label} names no service of the configuration and means nothing`);
  }
}
