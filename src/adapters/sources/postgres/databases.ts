import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Databases, ServerAddress } from '../../../ports/source.ts';
import { databaseOfItem } from '../server/names.ts';
import * as args from './args.ts';
import { askServer, type Client } from './client.ts';
import { namedAs, parseDefinitions } from './definitions.ts';
import { countDatabase } from './facts.ts';
import { restoreArchive } from './restore.ts';
import { missingRolesOf } from './roles.ts';
import { confirmExchange, discard, drop, takeBack, takePlace } from './swap.ts';
import { type Ask, literal, quoted, type Talks } from './words.ts';

const GLOBALS = 'postgres_globals';

/** How items go back into a running server. */
export function databasesOf(open: () => Promise<Client>, server: ServerAddress): Databases {
  const ask: Ask = async (sql, signal, except) => await askServer(await open(), [], sql, signal, except);
  const within: Talks['within'] = async (database, sql, signal) => await (await open()).lines(database, sql, signal);
  const talks = { ask, within };
  const exists = async (database: string, signal: AbortSignal): Promise<boolean> => {
    const name = literal(database);
    const longest = `pg_catalog.current_setting('max_identifier_length')`;
    const sql = `select ${longest} where pg_catalog.octet_length(${name}) not between 1 and ${longest}::int
      union all select 'there' from pg_catalog.pg_database where datname = ${name}`.replaceAll(/\s+/g, ' ');
    const [found] = await ask(sql, signal);
    if (found === undefined || found === 'there') return found === 'there';
    // the server would cut it and say nothing
    throw new HoldfastError('Usage', `A database's name has 1 to ${found} bytes here: "${database}".`, database, {
      hint: 'Choose another name',
    });
  };
  return {
    server,
    databaseOf: (item) => (item === GLOBALS ? null : databaseOfItem('postgres', item)),
    exists,
    async fill(database, bytes, signal) {
      if (await exists(database, signal))
        throw new HoldfastError('TargetExists', `The server has a database ${database} already.`, database, {
          hint: 'Choose a name that is free, or restore it in place: --in-place',
        });
      return await fill(database, bytes, await open(), talks, signal);
    },
    async apply(bytes, signal) {
      const { statements, left } = await missingRolesOf(bytes(), await namesOf('rolname', 'pg_roles', ask, signal));
      if (statements.length > 0) await ask(`begin;${statements.join('\n')}commit;`, signal);
      return left;
    },
    async facts(database, signal) {
      const client = await open();
      try {
        await using session = await client.session(database, signal);
        const facts = await countDatabase(session);
        await session.end();
        return facts;
      } catch (error) {
        signal.throwIfAborted();
        throw client.explain(error, database);
      }
    },
    confirmExchange: (names, signal) => confirmExchange(names, ask, signal),
    swapIn: (database, staged, kept, signal) => takePlace({ database, staged, kept }, ask, signal),
    swapBack: (database, staged, kept, signal) => takeBack({ database, staged, kept }, ask, signal),
    drop: (database, signal) => drop(database, talks, signal),
    readyAgain: async (_kept, signal) => signal.throwIfAborted(),
    discard: (kept, signal) => discard(kept, talks, signal),
  };
}

const namesOf = async (
  column: string,
  catalog: string,
  ask: Ask,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> => {
  const rows = await ask(`select json_build_object(0, ${column})::text from pg_catalog.${catalog}`, signal);
  return new Set(rows.map((row) => (JSON.parse(row) as Record<string, string>)['0'] ?? ''));
};

async function fill(
  database: string,
  bytes: () => Bytes,
  client: Client,
  talks: Talks,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { ask } = talks;
  const definitions = parseDefinitions(await definitionsOf(bytes(), client, signal));
  const there = await namesOf('rolname', 'pg_roles', ask, signal);
  const missing = definitions.roles.filter((role) => !there.has(role));
  const owners = missing.length === 0;
  const placesThere = await namesOf('spcname', 'pg_tablespace', ask, signal);
  const placesMissing = definitions.tablespaces.filter((place) => !placesThere.has(place));
  const tablespaces = placesMissing.length === 0;
  const options = tablespaces ? definitions.options : definitions.optionsElsewhere;
  const make = (): Promise<unknown> =>
    ask(`create database ${quoted(database)} with template = template0 ${options}`, signal);
  await make();
  const empty = async (): Promise<unknown> => {
    await drop(database, talks, signal);
    return await make();
  };
  await restoreArchive({ database, restored: { owners, tablespaces }, definitions, bytes }, empty, client, signal);
  for (const statement of namedAs(definitions, database, owners)) await ask(statement, signal);
  const shown = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');
  const { subscriptions } = definitions;
  return [
    ...(subscriptions === 0 ? [] : [disabled(subscriptions)]),
    ...(owners ? [] : [`Owners and grants are left out, because the server has no role ${shown(missing)}`]),
    ...(tablespaces ? [] : [`Tablespaces are left out, because the server has no ${shown(placesMissing)}`]),
  ];
}

/** Two that are enabled would take from each other what the publisher sends. */
const disabled = (subscriptions: number): string =>
  `${counted(subscriptions, 'subscription')} disabled in it: ALTER SUBSCRIPTION … DISABLE in the original first, then ENABLE here`;

/** Reads no further than the definitions: they stand first. */
async function definitionsOf(bytes: Bytes, client: Client, signal: AbortSignal): Promise<string> {
  const command = client.command('pg_restore', args.readDefinitions, null);
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.host.read([command], { signal, input: bytes })) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
