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
import { type Ask, literal, quoted } from './words.ts';

const GLOBALS = 'postgres_globals';

/** How items go back into a running server. */
export function databasesOf(open: () => Promise<Client>, server: ServerAddress): Databases {
  const ask: Ask = async (sql, signal, except) => await askServer(await open(), [], sql, signal, except);
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
      return await fill(database, bytes, await open(), ask, signal);
    },
    async apply(bytes, signal) {
      const { statements, left } = await missingRolesOf(bytes(), await roles(ask, signal));
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
    drop: (database, signal) => drop(database, ask, signal),
    readyAgain: async (_kept, signal) => signal.throwIfAborted(),
    discard: (kept, signal) => discard(kept, ask, signal),
  };
}

const roles = async (ask: Ask, signal: AbortSignal): Promise<ReadonlySet<string>> => {
  const rows = await ask('select json_build_object(0, rolname)::text from pg_catalog.pg_roles', signal);
  return new Set(rows.map((row) => (JSON.parse(row) as Record<string, string>)['0'] ?? ''));
};

async function fill(
  database: string,
  bytes: () => Bytes,
  client: Client,
  ask: Ask,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const definitions = parseDefinitions(await definitionsOf(bytes(), client, signal));
  const there = await roles(ask, signal);
  const missing = definitions.roles.filter((role) => !there.has(role));
  const owners = missing.length === 0;
  const make = (): Promise<unknown> =>
    ask(`create database ${quoted(database)} with template = template0 ${definitions.options}`, signal);
  await make();
  const empty = async (): Promise<unknown> => {
    await drop(database, ask, signal);
    return await make();
  };
  await restoreArchive({ database, owners, definitions, bytes }, empty, client, signal);
  for (const statement of namedAs(definitions, database, owners)) await ask(statement, signal);
  const shown = missing.map((role) => `"${role}"`).join(', ');
  return owners ? [] : [`Owners and grants are left out, because the server has no role ${shown}`];
}

/** Reads no further than the definitions: they stand first. */
async function definitionsOf(bytes: Bytes, client: Client, signal: AbortSignal): Promise<string> {
  const command = client.command('pg_restore', args.readDefinitions, null);
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.host.read([command], { signal, input: bytes })) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
