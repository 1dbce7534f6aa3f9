import type { Host } from '../../../ports/host.ts';
import type { CapturedStream, Source, SourceTools } from '../../../ports/source.ts';
import { itemNameOf } from '../server/names.ts';
import { reachServer } from '../server/reach.ts';
import { streamItem } from '../server/stream-item.ts';
import { type Client, clientOf, serverAddress } from './client.ts';
import { type MariadbSettings, namedDatabases } from './config.ts';
import { databasesOf } from './databases.ts';
import { dumpDatabase } from './dump.ts';
import { look, type SeenDatabase } from './look.ts';
import { queryDatabase } from './query.ts';

export { format } from './format.ts';

const KIND = 'mariadb';

/** Databases of one MariaDB or MySQL server. */
export function source(name: string, settings: MariadbSettings, host: Host, tools: SourceTools): Source {
  const named = namedDatabases(settings);
  const open = async (signal: AbortSignal): Promise<Client> =>
    clientOf(settings, await reachServer(name, settings.mariadb, host, tools), signal);
  const itemOf = (database: SeenDatabase, client: Client): CapturedStream => {
    const item = itemNameOf(KIND, database.name);
    const tool = { name: client.dump.name, version: client.dump.version };
    const fixed = { name: item, file: `${item}.sql`, source: name, kind: KIND, compressed: false, tool };
    return streamItem({ ...fixed, estimatedBytes: database.bytes }, (signal) => dumpDatabase(database, client, signal));
  };
  return {
    name,
    kind: KIND,
    capabilities: { tree: false, inPlace: true, sql: named !== 'all' && named.length === 1 },
    itemNames: named === 'all' ? [`${KIND}_all`] : named.map((database) => itemNameOf(KIND, database)),
    async capture(_context, signal) {
      signal.throwIfAborted();
      const client = await open(signal);
      const databases = await look(settings, client, signal);
      return {
        items: databases.map((database) => itemOf(database, client)),
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    databases: databasesOf(name, named === 'all' ? [] : named, open, serverAddress(settings)),
    placements: async () => [],
    snapshotRoots: async () => [],
    holdsDatabases: async () => true,
    query: (sql, signal) => queryDatabase(name, named, sql, () => open(signal), signal),
  };
}
