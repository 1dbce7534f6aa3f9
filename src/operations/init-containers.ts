import {
  boundPaths,
  type ContainerGroup,
  groupsOf,
  type SeenContainer,
  volumesOf,
  wantsStop,
} from '../domain/found-container.ts';
import { folderSources } from '../domain/found-folder.ts';
import { isDirectory, type KnownDatabase, knownDatabase } from '../domain/known-databases.ts';
import { isDownForRestore, suffixesIn } from '../domain/known-servers.ts';
import type { FoundService, FoundSource, Settings } from '../domain/proposal.ts';
import { isBelow } from '../domain/tree-path.ts';
import { lookAtFolder } from './init-folders.ts';
import { parseInspected } from './init-inspect.ts';
import { firstThatWorks, type Machine } from './init-try.ts';
import { linesOf, printedBy } from './look.ts';

export interface ContainersFound {
  readonly services: readonly FoundService[];
  /** Folders that are told by these services. */
  readonly folders: readonly string[];
  /** Ids of all containers that run. */
  readonly ids: readonly string[];
  readonly others: readonly string[];
}

/** The containers that run: those of a Compose project as one service, any other as one of its own. */
export async function lookAtContainers(machine: Machine, signal: AbortSignal): Promise<ContainersFound> {
  const { host, engine } = machine;
  for (const program of ['docker', 'podman'] as const) {
    if (program === 'podman' && !(await hasRunningPodman(machine, signal))) continue;
    const ids = await linesOf(host, program, ['ps', '--quiet', '--no-trunc'], signal, engine);
    if (ids.length === 0) continue;
    const seen = parseInspected(await printedBy(host, program, ['container', 'inspect', ...ids], signal, engine));
    const services: FoundService[] = [];
    const folders: string[] = [];
    const others: string[] = [];
    for (const group of groupsOf(seen)) {
      const folder = await folderOf(group, machine, signal);
      if (folder !== null) folders.push(folder);
      const found = await servicesOf({ group, program, folder }, machine, signal);
      services.push(...found);
      if (found.length === 0)
        others.push(...group.containers.map(({ name, image }) => `  container ${name} (${image})`));
    }
    return { services, folders, ids, others };
  }
  return { services: [], folders: [], ids: [], others: [] };
}

/** podman makes folders of its own, in /tmp and elsewhere, when it is asked anything at all. A container of an account
 *  that runs has a process `conmon` of the same account; CONTAINER_HOST names an engine elsewhere. */
async function hasRunningPodman({ host, engine }: Machine, signal: AbortSignal): Promise<boolean> {
  if (engine.CONTAINER_HOST !== undefined) return true;
  return (await linesOf(host, 'ps', ['x', '-o', 'comm='], signal)).includes('conmon');
}

/** Folders in which much more lies than one project. */
const WIDE = /^\/(?:[^/]*|(?:home|root|mnt|media|opt|srv|var)\/[^/]*|)$/;
const OF_ONE = /^\/(?:opt|srv)\/[^/]+/;

/** The folder of a project, when it is there and is the project's alone. */
async function folderOf({ folder }: ContainerGroup, { host }: Machine, signal: AbortSignal): Promise<string | null> {
  if (folder === null || !folder.startsWith('/') || (WIDE.test(folder) && !OF_ONE.test(folder))) return null;
  return (await host.files.status(folder, signal))?.type === 'directory' ? folder : null;
}

interface Project {
  readonly group: ContainerGroup;
  readonly program: string;
  readonly folder: string | null;
}

interface Dumped {
  readonly container: SeenContainer;
  readonly database: KnownDatabase;
  readonly source: FoundSource;
}

