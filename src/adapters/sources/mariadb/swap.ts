import { HoldfastError } from '../../../domain/errors.ts';
import { inUse } from '../server/kept.ts';
import { literal, quoted } from './args.ts';
import type { Client } from './client.ts';
import { exchange, finishExchange, forgetExchange } from './exchange.ts';
import { BEGUN, DONE, databaseExists, EARLIER, fromHex, objectsOf } from './objects.ts';
import { hasTable } from './saved.ts';

interface Names {
  readonly database: string;
  readonly staged: string;
  readonly kept: string;
}

/** MariaDB renames several tables at once or none of them, also through a crash, from 10.6 on
 *  (https://mariadb.com/kb/en/atomic-ddl), MySQL from 8.0 on. */
const ATOMIC = { mariadb: [10, 6], mysql: [8, 0] } as const;

/** @throws Refused for a server that cannot exchange tables in one step, for a replica, and where other databases point to these */
export async function confirmExchange(
  databases: readonly string[],
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const [[version = ''] = []] = await client.lines('SELECT VERSION()', signal);
  const maker = /mariadb/i.test(version) ? 'mariadb' : 'mysql';
  const [major = 0, minor = 0] = (version.replace(/^5\.5\.5-/, '').match(/\d+/g) ?? []).map(Number);
  const [wantedMajor, wantedMinor] = ATOMIC[maker];
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor))
    throw new HoldfastError(
      'Refused',
      `The server, ${version}, cannot exchange tables in one step.`,
      databases.join(', '),
      {
        hint: `In place needs MariaDB 10.6 or MySQL 8.0. ${BESIDE}. ${BY_HAND}`,
      },
    );
  if (await isReplica(client, signal))
    throw new HoldfastError('Refused', 'The server is a replica, which its primary fills.', databases.join(', '), {
      hint: `Name its primary in the source. ${BESIDE}`,
    });
  if (databases.length === 0) return;
  await refusePlaced(databases, client, signal);
  const names = databases.map((name) => `BINARY ${literal(name)}`).join(', ');
  const rows = await client.lines(
    `SELECT DISTINCT HEX(CONVERT(CONSTRAINT_SCHEMA USING utf8mb4)), HEX(CONVERT(UNIQUE_CONSTRAINT_SCHEMA USING utf8mb4))
     FROM information_schema.REFERENTIAL_CONSTRAINTS
     WHERE BINARY UNIQUE_CONSTRAINT_SCHEMA IN (${names}) AND BINARY CONSTRAINT_SCHEMA <> BINARY UNIQUE_CONSTRAINT_SCHEMA`,
    signal,
  );
  const [[other, one] = []] = rows.map(([from = '', to = '']) => [fromHex(from), fromHex(to)]);
  if (other === undefined || one === undefined) return;
  throw new HoldfastError(
    'Refused',
    `Foreign keys of database ${other} point into ${one}, and would follow its old tables.`,
    one,
    {
      hint: `Drop them before, and make them again afterwards. ${BESIDE}. ${BY_HAND}`,
    },
  );
}

/** MariaDB 10.11 forgets where a file lies that is not in its database's folder once two such tables change places: the link
 *  to it stays behind, and the emptied database cannot be dropped (error 1010). */
async function refusePlaced(databases: readonly string[], client: Client, signal: AbortSignal): Promise<void> {
  const names = databases.map((name) => `BINARY ${literal(name)}`).join(', ');
  const column = (name: string): string => `HEX(CONVERT(${name} USING utf8mb4))`;
  const rows = await client.lines(
    `SELECT ${column('TABLE_SCHEMA')}, ${column('TABLE_NAME')}, CREATE_OPTIONS LIKE '%DATA DIRECTORY%'
     FROM information_schema.TABLES WHERE BINARY TABLE_SCHEMA IN (${names})
     AND (CREATE_OPTIONS LIKE '%DATA DIRECTORY%' OR CREATE_OPTIONS LIKE '%partitioned%') ORDER BY 3 DESC`,
    signal,
  );
  const tables = rows.map(([of = '', name = '', placed]) => ({
    database: fromHex(of),
    table: fromHex(name),
    placed: placed === '1',
  }));
  const found = tables.find(({ placed }) => placed) ?? (await withPlacedPartition(tables, client, signal));
  if (found === undefined) return;
  const { database, table } = found;
  throw new HoldfastError(
    'Refused',
    `Table ${table} of ${database} lies in a folder of its own (DATA DIRECTORY).`,
    database,
    {
      hint: `The server cannot exchange it with another. ${BESIDE}. ${BY_HAND}`,
    },
  );
}

