import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { Source, SourceTools } from '../../../ports/source.ts';
import { reachServer } from '../server/reach.ts';
import { streamItem } from '../server/stream-item.ts';
import { clientOf } from './client.ts';
import type { RedisSettings } from './config.ts';
import { dumpServer } from './dump.ts';

export { format } from './format.ts';

const KIND = 'redis';

/** One Redis server, all its databases. */
export function source(name: string, settings: RedisSettings, host: Host, tools: SourceTools): Source {
  const item = KIND;
  return {
    name,
    kind: KIND,
    capabilities: { tree: false, inPlace: false, sql: false, waits: true },
    itemNames: [item],
    async capture(_context, signal) {
      signal.throwIfAborted();
      const client = clientOf(name, settings, await reachServer(name, settings.redis, host, tools));
      const seen = await client.look(signal);
      const tool = { name: 'redis-cli', version: seen.toolVersion };
      const file = `${item}.rdb`;
      const fixed = { name: item, source: name, kind: KIND, file, compressed: false, tool, estimatedBytes: seen.bytes };
      const items = [streamItem(fixed, (reading) => dumpServer(name, client, seen, reading))];
      return { items, [Symbol.asyncDispose]: async () => undefined };
    },
    databases: null,
    placements: async () => [],
    snapshotRoots: async () => [],
    holdsDatabases: async () => true,
    query: () => {
      const words = `${name} is a Redis, which no SQL can ask.`;
      return Promise.reject(new HoldfastError('Unsupported', words, name, { hint: 'Use a check by command or tcp' }));
    },
  };
}
