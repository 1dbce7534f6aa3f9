import { beside } from '../domain/beside.ts';
import { placesOf } from '../domain/containers.ts';
import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import { isBelow, parentOf } from '../domain/tree-path.ts';
import { unitReferencesOf } from '../domain/unit-reference.ts';
import type { Step } from '../journal/step.ts';
import type { Host, HostFiles, PathStatus } from '../ports/host.ts';
import type { InPlacePath, Source } from '../ports/source.ts';
import type { Unit } from '../ports/unit.ts';
import type { Validator } from '../ports/validator.ts';
import type { Context } from './context.ts';
import { planDatabases, type ServerPart } from './in-place-databases.ts';
import { freeName, keptSuffix } from './in-place-kept.ts';
import { narrowed } from './in-place-narrow.ts';
import type { Choice } from './restore-choice.ts';
import { sharersOf } from './service-containers.ts';
import { downWhenMissing } from './units.ts';

const TO_A_FOLDER = 'Restore to a folder with: --to DIR';

/** A new state that is made of a snapshot, in place of being read from the point. */
export interface CopyOfSnapshot {
  /** Under this path, on the file system of what it replaces. */
  readonly staged: string;
  /** Recorded before it is made. */
  readonly step: Step;
  make(signal: AbortSignal): Promise<void>;
}

/** A path of the service that a snapshot holds. */
export interface HeldTree {
  readonly source: string;
  readonly path: string;
  /** For people. */
  readonly snapshot: string;
  readonly copy: CopyOfSnapshot;
}

/** One path that will be exchanged. */
export interface Exchange extends InPlacePath {
  readonly choice: Choice;
  /** The source's root that it is, or lies in. */
  readonly root: string;
  /** Those of the companions that are there. */
  readonly presentCompanions: readonly string[];
  /** Null when nothing is there now. */
  readonly present: PathStatus | null;
  /** The topmost folder above `path` that has to be made; null when its parent is there. */
  readonly missingParent: string | null;
  /** `rename`: the path itself gets another name. `contents`: the path is a mount point, or a folder that a running
   *  container has mounted, so its entries do. `nested`: it lies in another exchanged path and is put into what is
   *  restored there. */
  readonly way: 'rename' | 'contents' | 'nested';
  /** Where the present state goes: a name beside the path, or a folder in a mount point. */
  readonly kept: string;
  /** Two paths with the same one can be renamed to each other: their mount and their device. */
  readonly place: string;
  /** A folder of our own on the path's file system. Exchanges that share it can be filled by one reading. */
  readonly stage: string;
  /** Null when it is read from the point. */
  readonly copy: CopyOfSnapshot | null;
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
  reference.kind === 'compose' &&
  placesOf(service).some(({ kind, at }) => kind === 'bind' && isBelow(reference.file, at));

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

interface Surroundings {
  readonly host: Host;
  readonly mounts: readonly string[];
  /** Whether a container that goes on running has something of it mounted. */
  readonly mounted: boolean;
  readonly suffix: string;
  readonly id: string;
}

async function exchangeOf(
  placement: InPlacePath,
  root: string,
  choice: Choice,
  { host, mounts, mounted, suffix, id }: Surroundings,
  signal: AbortSignal,
): Promise<Exchange> {
  const { files } = host;
  const { path } = placement;
  const inside = mounts.filter((mount) => mount !== path && isBelow(mount, path));
  if (inside.length > 0) {
    const words = `${inside.join(', ')} is mounted inside ${path}, which cannot be exchanged therefore.`;
    throw new HoldfastError('TargetBusy', words, path, { hint: 'Unmount it, or restore a part with: --path' });
  }
  const present = await files.status(path, signal);
  const presentCompanions = await thereOf(placement.companions, files, signal);
  const stageSuffix = `.holdfast-restore-${id.toLowerCase()}`;
  const common = { ...placement, root, presentCompanions, choice, present, copy: null };
  if (mounts.includes(path)) {
    const kept = await freeName(`${path}/${suffix}`, files, signal);
    const stage = `${path}/${stageSuffix}`;
    return { ...common, missingParent: null, way: 'contents', kept, place: placeOf(path, present, mounts), stage };
  }
  const missingParent = await topmostMissing(path, host, signal);
  const folder = parentOf(missingParent ?? path);
  const place = placeOf(folder, await files.status(folder, signal), mounts);
  const kept = await freeName(beside(path, suffix), files, signal);
  if (placement.stays === true) {
    const way = mounted ? 'contents' : 'rename';
    return { ...common, missingParent: null, way, kept, place, stage: beside(path, stageSuffix) };
  }
  return { ...common, missingParent, way: 'rename', kept, place, stage: beside(missingParent ?? path, stageSuffix) };
}

/** Those of some paths that are there. */
export async function thereOf(paths: readonly string[], files: HostFiles, signal: AbortSignal): Promise<string[]> {
  const there: string[] = [];
  for (const path of paths) if ((await files.status(path, signal)) !== null) there.push(path);
  return there;
}

/** On BTRFS one mount has several devices, and no rename leads from one to another. */
function placeOf(folder: string, status: PathStatus | null, mounts: readonly string[]): string {
  const above = mounts.filter((mount) => isBelow(folder, mount));
  return `${above.toSorted((left, right) => right.length - left.length)[0] ?? '/'} ${status?.device}`;
}

async function topmostMissing(path: string, { files }: Host, signal: AbortSignal): Promise<string | null> {
  let missing: string | null = null;
  for (let folder = parentOf(path); (await files.status(folder, signal)) === null; folder = parentOf(folder)) {
    missing = folder;
  }
  return missing;
}

/** Says of each exchange whether it lies in another one: in the outermost. One that lies in a path of the same item is
 *  dropped, since the item's tar has it there; so is one in a path that a snapshot holds, which has it of the same
 *  moment as all around it. */
function nested(all: readonly Exchange[]): readonly Exchange[] {
  const outermostFirst = all.toSorted((left, right) => left.path.length - right.path.length);
  return outermostFirst.flatMap((exchange) => {
    const outer = outermostFirst.find(({ path }) => path !== exchange.path && isBelow(exchange.path, path));
    if (outer === undefined) return [exchange];
    return outer.choice.name === exchange.choice.name || outer.copy !== null
      ? []
      : [{ ...exchange, way: 'nested' as const, stage: outer.stage }];
  });
}

/** Paths in one place share the stage of the first, so that an item is read once for all of them. */
function shareStages(exchanges: readonly Exchange[]): readonly Exchange[] {
  const stages = new Map<string, string>();
  return exchanges.map((exchange) => {
    const stage = stages.get(exchange.place) ?? exchange.stage;
    stages.set(exchange.place, stage);
    return { ...exchange, stage };
  });
}
