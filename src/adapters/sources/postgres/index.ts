import type { Host } from '../../../ports/host.ts';
import type { Captured, CapturedStream, Source, SourceTools } from '../../../ports/source.ts';
import { itemNameOf } from '../server/names.ts';
import { type Reached, reachServer } from '../server/reach.ts';
import { streamItem } from '../server/stream-item.ts';
import { type Client, clientOf, serverAddress, TO_CHANGE } from './client.ts';
import type { PostgresSettings } from './config.ts';
import { databasesOf } from './databases.ts';
import { COUNTING_LIMIT_MS, dumpDatabase } from './dump.ts';
import { dumpGlobals } from './globals.ts';
import { closedWarning, look, namedDatabases, type Seen } from './look.ts';
import { queryDatabase } from './query.ts';

export { format } from './format.ts';

const KIND = 'postgres';
const GLOBALS = 'postgres_globals';

/** The name of a database's item. The one called `globals` gives way to the item of the roles. */
const itemOf = (database: string): string => {
  const name = itemNameOf(KIND, database);
  return name === GLOBALS ? `${KIND}_%67lobals` : name;
};

/** What is to be said of the whole server stands with its first item. */
async function* warned(
  warnings: readonly string[],
  dump: AsyncGenerator<Uint8Array, Captured>,
): AsyncGenerator<Uint8Array, Captured> {
  const captured = yield* dump;
  return { ...captured, warnings: [...warnings, ...captured.warnings] };
}

/** Databases of one PostgreSQL server, and what belongs to none of them. */
export function source(
  name: string,
  settings: PostgresSettings,
  host: Host,
  tools: SourceTools,
  /** Milliseconds that rows are counted beyond the end of the dump. */
  countingLimitMs = COUNTING_LIMIT_MS,
): Source {
  const globals = settings.postgres.globals === true;
  const named = namedDatabases(settings);
  const others = named === 'all' ? [] : named;
  const open = async (options: string | null = null): Promise<Client> => {
    const reached: Reached = await reachServer(name, settings.postgres, host, tools);
    return clientOf(settings, reached, options);
  };
  const common = { source: name, kind: KIND, compressed: false } as const;
  const itemsOf = (seen: Seen, client: Client): readonly CapturedStream[] => {
    const version = seen.toolVersion;
    const closed = closedWarning(seen.closed);
    const databases = seen.databases.map((database) => {
      const item = itemOf(database.name);
      const tool = { name: 'pg_dump', version };
      const fixed = { ...common, name: item, file: `${item}.dump`, tool, estimatedBytes: database.bytes };
      const warnings = !globals && database === seen.databases[0] ? closed : [];
      return streamItem(fixed, (signal) => warned(warnings, dumpDatabase(database, client, countingLimitMs, signal)));
    });
    if (!globals) return databases;
    const tool = { name: 'pg_dumpall', version };
    const fixed = { ...common, name: GLOBALS, file: `${GLOBALS}.sql`, tool, estimatedBytes: null };
    const dump = (signal: AbortSignal) => warned(closed, dumpGlobals(client, others, seen.superuser, signal));
    return [streamItem(fixed, dump), ...databases];
  };
  return {
    name,
    kind: KIND,
    capabilities: { tree: false, inPlace: true, sql: others.length === 1 },
    itemNames: [...(globals ? [GLOBALS] : []), ...(named === 'all' ? [`${KIND}_all`] : named.map(itemOf))],
    async capture(_context, signal) {
      signal.throwIfAborted();
      const client = await open();
      const items = itemsOf(await look(settings, client, signal), client);
      return { items, [Symbol.asyncDispose]: async () => undefined };
    },
    databases: databasesOf(() => open(TO_CHANGE), serverAddress(settings)),
    placements: async () => [],
    snapshotRoots: async () => [],
    holdsDatabases: async () => true,
    query: async (sql, signal) => queryDatabase(name, others, sql, await open(), signal),
  };
}
