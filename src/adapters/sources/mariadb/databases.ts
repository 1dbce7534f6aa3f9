import { HoldfastError } from '../../../domain/errors.ts';
import type { Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Databases, ServerAddress } from '../../../ports/source.ts';
import { databaseOfItem } from '../server/names.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';
import { renamed } from './load.ts';
import { loadLarge } from './load-large.ts';
import { isOurs, listTables } from './look.ts';
import { databaseExists } from './objects.ts';
import { databaseNamedIn } from './read-script.ts';
import { withOddDays } from './sql-mode.ts';
import { confirmExchange, discard, readyAgain, takeBack, takePlace } from './swap.ts';

/** A dump says of which database it is within so many bytes. */
const HEADER_BYTES = 8192;
const COUNT_LIMIT_MS = 24 * 3600_000;

/** How items go back into a running server.
 *  @param named databases that the configuration names */
export function databasesOf(
  source: string,
  named: readonly string[],
  open: (signal: AbortSignal) => Promise<Client>,
  server: ServerAddress,
): Databases {
  /** What was filled, and the database that its rows are counted as: keys of facts have its name. */
  const originals = new Map<string, string>();
  const exists = async (database: string, signal: AbortSignal): Promise<boolean> =>
    await databaseExists(database, await open(signal), signal);
  return {
    server,
    databaseOf: (item) => databaseOfItem('mariadb', item, named),
    exists,
    async fill(database, bytes, signal) {
      if (await exists(database, signal))
        throw new HoldfastError('TargetExists', `The server has a database ${database} already.`, database, {
          hint: 'Choose a name that is free, or restore it in place: --in-place',
        });
      const client = await open(signal);
      const original = databaseNamedIn(await beginningOf(bytes()));
      if (original === null)
        throw new HoldfastError('Damaged', 'The dump does not say of which database it is.', database);
      originals.set(database, original);
      await loadLarge(database, () => renamed(withOddDays(bytes()), original, database), client, signal);
      return isOurs(database) ? [] : await runningEvents(database, client, signal);
    },
    apply: () =>
      Promise.reject(
        new HoldfastError(
          'Unsupported',
          `The name of a database of ${source} is too long to be told by its item.`,
          source,
          {
            hint: 'Name it in the source: `databases: [NAME]`',
          },
        ),
      ),
    async facts(database, signal) {
      const client = await open(signal);
      return await countRows(database, originals.get(database) ?? database, client, signal);
    },
    confirmExchange: async (databases, signal) => await confirmExchange(databases, await open(signal), signal),
    swapIn: async (database, staged, kept, signal) =>
      await takePlace({ database, staged, kept }, await open(signal), signal),
    swapBack: async (database, staged, kept, signal) =>
      await takeBack({ database, staged, kept }, await open(signal), signal),
    drop: async (database, signal) =>
      void (await (await open(signal)).lines(`DROP DATABASE IF EXISTS ${args.quoted(database)}`, signal)),
    readyAgain: async (kept, signal) => await readyAgain(kept, await open(signal), signal),
    discard: async (kept, signal) => await discard(kept, await open(signal), signal),
  };
}

async function beginningOf(bytes: Bytes): Promise<string> {
  let beginning = Buffer.alloc(0);
  for await (const chunk of bytes) {
    beginning = Buffer.concat([beginning, chunk.subarray(0, HEADER_BYTES)]);
    if (beginning.length >= HEADER_BYTES) break;
  }
  return beginning.toString('utf8');
}

/** Events of a copy do their work beside those of the original. */
async function runningEvents(database: string, client: Client, signal: AbortSignal): Promise<readonly string[]> {
  const sql = `SELECT COUNT(*) FROM information_schema.EVENTS WHERE BINARY EVENT_SCHEMA = BINARY ${args.literal(database)} AND STATUS = 'ENABLED'`;
  const count = Number((await client.lines(sql, signal))[0]?.[0] ?? 0);
  return count === 0 ? [] : [`${database}: ${count} of its events are enabled, and run beside those of the original`];
}

async function countRows(database: string, named: string, client: Client, signal: AbortSignal): Promise<Facts> {
  const all = await listTables(database, client, signal);
  const tables = all.filter(({ borrowed }) => !borrowed);
  const from = (table: string): string => `${args.quoted(database)}.${args.quoted(table)}`;
  const sql = tables.map(({ name }) => `SELECT COUNT(*) FROM ${from(name)}`).join(';\n');
  const rows = tables.length === 0 ? [] : await client.lines(sql, signal, COUNT_LIMIT_MS);
  const found = new Map(tables.map(({ name }, index) => [name, Number(rows[index]?.[0])]));
  const counts = all.map(({ name }) => [`${named}.${name}`, found.get(name) ?? 0] as const);
  return { tables: Object.fromEntries(counts) };
}