/** One service, and one more for each further database whose items would have the names of the first's. */
async function servicesOf(project: Project, machine: Machine, signal: AbortSignal): Promise<readonly FoundService[]> {
  const { group } = project;
  const dumped = await databasesOf(project, machine, signal);
  const own = dumped.filter(
    (one, index) => dumped.findIndex(({ database }) => database.kind === one.database.kind) === index,
  );
  const apart = dumped.filter((one) => !own.includes(one));
  const kept = group.containers.filter((container) => !dumped.some((one) => one.container === container));
  const takenByDumps = dumped.map(({ container }) => container);
  const volumes = volumesOf(kept).filter((volume) => !volumesOf(takenByDumps).includes(volume));
  const bound = boundPaths(kept);
  const sources: FoundSource[] = own.map(({ source }) => source);
  for (const volume of volumes) {
    const settings = { volume };
    const name = volume.startsWith(`${group.name}_`) ? volume.slice(group.name.length + 1) : volume;
    sources.push({ name, settings, problem: await machine.whyNotCaptured(settings, signal) });
  }
  const { folder } = project;
  if (folder !== null) {
    const found = await lookAtFolder(folder, boundPaths(takenByDumps), machine.host, signal);
    sources.push(...folderSources(found, [folder]));
  } else if (group.files.length > 0) sources.push(...folderSources(NOTHING, group.files));
  const elsewhere = bound.filter((path) => !SYSTEM.test(path) && (folder === null || !isBelow(path, folder)));
  const notes = [
    `containers: ${group.containers.map(({ name, image }) => `${name} (${image})`).join(', ')}`,
    ...elsewhere.map((path) => `it writes to ${path}, too: add it to \`files\` when it is wanted back`),
  ];
  if (sources.length === 0) return [];
  const service = { name: group.name, notes, ...unitsOf(project, dumped), sources };
  return [service, ...apart.map(({ container, database, source }) => alone(container, database, source))];
}

const NOTHING = { path: '', databases: [], left: [] };
/** What containers are given of the machine itself. */
const SYSTEM = /^\/(?:etc|run|proc|sys|dev|var\/run|var\/lib\/docker|var\/lib\/containers|usr|tmp)(?:\/|$)|^\/$/;

const alone = (container: SeenContainer, { kind }: KnownDatabase, source: FoundSource): FoundService => ({
  name: container.name,
  notes: [`container ${container.name} (${container.image})`],
  units: isDownForRestore(kind) ? [{ container: container.name }] : [],
  stopDuringBackup: false,
  sources: [source],
});

async function databasesOf(
  { group, program }: Project,
  machine: Machine,
  signal: AbortSignal,
): Promise<readonly Dumped[]> {
  const dumped: Dumped[] = [];
  for (const container of group.containers) {
    const suffixes = isDirectory(container) ? await suffixesOf(container, program, machine, signal) : [];
    const database = knownDatabase(container, program, suffixes);
    if (database === null) continue;
    const source = await firstThatWorks(database.name, database.ways, machine, signal);
    if (source !== null) dumped.push({ container, database, source });
  }
  return dumped;
}

async function suffixesOf(
  { name }: SeenContainer,
  program: string,
  { host, engine }: Machine,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const slapcat = ['slapcat', '-n', '0', '-o', 'ldif-wrap=no', '-a', '(olcSuffix=*)'];
  return suffixesIn(await printedBy(host, program, ['exec', name, ...slapcat], signal, engine));
}

/** A server that takes its databases back while it runs is none of the units. Where containers ask to be stopped while
 *  they are read, these alone are the units, and no server that has to run for its dump. */
function unitsOf({ group }: Project, dumped: readonly Dumped[]): Pick<FoundService, 'units' | 'stopDuringBackup'> {
  const asking = group.containers.filter(wantsStop);
  const running = dumped.filter(({ database }) => asking.length > 0 || !isDownForRestore(database.kind));
  const stopped = (asking.length > 0 ? asking : group.containers).filter(
    (container) => !running.some((one) => one.container === container),
  );
  const [file, ...more] = group.files;
  const one = file !== undefined && more.every((other) => /\boverride\b/.test(other)); // which its unit reads, too
  const whole = one && stopped.length === group.containers.length;
  const units: readonly Settings[] = whole ? [{ compose: file }] : stopped.map(({ name }) => ({ container: name }));
  return { units, stopDuringBackup: asking.some((container) => stopped.includes(container)) };
}
