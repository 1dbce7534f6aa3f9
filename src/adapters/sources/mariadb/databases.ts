import { HoldfastError } from '../../../domain/errors.ts';
import type { Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Databases } from '../../../ports/source.ts';
import { databaseOfItem } from '../server/names.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';
import { listTables } from './look.ts';
import { databaseNamedIn } from './read-script.ts';

/** A dump says of which database it is within so many bytes. */
const HEADER_BYTES = 8192;
const COUNT_LIMIT_MS = 24 * 3600_000;

/** How items go back into a running server: under a name that is free. MariaDB gives no database another name, so none
 *  takes the place of another. */
export function databasesOf(source: string, open: (signal: AbortSignal) => Promise<Client>): Databases {
  /** What was filled, and the database that its rows are counted as: keys of facts have its name. */
  const originals = new Map<string, string>();
  const exists = async (database: string, signal: AbortSignal): Promise<boolean> => {
    const name = args.literal(database);
    const sql = `SELECT 1 FROM information_schema.SCHEMATA WHERE BINARY SCHEMA_NAME = BINARY ${name}`;
    return (await (await open(signal)).lines(sql, signal)).length > 0;
  };
  const noSwap = (): Promise<never> =>
    Promise.reject(
      new HoldfastError('Unsupported', 'MariaDB gives no database another name.', source, { hint: BESIDE }),
    );
  return {
    databaseOf: (item) => databaseOfItem('mariadb', item),
    exists,
    async fill(database, bytes, signal) {
      if (await exists(database, signal))
        throw new HoldfastError('TargetExists', `The server has a database ${database} already.`, database, {
          hint: 'Choose a name that is free',
        });
      const client = await open(signal);
      const original = databaseNamedIn(await beginningOf(bytes()));
      if (original === null)
        throw new HoldfastError('Damaged', 'The dump does not say of which database it is.', database);
      await client.lines(`CREATE DATABASE ${args.quoted(database)}`, signal);
      originals.set(database, original);
      await load(database, renamed(bytes(), original, database), client, signal);
      return await runningEvents(database, client, signal);
    },
    apply: noSwap,
    async facts(database, signal) {
      const client = await open(signal);
      return await countRows(database, originals.get(database) ?? database, client, signal);
    },
    confirmExchange: noSwap,
    swapIn: noSwap,
    swapBack: noSwap,
    drop: async (database, signal) =>
      void (await (await open(signal)).lines(`DROP DATABASE IF EXISTS ${args.quoted(database)}`, signal)),
  };
}

const BESIDE = 'Restore it beside the present one: --database NAME, or to a folder: --to DIR';

async function beginningOf(bytes: Bytes): Promise<string> {
  let beginning = Buffer.alloc(0);
  for await (const chunk of bytes) {
    beginning = Buffer.concat([beginning, chunk.subarray(0, HEADER_BYTES)]);
    if (beginning.length >= HEADER_BYTES) break;
  }
  return beginning.toString('utf8');
}

/** Around a trigger or routine that is older than its database's collation a dump sets that of the database by its name,
 *  which here would be the live one. No other statement of a dump names the database. */
async function* renamed(bytes: Bytes, original: string, database: string): Bytes {
  const line = (name: string): Buffer => Buffer.from(`\nALTER DATABASE ${args.quoted(name)} `);
  const [wanted, instead] = [line(original), line(database)];
  let kept = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const buffer = Buffer.concat([kept, chunk]);
    let from = 0;
    for (let at = buffer.indexOf(wanted); at >= 0; at = buffer.indexOf(wanted, from)) {
      yield buffer.subarray(from, at);
      yield instead;
      from = at + wanted.length;
    }
    const to = Math.max(from, buffer.length - wanted.length + 1);
    yield buffer.subarray(from, to);
    kept = buffer.subarray(to);
  }
  yield kept;
}

async function load(database: string, bytes: Bytes, client: Client, signal: AbortSignal): Promise<void> {
  let ended = false;
  async function* whole(): Bytes {
    yield* bytes;
    ended = true;
  }
  try {
    const command = client.command(client.client, args.load(database));
    await client.host.feed([command], { signal, input: whole() });
  } catch (error) {
    signal.throwIfAborted();
    throw client.explain(error, database);
  }
  // The hashes are compared when the last byte was taken.
  if (!ended)
    throw new HoldfastError('Damaged', `The client did not take all of what ${database} is made of.`, database);
}

/** Events of a copy do their work beside those of the original. */
async function runningEvents(database: string, client: Client, signal: AbortSignal): Promise<readonly string[]> {
  const sql = `SELECT COUNT(*) FROM information_schema.EVENTS WHERE BINARY EVENT_SCHEMA = BINARY ${args.literal(database)} AND STATUS = 'ENABLED'`;
  const count = Number((await client.lines(sql, signal))[0]?.[0] ?? 0);
  return count === 0 ? [] : [`${database}: ${count} of its events are enabled, and run beside those of the original`];
}

async function countRows(database: string, named: string, client: Client, signal: AbortSignal): Promise<Facts> {
  const tables = await listTables(database, client, signal);
  const from = (table: string): string => `${args.quoted(database)}.${args.quoted(table)}`;
  const sql = tables.map(({ name }) => `SELECT COUNT(*) FROM ${from(name)}`).join(';\n');
  const rows = tables.length === 0 ? [] : await client.lines(sql, signal, COUNT_LIMIT_MS);
  const counts = tables.map(({ name }, index) => [`${named}.${name}`, Number(rows[index]?.[0])] as const);
  return { tables: Object.fromEntries(counts) };
}
