import type { Host } from '../../../ports/host.ts';
import type { CapturedStream, Source, SourceTools } from '../../../ports/source.ts';
import { itemNameOf } from '../server/names.ts';
import { noSql } from '../server/no-sql.ts';
import { reachServer } from '../server/reach.ts';
import { streamItem } from '../server/stream-item.ts';
import { type Client, clientOf } from './client.ts';
import { type CouchdbSettings, drillSettings, namedDatabases, serverAddress } from './config.ts';
import { databasesOf } from './databases.ts';
import { drillServerOf } from './drill-server.ts';
import { dumpDatabase, type ToDump } from './dump.ts';
import { look } from './server.ts';

export { format } from './format.ts';

const KIND = 'couchdb';

/** Databases of one CouchDB server. */
export function source(name: string, settings: CouchdbSettings, host: Host, tools: SourceTools): Source {
  const named = namedDatabases(settings);
  const opening =
    (server: CouchdbSettings) =>
    async (signal: AbortSignal): Promise<Client> =>
      clientOf(name, server, await reachServer(name, server.couchdb, host, tools), signal);
  const open = opening(settings);
  const forDrills = drillSettings(settings);
  const itemOf = (wanted: ToDump): CapturedStream => {
    const item = itemNameOf(KIND, wanted.database.name);
    const tool = { name: 'CouchDB', version: wanted.version };
    const fixed = { name: item, file: `${item}.jsonl`, source: name, kind: KIND, compressed: false, tool };
    return streamItem({ ...fixed, estimatedBytes: wanted.database.bytes }, async function* (signal) {
      await using client = await open(signal);
      return yield* dumpDatabase(wanted, client);
    });
  };
  return {
    name,
    kind: KIND,
    capabilities: { tree: false, inPlace: true, sql: false },
    itemNames: named === 'all' ? [`${KIND}_all`] : named.map((database) => itemNameOf(KIND, database)),
    async capture({ workspace }, signal) {
      signal.throwIfAborted();
      await using client = await open(signal);
      const { version, databases } = await look(name, named, client);
      return {
        items: databases.map((database) => itemOf({ database, version, workspace })),
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    databases: databasesOf(name, open, serverAddress(settings)),
    drillServer: forDrills === null ? undefined : drillServerOf(name, forDrills, opening(forDrills)),
    placements: async () => [],
    snapshotRoots: async () => [],
    holdsDatabases: async () => true,
    query: () => Promise.reject(noSql(name, 'a CouchDB', 'http or command')),
  };
}
