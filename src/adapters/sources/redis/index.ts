import type { Host } from '../../../ports/host.ts';
import type { Source, SourceTools } from '../../../ports/source.ts';
import { engineClient } from '../../../process/engine-client.ts';
import { addressOf } from '../server/address.ts';
import { noSql } from '../server/no-sql.ts';
import { reachServer } from '../server/reach.ts';
import { streamItem } from '../server/stream-item.ts';
import { type Client, clientOf } from './client.ts';
import type { RedisSettings } from './config.ts';
import { dumpServer } from './dump.ts';
import { placeOf } from './place.ts';

export { format } from './format.ts';

const KIND = 'redis';

/** One Redis server, all its databases. */
export function source(name: string, settings: RedisSettings, host: Host, tools: SourceTools): Source {
  const [item, file] = [KIND, `${KIND}.rdb`];
  const open = async (): Promise<Client> =>
    clientOf(name, settings, await reachServer(name, settings.redis, host, tools));
  const engine = engineClient(host, tools.engineEnvironment);
  return {
    name,
    kind: KIND,
    capabilities: { tree: false, inPlace: true, sql: false, waits: true },
    itemNames: [item],
    async capture(_context, signal) {
      signal.throwIfAborted();
      const client = await open();
      const seen = await client.look(signal);
      const tool = { name: 'redis-cli', version: seen.toolVersion };
      const fixed = { name: item, source: name, kind: KIND, file, compressed: false, tool, estimatedBytes: seen.bytes };
      const items = [streamItem(fixed, (reading) => dumpServer(name, client, seen, reading))];
      return { items, [Symbol.asyncDispose]: async () => undefined };
    },
    databases: null,
    readFrom: addressOf(settings.redis, { port: 6379, sockets: [] }),
    placements: async (_roots, signal) => [await placeOf(name, file, settings, await open(), host, engine, signal)],
    snapshotRoots: async () => [],
    holdsDatabases: async () => true,
    query: () => Promise.reject(noSql(name, 'a Redis', 'command or tcp')),
  };
}
