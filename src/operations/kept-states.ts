import { HoldfastError } from '../domain/errors.ts';
import type { KeptDatabase, KeptState } from '../ports/catalog.ts';
import type { Databases } from '../ports/source.ts';
import type { Context } from './context.ts';

/** A present state that a recovery kept, with what was recovered then. */
export interface ListedKeptState {
  readonly state: KeptState;
  /** The service or subvolume. */
  readonly subject: string;
  readonly since: Temporal.Instant;
}

/** By its path, or its name as a database. */
export const nameOfKept = (state: KeptState): string => ('path' in state ? state.path : state.database);

/** All that recoveries kept and that was not removed since, newest first. @param subject of this one only */
export async function listKeptStates(
  subject: string | undefined,
  { catalog }: Pick<Context, 'catalog'>,
): Promise<readonly ListedKeptState[]> {
  const recoveries = await catalog.recoveries({ limit: Number.MAX_SAFE_INTEGER, keeping: true });
  return recoveries
    .filter((recovery) => subject === undefined || recovery.subject.name === subject)
    .flatMap(({ kept, subject: { name }, startedAt }) =>
      kept.map((state) => ({ state, subject: name, since: startedAt })),
    );
}

/** The one that is called so; null when none was recorded. @throws Refused when several servers have one of this name */
export async function findKeptState(name: string, { catalog }: Pick<Context, 'catalog'>): Promise<KeptState | null> {
  const [found, ...others] = (await catalog.keptStates({})).filter((state) => nameOfKept(state) === name);
  if (others.length === 0) return found ?? null;
  throw new HoldfastError('Refused', `Several servers or hosts keep a state as ${name}.`, name, {
    hint: 'Look at each of them, and take it back or remove it there by hand',
  });
}

type Ports = Pick<Context, 'services' | 'source'>;

/** The server that has a kept database; null when the configuration has its source no more. */
export async function serverOfKept(
  { service: name, source }: Pick<KeptDatabase, 'service' | 'source'>,
  context: Ports,
): Promise<Databases | null> {
  const service = context.services.get(name);
  const definition = service?.sources.find((one) => one.name === source);
  if (service === undefined || definition === undefined) return null;
  const { databases, capabilities } = await context.source(service, definition);
  return capabilities.inPlace ? databases : null;
}

/** Drops a database that a recovery set aside; one that is gone is no error.
 *  @throws Refused when it cannot be told any more in which server it is; TargetBusy while it is in use */
export async function dropKeptDatabase(kept: KeptDatabase, context: Ports, signal: AbortSignal): Promise<void> {
  const databases = await serverOfKept(kept, context);
  if (databases !== null) return await databases.discard(kept.database, signal);
  const words = `${kept.database} was kept in the server of ${kept.service}.${kept.source}, which the configuration has no more.`;
  throw new HoldfastError('Refused', words, kept.database, {
    hint: `Drop it there by hand, then: holdfast snapshot remove ${kept.database} --yes`,
  });
}
