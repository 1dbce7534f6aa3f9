import { folderService } from '../domain/found-folder.ts';
import type { Findings } from '../domain/proposal.ts';
import { lookAtContainers } from './init-containers.ts';
import { lookAtFolders } from './init-folders.ts';
import { lookAtServers } from './init-servers.ts';
import type { Machine } from './init-try.ts';
import { linesOf } from './look.ts';

/** Looks at a machine: containers and Compose projects with their volumes and databases, database servers that listen,
 *  folders of services and the SQLite databases in them, BTRFS, units. Servers are asked for what they have; nothing is
 *  changed, and what cannot be looked at is not found. */
export async function inspectMachine(machine: Machine, signal: AbortSignal): Promise<Findings> {
  const { host } = machine;
  const contained = await lookAtContainers(machine, signal);
  const servers = await lookAtServers(contained.ids, machine, signal);
  const folders = await lookAtFolders(contained.folders, host, signal);
  const units = (
    await linesOf(
      host,
      'systemctl',
      ['list-units', '--type=service', '--all', '--plain', '--no-legend', '--no-pager'],
      signal,
    )
  ).flatMap((line) => line.trim().split(/\s+/)[0] ?? []);
  return {
    services: [...contained.services, ...servers, ...folders.map((folder) => folderService(folder, units))],
    pools: await linesOf(host, 'findmnt', ['-n', '-l', '-t', 'btrfs', '-o', 'TARGET'], signal),
    others: contained.others,
  };
}
