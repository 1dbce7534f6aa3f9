import { placesOf } from '../domain/containers.ts';
import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import { isDeclaredIn, unitReferencesOf } from '../domain/unit-reference.ts';
import type { Host } from '../ports/host.ts';
import type { Source } from '../ports/source.ts';
import type { Unit } from '../ports/unit.ts';
import type { Validator } from '../ports/validator.ts';
import type { Context } from './context.ts';
import { planDatabases, type ServerPart } from './in-place-databases.ts';
import { type CopyOfSnapshot, type Exchange, exchangeOf, nested, shareStages } from './in-place-exchange.ts';
import { keptSuffix } from './in-place-kept.ts';
import { narrowed } from './in-place-narrow.ts';
import type { Choice } from './restore-choice.ts';
import { sharersOf } from './service-containers.ts';
import { downWhenMissing } from './units.ts';

const TO_A_FOLDER = 'Restore to a folder with: --to DIR';

/** A path of the service that a snapshot holds. */
export interface HeldTree {
  readonly source: string;
  readonly path: string;
  /** For people. */
  readonly snapshot: string;
  readonly copy: CopyOfSnapshot;
}

/** What a restore in place exchanges: paths, and databases of servers. */
export interface InPlacePlan extends ServerPart {
  readonly service: ServiceDefinition;
  readonly host: Host;
  readonly exchanges: readonly Exchange[];
  /** Stopped around the exchange, as declared. */
  readonly units: readonly Unit[];
  /** Containers that have something of the paths mounted and are in none of the units: stopped before these and started
   *  after them, unless the service says that nothing stops. */
  readonly sharers: readonly Unit[];
  /** Containers with something of the paths that their engine would remove when they stop. */
  readonly removedAtEnd?: readonly string[];
  /** Asked once all runs again. */
  readonly checks: readonly Validator[];
}

export interface InPlaceNames {
  /** Of this run, a ULID. */
  readonly id: string;
  readonly at: Temporal.Instant;
  readonly service: string;
  /** The id of what is restored. */
  readonly point: string;
}

/** Finds out, without touching anything, which paths and databases a restore in place exchanges and how.
 *  @throws ServiceNotFound, Refused when the configuration no longer has what the point holds; Unsupported for a source
 *  that cannot be exchanged, and for a check that this version cannot ask; UnitMissing; TargetBusy for a mount inside a
 *  path */
export async function planInPlace(
  choices: readonly Choice[],
  names: InPlaceNames,
  context: Pick<Context, 'services' | 'source' | 'host' | 'unit' | 'checks' | 'containers' | 'progress'>,
  signal: AbortSignal,
  trees: readonly HeldTree[] = [],
): Promise<InPlacePlan> {
  const service = context.services.get(names.service);
  if (service === undefined) {
    const words = `The configuration has no service ${names.service}, so it is not known where its data belong.`;
    throw new HoldfastError('ServiceNotFound', words, names.service, { hint: TO_A_FOLDER });
  }
  const checks = await context.checks(service);
  const host = await context.host(service.host);
  const { databases, applied, paths } = await planDatabases(choices, service, names, context, signal);
  const mounts = paths.length + trees.length === 0 ? [] : await host.files.mountsBelow('/', signal);
  const suffix = keptSuffix(names.at);
  const found: Exchange[] = [];
  const units = await unitsOf(service, context, signal);
  const concerned = new Set([...paths, ...trees].map(({ source }) => source));
  const { units: sharers, own, removedAtEnd } = await sharersOf(service, concerned, units, context, signal);
  const mounted = own || (sharers.length > 0 && !service.stopDuring.restore);
  const surroundings = { host, mounts, mounted, suffix, id: names.id };
  for (const { source, path, snapshot, copy } of trees) {
    const choice = { name: snapshot, source, tree: true, file: null, listedAs: null, item: null, path: null, bytes: 0 };
    const placement = { path, stored: path.slice(1), companions: [], exclusive: false };
    found.push({ ...(await exchangeOf(placement, path, choice, surroundings, signal)), copy });
  }
  for (const choice of paths) {
    const before = found.length;
    const { source, item } = await placed(choice, service, context);
    for (const placement of await source.placements(item.roots ?? [], signal)) {
      for (const path of await narrowed(placement, choice, host.files, signal)) {
        found.push(await exchangeOf(path, placement.path, choice, surroundings, signal));
      }
    }
    if (!choice.tree && found.length === before) throw hasNoPlace(choice, source);
  }
  if (found.length + databases.length + applied.length === 0)
    throw new HoldfastError('PathNotFound', `Nothing of ${names.point} has a place.`, names.point);
  return {
    service,
    host,
    exchanges: shareStages(nested(found)),
    databases,
    applied,
    units,
    sharers,
    removedAtEnd,
    checks,
  };
}

