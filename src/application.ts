import { homedir, hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CONTAINERS } from './adapters/registry.ts';
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
import type { SecretReader } from './config/secret.ts';
import { HoldfastError } from './domain/errors.ts';
import { homeFolder } from './domain/home-folder.ts';
import { drillPorts } from './drills.ts';
import { hostOpener, type OpenHost, openMountTable, unitOpener } from './hosts.ts';
import { type Journal, type JournalContext, openJournal } from './journal/journal.ts';
import type { StepPorts } from './journal/step.ts';
import { repairLeftOpen, stepPorts } from './journals.ts';
import { notBuilt } from './not-built.ts';
import { once } from './once.ts';
import type { Context } from './operations/context.ts';
import { guardsIn } from './operations/guard-command.ts';
import { settleSettings } from './operations/guard-context.ts';
import { systemClock, ulids } from './process/clock.ts';
import { engineEnvironment } from './process/container-engine.ts';
import { systemOwners } from './process/owner.ts';
import { configuredRepository, repositoryAt } from './repositories.ts';
import { openSnapshotter, treePoolNamed, treePoolOf } from './snapshotters.ts';
import { openFormat, secretsBy, sourceOpener } from './sources.ts';
import { machineValidators, serviceChecks, subvolumeValidators } from './validators.ts';

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

/** The clock, and what names this process and what it makes. */
type ClockAndNames = Omit<JournalContext, 'ports'>;

/** Opens each repository once: of the configuration, or, without one, at its location. */
function repositoryOpener(
  configuration: Configuration | null,
  keys: NonNullable<OpenRequest['keys']>,
  secret: SecretReader,
  host: OpenHost,
  clockAndNames: ClockAndNames,
): Context['repository'] {
  return once(async (name) => {
    const tools = { ...clockAndNames, host: await host('local') };
    if (configuration === null) return repositoryAt(name, keys, tools);
    return configuredRepository(name, configuration, keys, secret, tools);
  });
}

/** Opens the snapshotter of each pool once. */
const snapshotterOpener = (
  { pools }: Definitions,
  host: OpenHost,
  zone: string,
  signal: AbortSignal,
): Context['snapshotter'] =>
  once(async (name) => {
    const definition = pools.get(name) ?? treePoolNamed(name);
    if (definition !== null) return openSnapshotter(definition, await host('local'), zone, signal);
    throw new HoldfastError('ConfigurationInvalid', `The configuration has no pool ${name}.`, name);
  });

/** Opens the journal when it is first asked for. */
function journalOpener(path: string, ports: StepPorts, clockAndNames: ClockAndNames) {
  let journal: Journal | null = null;
  return {
    async open(): Promise<Journal> {
      journal ??= openJournal(path, { ...clockAndNames, ports });
      return journal;
    },
    [Symbol.dispose]: () => journal?.[Symbol.dispose](),
  };
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
  const { locations = [], keys = {}, writes = false } = request;
  const folder = request.state ?? stateFolder(process.env, process.getuid?.() ?? 0);
  const taken = locations.length > 0 ? null : await configurationOf(request, globals, { folder, build });
  const loaded = taken?.loaded ?? null;
  const configuration = loaded?.configuration ?? null;
  if (globals.verbose) for (const warning of loaded?.warnings ?? []) face.note(`warning: ${printDiagnostic(warning)}`);
  const origin = await originIn(folder, taken !== null);
  await taken?.remember();

  const clockAndNames: ClockAndNames = { clock: systemClock, identifiers: ulids(), owners: systemOwners() };
  const zone = Temporal.Now.timeZoneId();
  const configured = configuration ?? { version: 1 };
  const definitions = definitionsOf(configured, zone);
  const { services, plans, pools } = definitions;
  const guard = guardSettingsOf(configured);
  const host = hostOpener(face.signal);
  const unit = unitOpener(host);
  const mounts = openMountTable(host);
  const secret = secretsBy(host, face.progress, face.signal);
  const source = sourceOpener(definitions, host, secret);
  const snapshotter = snapshotterOpener(definitions, host, zone, face.signal);
  const path = catalogPath(configuration, folder);
  const catalogAt = once(async (path: string) => {
    if (configuration?.catalog !== undefined) await makeStateFolder(dirname(path)); // one of its own
    return openCatalog(path);
  });
  const openedCatalog = () => catalogAt(path);
  const reached = { host, unit, mounts, source, snapshotter, services, catalog: openedCatalog };
  const journalPath = join(folder, 'journal.db');
  const steps = stepPorts({ ...reached, configured: configuration !== null });
  const journal = journalOpener(journalPath, steps, clockAndNames);

  if (request.setDamagedCatalogAside) {
    const aside = await setAsideWhenDamaged(path, systemClock.now());
    if (aside !== null) face.note(`The catalog was damaged and is now ${aside}.`);
  }
  // a location is read, with or without a state
  if (taken !== null || writes) {
    const { owners } = clockAndNames;
    await repairLeftOpen({ path: journalPath, owners, writes, journal: journal.open, catalog: openedCatalog }, face);
  }
  const catalog = await openedCatalog();
  return {
    clock: systemClock,
    identifiers: clockAndNames.identifiers,
    catalog,
    progress: face.progress,
    origin,
    version,
    machine: hostname(),
    stateFolder: folder,
    services,
    plans,
    pools,
    repositoryNames: configuration === null ? locations : [...definitions.repositories.keys()],
    forbiddenPaths:
      configuration === null
        ? [folder, ...locations.map((one) => resolve(one))]
        : [...ownFolders(configuration, definitions), folder],
    ownPaths: [folder, ...(path === ':memory:' ? [] : [path]), ...localRepositories(configured)],
    configuration: taken?.masked ?? null,
    loaded,
    guard,
    settling: settleSettings(guard),
    zone,
    guardedBy: guardsIn(process.env),
    runInForeground: async (command) => (await import('./process/foreground.ts')).runInForeground(command),
    host,
    unit,
    containers: async () => {
      const { engineContainers } = await CONTAINERS.load();
      return engineContainers(await host('local'), engineEnvironment(process.env));
    },
    mounts,
    snapshotter,
    snapshotPlace: async (place, signal) => {
      const { snapshotPlaceOf } = await import('./snapshot-place.ts');
      return snapshotPlaceOf(place, pools.values(), await host('local'), zone, signal);
    },
    treePool: async (place, signal) => treePoolOf(place, pools.values(), await host('local'), zone, signal),
    repository: repositoryOpener(configuration, keys, secret, host, clockAndNames),
    source,
    format: openFormat,
    validators: async ({ name, host: where, units, checks }) => {
      const at = await host(where);
      const declared = await subvolumeValidators(name, units, checks, at, engineEnvironment(process.env));
      return [...declared, ...(await machineValidators(at))];
    },
    checks: async (service) => serviceChecks(service, await host(service.host), engineEnvironment(process.env), source),
    ...drillPorts(() => host('local'), { services, source }),
    journal: journal.open,
    async [Symbol.asyncDispose]() {
      journal[Symbol.dispose]();
      await catalog[Symbol.asyncDispose]();
    },
  };
}
