import { HOSTS, UNITS } from './adapters/registry.ts';
import { unitNameOf } from './domain/unit-reference.ts';
import { notBuilt } from './not-built.ts';
import { once } from './once.ts';
import type { Host } from './ports/host.ts';
import type { MountTable } from './ports/occupancy.ts';
import type { Unit, UnitReference } from './ports/unit.ts';
import { engineEnvironment } from './process/container-engine.ts';

/** How a host is opened by its name: `local`, or what {@link hostInContainer} gives a container. */
export type OpenHost = (name: string) => Promise<Host>;

/** Names of hosts have no spaces, so that none is hidden by a container. */
const IN_CONTAINER = /^container (.+)$/;

/** The name as a host of a container of this machine. */
export const hostInContainer = (container: string): string => `container ${container}`;

/** This machine as a host. */
export async function openLocalHost(): Promise<Host> {
  return (await HOSTS.local.load()).localHost();
}

/** Opens hosts, each once. @param signal of the command: looking for a container engine ends with it */
export function hostOpener(signal: AbortSignal): OpenHost {
  const host: OpenHost = once(async (name) => {
    const container = IN_CONTAINER.exec(name)?.[1];
    if (container !== undefined) {
      const { dockerHost } = await HOSTS.docker.load();
      return dockerHost(container, await host('local'), engineEnvironment(process.env), signal);
    }
    if (name !== 'local') throw notBuilt('hosts over SSH', name);
    return openLocalHost();
  });
  return host;
}

/** Opens units; nothing is asked of one yet. */
export const unitOpener =
  (host: OpenHost) =>
  async (reference: UnitReference): Promise<Unit> => {
    const row = UNITS.get(reference.kind);
    if (row === undefined) throw notBuilt(`units of kind ${reference.kind}`, unitNameOf(reference));
    return (await row.load())(reference, await host(reference.host), engineEnvironment(process.env));
  };

/** The mounts of this machine; what reads them is loaded when it is asked. */
export function openMountTable(host: OpenHost): MountTable {
  const table = async (): Promise<MountTable> =>
    (await import('./adapters/hosts/local/mount-table.ts')).localMountTable(await host('local'));
  return {
    occupancy: async (path, signal) => (await table()).occupancy(path, signal),
    show: async (mount, signal) => (await table()).show(mount, signal),
    hide: async (point, signal) => (await table()).hide(point, signal),
  };
}