/** What stands around an exchange in a service: its host, the units that are stopped for it, and its checks. Nothing is
 *  touched. @throws UnitMissing; Unsupported for a check that this version cannot ask */
export async function planUnits(
  service: ServiceDefinition,
  context: Pick<Context, 'host' | 'unit' | 'checks'>,
  signal: AbortSignal,
): Promise<Pick<InPlacePlan, 'service' | 'host' | 'units' | 'checks'>> {
  const checks = await context.checks(service);
  const host = await context.host(service.host);
  return { service, host, units: await unitsOf(service, context, signal), checks };
}

/** Each is looked at, so that a name that is wrong is found before anything is touched. A project whose compose file is a
 *  part of the service is down where it is gone: it may be what has to come back. */
async function unitsOf(
  service: ServiceDefinition,
  context: Pick<Context, 'unit'>,
  signal: AbortSignal,
): Promise<readonly Unit[]> {
  const { units, host, stopDuring } = service;
  if (!stopDuring.restore) return [];
  const opened: Unit[] = [];
  for (const reference of unitReferencesOf(units, host)) {
    const opening = await context.unit(reference);
    const unit = holdsFileOf(service, opening) ? downWhenMissing(opening) : opening;
    await unit.running(signal);
    opened.push(unit);
  }
  return opened;
}

const holdsFileOf = (service: ServiceDefinition, { reference }: Unit): boolean =>
  placesOf(service).some(({ kind, at }) => kind === 'bind' && isDeclaredIn(at, reference));

/** The item of a choice, and the source that it goes back into.
 *  @throws Refused when the configuration no longer has it; Unsupported for one that nothing goes back into */
async function placed(
  choice: Choice,
  service: ServiceDefinition,
  context: Pick<Context, 'source'>,
): Promise<{ readonly item: Item; readonly source: Source }> {
  const { name, item } = choice;
  const definition = service.sources.find((source) => source.name === choice.source);
  if (item === null || definition === undefined) {
    const words = `Where ${name} belongs is not known: ${service.name} has no source ${choice.source}.`;
    throw new HoldfastError('Refused', words, name, { hint: TO_A_FOLDER });
  }
  const source = await context.source(service, definition);
  if (source.kind !== item.kind) {
    const words = `${name} was made of a source of kind ${item.kind}, and ${choice.source} is now of kind ${source.kind}.`;
    throw new HoldfastError('Refused', words, name, { hint: TO_A_FOLDER });
  }
  if (!source.capabilities.inPlace) {
    const words = `A source of kind ${source.kind} cannot be restored in place by this version.`;
    throw new HoldfastError('Unsupported', words, name, { hint: TO_A_FOLDER });
  }
  return { item, source };
}

/** A server that has lost its settings cannot tell where its data lie: what is left out would pass for restored. */
function hasNoPlace({ name, source }: Choice, { withoutPlace = TO_A_FOLDER }: Source): HoldfastError {
  const words = `Where ${name} belongs is not known: the server of ${source} does not tell it now.`;
  return new HoldfastError('Refused', words, name, { hint: withoutPlace });
}
