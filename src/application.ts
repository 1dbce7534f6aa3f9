import { existsSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { CONTAINERS, HOSTS, SOURCES, UNITS } from './adapters/registry.ts';
import { openCatalog } from './catalog/open.ts';
import { keepReserve } from './catalog/reserve.ts';
import { setAsideWhenDamaged } from './catalog/set-aside.ts';
import { makeStateFolder, originOf, stateFolder } from './catalog/state.ts';
import type { Application, Face, GlobalOptions, OpenRequest } from './cli/face.ts';
import { type Definitions, definitionsOf } from './config/definitions.ts';
import { printDiagnostic } from './config/diagnostic.ts';
import { guardSettingsOf } from './config/guard.ts';
import { type TakenConfiguration, takeConfiguration } from './config/remembered.ts';
import type { Configuration } from './config/schema.ts';
import { secretReader } from './config/secret.ts';
import { HoldfastError } from './domain/errors.ts';
import { homeFolder } from './domain/home-folder.ts';
import { unitNameOf } from './domain/unit-reference.ts';
import { drillPorts, drillSteps } from './drills.ts';
import { type Journal, openEntries, openJournal } from './journal/journal.ts';
import type { StepPorts } from './journal/step.ts';
import type { Context } from './operations/context.ts';
import { guardsIn } from './operations/guard-command.ts';
import { settleSettings } from './operations/guard-context.ts';
import { recordFinishedRecovery, recordFoundSnapshot, withAdvice } from './operations/left-guards.ts';
import type { Recovery, Snapshot } from './ports/catalog.ts';
import type { Host } from './ports/host.ts';
import type { MountTable } from './ports/occupancy.ts';
import type { Repository } from './ports/repository.ts';
import type { Snapshotter } from './ports/snapshotter.ts';
import type { SourceTools } from './ports/source.ts';
import type { Unit, UnitReference } from './ports/unit.ts';
import { systemClock, ulids } from './process/clock.ts';
import { engineEnvironment } from './process/container-engine.ts';
import { systemOwners } from './process/owner.ts';
import { configuredRepository, repositoryAt } from './repositories.ts';
import { openSnapshotter, treePoolNamed, treePoolOf } from './snapshotters.ts';
import { machineValidators, serviceChecks, subvolumeValidators } from './validators.ts';

/** What a program that prints a secret may take, in milliseconds. */
const SECRET_LIMIT_MS = 30_000;

const notBuilt = (what: string, subject: string): HoldfastError =>
  new HoldfastError('Unsupported', `This version has no ${what} yet.`, subject);

/** This machine as a host. */
export async function openLocalHost(): Promise<Host> {
  return (await HOSTS.local.load()).localHost();
}

/** Names of hosts have no spaces, so that none is hidden by a container. */
const IN_CONTAINER = /^container (.+)$/;

/** The mounts of this machine; what reads them is loaded when it is asked. */
function openMountTable(host: () => Promise<Host>): MountTable {
  const table = async (): Promise<MountTable> =>
    (await import('./adapters/hosts/local/mount-table.ts')).localMountTable(await host());
  return {
    occupancy: async (path, signal) => (await table()).occupancy(path, signal),
    show: async (mount, signal) => (await table()).show(mount, signal),
    hide: async (point, signal) => (await table()).hide(point, signal),
  };
}

/** Calls `open` once for a name; a failure is not kept, so that a later call tries again. */
function once<Value>(open: (name: string) => Promise<Value>): (name: string) => Promise<Value> {
  const opened = new Map<string, Promise<Value>>();
  return (name) => {
    const value = opened.get(name) ?? open(name);
    opened.set(name, value);
    value.catch(() => opened.delete(name)); // the caller sees it too: this only forgets
    return value;
  };
}

function configurationOf(
  { configuration }: OpenRequest,
  globals: GlobalOptions,
  kept: { readonly folder: string; readonly build: string | null },
): Promise<TakenConfiguration> {
  const file = configuration ?? globals.config ?? null;
  return takeConfiguration({ file, environment: process.env, homeFolder: homeFolder(process.env, homedir) }, kept);
}

/** The id of the state folder, which is made. Whoever reads a repository by its location may be on a rescue system that
 *  lets nothing be kept, and needs none. @throws StateUnusable and the like where it is needed */
async function originIn(folder: string, needed: boolean): Promise<string> {
  try {
    await makeStateFolder(folder);
    await keepReserve(folder);
    return await originOf(folder);
  } catch (error) {
    if (needed) throw error;
    return 'none';
  }
}

function catalogPath(configuration: Configuration | null, folder: string): string {
  // what is read from a location alone says nothing of this machine's own repositories
  if (configuration === null) return ':memory:';
  const { catalog } = configuration;
  if (catalog === undefined) return join(folder, 'catalog.db');
  if (typeof catalog === 'string' && catalog.startsWith('sqlite:')) return catalog.slice('sqlite:'.length);
  throw notBuilt('catalog on PostgreSQL', 'catalog');
}

const localRepositories = ({ repositories = {} }: Configuration): readonly string[] =>
  Object.values(repositories).flatMap((one) => (one.engine === 'archive' ? one.path : []));

/** Folders of Holdfast's own, which no source may capture. */
function ownFolders(configuration: Configuration, { pools }: Definitions): readonly string[] {
  const { staging } = configuration;
  const snapshots = [...pools.values()].map(({ path, snapshotsFolder }) => join(path, snapshotsFolder));
  return [...localRepositories(configuration), ...snapshots, ...(staging === undefined ? [] : [staging])];
}

/** What the running program is. */
interface Program {
  readonly version: string;
  /** Differs in every build that differs; null where sources are run. */
  readonly build: string | null;
}

/** Wires the adapters, the catalog, the journal and the clock for one command. What costs time or needs a secret is
 *  opened when it is first asked for.
 *  @throws ConfigurationMissing, ConfigurationInvalid, Unsupported; StateUnusable and the like */
export async function openApplication(
  request: OpenRequest,
  globals: GlobalOptions,
  face: Face,
  { version, build }: Program,
): Promise<Application> {
  const { locations = [], keys = {} } = request;
  const folder = request.state ?? stateFolder(process.env, process.getuid?.() ?? 0);
  const taken = locations.length > 0 ? null : await configurationOf(request, globals, { folder, build });
  const loaded = taken?.loaded ?? null;
  const configuration = loaded?.configuration ?? null;
  if (globals.verbose) for (const warning of loaded?.warnings ?? []) face.note(`warning: ${printDiagnostic(warning)}`);

  const origin = await originIn(folder, taken !== null);
  await taken?.remember();
  const [owners, identifiers] = [systemOwners(), ulids()];
  const host: (name: string) => Promise<Host> = once(async (name) => {
    const container = IN_CONTAINER.exec(name)?.[1];
    if (container !== undefined) {
      const { dockerHost } = await HOSTS.docker.load();
      return dockerHost(container, await host('local'), engineEnvironment(process.env), face.signal);
    }
    if (name !== 'local') throw notBuilt('hosts over SSH', name);
    return openLocalHost();
  });
  const unit = async (reference: UnitReference): Promise<Unit> => {
    const row = UNITS.get(reference.kind);
    if (row === undefined) throw notBuilt(`units of kind ${reference.kind}`, unitNameOf(reference));
    return (await row.load())(reference, await host(reference.host), engineEnvironment(process.env));
  };
  const readSecret = secretReader({
    environment: process.env,
    run: async ([program = '', ...args]) => {
      const options = { signal: face.signal, limitMs: SECRET_LIMIT_MS };
      // as `docker exec` in one, where a password stands in a container
      const environment = engineEnvironment(process.env);
      return (await (await host('local')).run({ program, args, environment }, options)).stdout;
    },
    warn: (text) => face.progress({ type: 'warning', subject: 'secrets', text }),
  });
  const sourcesOn = (host: string) =>
    [...definitions.services.values()].flatMap((one) => (one.host === host ? one.sources : []));
  const source: Context['source'] = async (service, { name, kind, settings }) => {
    const row = SOURCES.get(kind);
    if (row === undefined) throw notBuilt(`sources of kind ${kind}`, `${service.name}.${name}`);
    const tools: SourceTools = {
      secret: readSecret,
      container: async (container) => {
        if (service.host !== 'local') throw notBuilt('containers on another host', `${service.name}.${name}`);
        return await host(`container ${container}`);
      },
      kin: sourcesOn(service.host).flatMap((one) => (one.kind === kind ? [one.settings] : [])),
      engineEnvironment: engineEnvironment(process.env),
    };
    return (await row.load()).source(name, settings, await host(service.host), tools);
  };
  const path = catalogPath(configuration, folder);
  const openedCatalog = once(openCatalog);
  async function recordRecovery(recovery: Recovery): Promise<void> {
    if (configuration === null)
      throw new HoldfastError('ConfigurationMissing', 'The catalog is not known without a configuration.', 'catalog');
    await recordFinishedRecovery(recovery, await openedCatalog(path));
  }
  const recordNewSnapshot = async (snapshot: Snapshot): Promise<void> =>
    recordFoundSnapshot(snapshot, await openedCatalog(path));
  const zone = Temporal.Now.timeZoneId();
  const configured = configuration ?? { version: 1 };
  const definitions = definitionsOf(configured, zone);
  const snapshotter = once(async (name): Promise<Snapshotter> => {
    const definition = definitions.pools.get(name) ?? treePoolNamed(name);
    if (definition !== null) return openSnapshotter(definition, await host('local'), zone, face.signal);
    throw new HoldfastError('ConfigurationInvalid', `The configuration has no pool ${name}.`, name);
  });
  const mounts = openMountTable(() => host('local'));
  let journal: Journal | null = null;
  const openedJournal = async (): Promise<Journal> => {
    const databases: StepPorts['databases'] = async ({ service, source: name, drill }) => {
      const declared = definitions.services.get(service);
      const definition = declared?.sources.find((one) => one.name === name);
      const opened = declared && definition && (await source(declared, definition));
      const found = drill ? opened?.drillServer?.databases : opened?.databases;
      if (found) return found;
      throw new HoldfastError('ConfigurationInvalid', `${service} has no source ${name} of databases any more.`, name);
    };
    const drills = drillSteps(() => host('local'));
    const ports = { host, unit, recordRecovery, snapshotter, recordNewSnapshot, mounts, databases, ...drills };
    const context = { clock: systemClock, identifiers, owners, ports };
    journal ??= openJournal(join(folder, 'journal.db'), context);
    return journal;
  };

  async function openRepository(name: string): Promise<Repository> {
    const tools = { clock: systemClock, identifiers, owners, host: await host('local') };
    if (configuration === null) return repositoryAt(name, keys, tools);
    return configuredRepository(name, configuration, keys, readSecret, tools);
  }

  /** A crash left steps open: a command that writes puts them right first, one that reads only says so. */
  async function lookAtJournal(): Promise<void> {
    if (taken === null && !request.writes) return; // a location is read, with or without a state
    const own = join(folder, 'journal.db');
    if (!existsSync(own) || openEntries(own, owners).every(({ state }) => state === 'running')) return;
    if (!request.writes) return face.note('A run that was cut short left open steps: holdfast doctor');
    const repairs = await (await openedJournal()).repair({ force: false }, face.signal);
    for (const { entry, outcome, detail, became, advice } of await withAdvice(repairs, await openedCatalog(path))) {
      if (outcome === 'skipped') continue;
      face.note(became ?? `${entry.verb} ${entry.subject}, cut short earlier: ${outcome}, ${detail}`);
      if (advice !== null) face.note(`  next: ${advice}`);
    }
  }

  if (request.setDamagedCatalogAside) {
    const aside = await setAsideWhenDamaged(path, systemClock.now());
    if (aside !== null) face.note(`The catalog was damaged and is now ${aside}.`);
  }
  await lookAtJournal();
  const catalog = await openedCatalog(path);
  return {
    clock: systemClock,
    identifiers,
    catalog,
    progress: face.progress,
    origin,
    version,
    machine: hostname(),
    stateFolder: folder,
    services: definitions.services,
    plans: definitions.plans,
    repositoryNames: configuration === null ? locations : [...definitions.repositories.keys()],
    forbiddenPaths:
      configuration === null
        ? [folder, ...locations.map((one) => resolve(one))]
        : [...ownFolders(configuration, definitions), folder],
    configuration: taken?.masked ?? null,
    loaded,
    runInForeground: async (command) => (await import('./process/foreground.ts')).runInForeground(command),
    host,
    unit,
    containers: async () => {
      const { engineContainers } = await CONTAINERS.load();
      return engineContainers(await host('local'), engineEnvironment(process.env));
    },
    pools: definitions.pools,
    guard: guardSettingsOf(configured),
    zone,
    mounts,
    ownPaths: [folder, ...(path === ':memory:' ? [] : [path]), ...localRepositories(configured)],
    snapshotter,
    guardedBy: guardsIn(process.env),
    snapshotPlace: async (path, signal) => {
      const { snapshotPlaceOf } = await import('./snapshot-place.ts');
      return snapshotPlaceOf(path, definitions.pools.values(), await host('local'), zone, signal);
    },
    treePool: async (path, signal) => treePoolOf(path, definitions.pools.values(), await host('local'), zone, signal),
    repository: once(openRepository),
    source,
    settling: settleSettings(guardSettingsOf(configuration ?? { version: 1 })),
    validators: async ({ name, host: where, units, checks }) => {
      const at = await host(where);
      const declared = await subvolumeValidators(name, units, checks, at);
      return [...declared, ...(await machineValidators(at))];
    },
    checks: async (service) => serviceChecks(service, await host(service.host), source),
    format: async (kind) => {
      const row = SOURCES.get(kind);
      if (row === undefined) throw notBuilt(`items of kind ${kind}`, kind);
      return (await row.load()).format;
    },
    ...drillPorts(() => host('local'), { services: definitions.services, source }),
    journal: openedJournal,
    async [Symbol.asyncDispose]() {
      journal?.[Symbol.dispose]();
      await catalog[Symbol.asyncDispose]();
    },
  };
}