/** Of partitions only their definition tells the folder. */
async function withPlacedPartition<Table extends { readonly database: string; readonly table: string }>(
  tables: readonly Table[],
  client: Client,
  signal: AbortSignal,
): Promise<Table | undefined> {
  for (const one of tables) {
    const sql = `SHOW CREATE TABLE ${quoted(one.database)}.${quoted(one.table)}`;
    const definition = (await client.lines(sql, signal)).flat();
    if (definition.some((words) => /\bDATA DIRECTORY = '/.test(words))) return one;
  }
  return undefined;
}

/** Where the account may not ask, or a later MySQL knows the words no more, nobody is kept from anything. */
async function isReplica(client: Client, signal: AbortSignal): Promise<boolean> {
  const rows = await client.lines('SHOW SLAVE STATUS', signal).catch(() => []);
  signal.throwIfAborted();
  return rows.length > 0;
}

const BESIDE = 'Restore it beside the present one: --database NAME, or to a folder: --to DIR';
const BY_HAND = 'Or with the application stopped: back it up, drop it, and restore it by its own name: --database';

/** @throws Refused when neither name is as it was before nor as it is afterwards */
export async function takePlace({ database, staged, kept }: Names, client: Client, signal: AbortSignal): Promise<void> {
  const names = { database, from: staged, aside: kept };
  if (!(await databaseExists(staged, client, signal))) {
    if (!(await databaseExists(database, client, signal)))
      throw new HoldfastError('Refused', `The restored database ${staged} is gone.`, staged);
    return; // done before
  }
  const begun = await databaseExists(kept, client, signal);
  if (begun && !(await isOurs(kept, client, signal)))
    throw new HoldfastError('Refused', `A database ${kept} is there already.`, kept);
  if (!begun) await refusePlaced([database, staged], client, signal);
  // The table of an exchange that is over would pass for that of this one.
  for (const name of begun ? [] : [database, staged]) await readyAgain(name, client, signal);
  await exchange(names, client, signal);
}

/** Made by an exchange, or left empty by one that had just begun. */
async function isOurs(database: string, client: Client, signal: AbortSignal): Promise<boolean> {
  for (const table of [BEGUN, DONE] as const) if (await hasTable(database, table, client, signal)) return true;
  const { tables, views, routines, events } = await objectsOf(database, client, signal);
  return [tables, views, routines, events].every((all) => all.length === 0);
}

export async function takeBack(names: Names, client: Client, signal: AbortSignal): Promise<void> {
  await goBack(names, client, signal);
  await readyAgain(names.staged, client, signal);
}

async function goBack({ database, staged, kept }: Names, client: Client, signal: AbortSignal): Promise<void> {
  const there = (name: string): Promise<boolean> => databaseExists(name, client, signal);
  const has = (name: string, table: typeof BEGUN | typeof DONE): Promise<boolean> =>
    hasTable(name, table, client, signal);
  const way = { database, from: staged, aside: kept };
  const back = { database, from: (await there(kept)) ? kept : null, aside: staged };
  if (await has(staged, DONE)) return finishExchange(back, client, signal); // its tables went back before
  if (await has(staged, BEGUN)) return exchange(back, client, signal);
  if (await there(staged)) {
    if (await has(kept, DONE)) await finishExchange(way, client, signal);
    else if (back.from === null)
      return; // never begun, or taken back before
    else return forgetExchange(way, client, signal);
  }
  if ((await there(database)) || (await there(kept)))
    await exchange({ ...back, from: (await there(kept)) ? kept : null }, client, signal);
}

/** By the table of an exchange is told how far one got, so that of one that is over gets another name. */
export async function readyAgain(kept: string, client: Client, signal: AbortSignal): Promise<void> {
  if (!(await hasTable(kept, DONE, client, signal))) return;
  const own = (table: string): string => `${quoted(kept)}.${table}`;
  await client.lines(`DROP TABLE IF EXISTS ${own(EARLIER)};\nRENAME TABLE ${own(DONE)} TO ${own(EARLIER)}`, signal);
}

/** One that no exchange set aside is somebody else's, whatever it is called. */
export async function discard(kept: string, client: Client, signal: AbortSignal): Promise<void> {
  if (!(await databaseExists(kept, client, signal))) return;
  if (!(await hasTable(kept, DONE, client, signal)) && !(await hasTable(kept, EARLIER, client, signal)))
    throw new HoldfastError('Refused', `The database ${kept} was not set aside by a restore.`, kept, {
      hint: 'Drop it by hand when it is of no use',
    });
  const talks = `SELECT ID FROM information_schema.PROCESSLIST WHERE BINARY DB = BINARY ${literal(kept)}`;
  if ((await client.lines(talks, signal)).length > 0) throw inUse(kept);
  await client.lines(`DROP DATABASE IF EXISTS ${quoted(kept)}`, signal);
}
