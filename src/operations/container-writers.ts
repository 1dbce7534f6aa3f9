import { placesOf, sharedBy, type Writer } from '../domain/containers.ts';
import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Unit } from '../ports/unit.ts';
import type { Context } from './context.ts';
import { containersAround, isMaker } from './service-containers.ts';

/** Sources that may change while they are read although units are down, each with a container that goes on.
 *  @param spared containers that go on although their unit stops */
export const writtenMeanwhile = (
  writers: readonly Writer[],
  spared: ReadonlySet<string>,
): ReadonlyMap<string, string> =>
  new Map(
    writers.flatMap(({ source, container, stops }) => (!stops || spared.has(container) ? [[source, container]] : [])),
  );

/** Containers that were down, or not there, when the service was looked at, and run now: what one of them can write to may
 *  have changed while it was read. One with `--rm` that a unit of systemd makes may bear another name each time.
 *  @param writers as they were told then
 *  @param units those that stopped meanwhile */
export async function startedSince(
  service: ServiceDefinition,
  { writers, units }: { readonly writers: readonly Writer[]; readonly units: readonly Unit[] },
  context: Pick<Context, 'containers' | 'host' | 'progress'>,
  signal: AbortSignal,
): Promise<readonly HoldfastError[]> {
  const known = new Set(writers.map(({ container }) => container));
  const around = await containersAround(service, context, signal, { mayFail: false });
  const isMade = units.some(isMaker);
  const started = around.filter(
    ({ name, running, own, removedAtEnd }) => running && !own && !known.has(name) && !(isMade && removedAtEnd),
  );
  return started.flatMap((container) => {
    const [place] = sharedBy(container, placesOf(service), { writable: true });
    if (place === undefined) return [];
    const words = `Container ${container.name} was started by somebody while ${service.name} was read, and can write to ${place.source}.`;
    return new HoldfastError('UnitFailed', words, container.name, {
      hint: 'Let no other backup or deployment run at this time, and no two backups that stop the same container',
    });
  });
}
