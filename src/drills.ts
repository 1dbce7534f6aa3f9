import { HOSTS, SCRATCHES, SOURCES } from './adapters/registry.ts';
import { HoldfastError } from './domain/errors.ts';
import type { StepPorts } from './journal/step.ts';
import type { Context } from './operations/context.ts';
import type { DrillContext } from './operations/drill-context.ts';
import type { OpenScratch } from './ports/scratch.ts';
import { engineEnvironment } from './process/container-engine.ts';

/** Kinds whose servers drills start in a container of the image of the one that is dumped. */
const BY_IMAGE: ReadonlySet<string> = new Set(['postgres', 'mariadb', 'redis', 'ldap']);

/** How a drill opens an instance for items of a kind. @throws Unsupported for one that it cannot drill yet */
async function openScratchOf(kind: string): Promise<OpenScratch | null> {
  const open = SCRATCHES.get(kind);
  if (open !== undefined) return await open();
  const row = SOURCES.get(kind);
  if (row !== undefined && (await row.load()).format.tree) return null;
  throw new HoldfastError('Unsupported', `This version drills no items of kind ${kind} yet.`, kind, {
    hint: 'Restore it and look: holdfast restore POINT --item NAME --to DIR',
  });
}

/** What drills need of this machine, loaded when one runs. */
export const drillPorts = (
  local: () => ReturnType<DrillContext['host']>,
  { services, source: openSource }: Pick<Context, 'services' | 'source'>,
): Pick<DrillContext, 'scratch' | 'scratchPlace' | 'restoredChecks'> => ({
  async scratch(kind, service, name) {
    const open = await openScratchOf(kind);
    const declared = services.get(service);
    const definition = declared?.sources.find((one) => one.name === name && one.kind === kind);
    if (open === null) return null;
    const byPrograms = { open, inFolder: true };
    if (declared?.host !== 'local' || definition === undefined) return byPrograms;
    const { drillServer, databases, readFrom } = await openSource(declared, definition);
    if (drillServer !== undefined)
      return {
        open: (await import('./operations/drill-databases.ts')).databasesOnServer(drillServer, service),
        inFolder: false,
      };
    const server = databases?.server ?? readFrom;
    if (!BY_IMAGE.has(kind) || server === undefined || !('container' in server)) return byPrograms;
    const { inContainer } = await HOSTS.docker.loadScratch();
    const byImage = inContainer(open, server.container, await local(), engineEnvironment(process.env));
    return { open: byImage, inFolder: true };
  },
  scratchPlace: async (folder, keep, live, signal) =>
    (await import('./process/scratch.ts')).scratchPlace(folder, keep, live, await local(), signal),
  restoredChecks: async (...wanted) => (await import('./restored-checks.ts')).restoredChecks(...wanted),
});

/** How what drills left is removed. */
export const drillSteps = (
  local: () => ReturnType<DrillContext['host']>,
): Pick<StepPorts, 'endScratch' | 'removeContainer'> => ({
  endScratch: async (path, signal) => void (await (await import('./process/marked.ts')).endMarked(path, signal)),
  removeContainer: async (name, signal) => {
    const { removeScratchContainer } = await HOSTS.docker.loadScratch();
    await removeScratchContainer(name, await local(), engineEnvironment(process.env), signal);
  },
});
