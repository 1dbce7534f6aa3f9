import { HoldfastError } from '../../../domain/errors.ts';
import type { Command, Session } from '../../../ports/host.ts';
import type { ServerAddress } from '../../../ports/source.ts';
import { addressOf } from '../server/address.ts';
import { MAKE_ROOM, saysNoRoom } from '../server/full-disk.ts';
import type { Reached } from '../server/reach.ts';
import * as args from './args.ts';
import type { PostgresSettings } from './config.ts';
import { withoutWrapper } from './programs.ts';

/** A server that is spoken to by its own programs. The name of a database is passed by environment, where it is never
 *  taken for an option or a connection string. */
export interface Client {
  readonly host: Reached['host'];
  command(program: string, args: readonly string[], database: string | null): Command;
  /** Lines of what SQL prints in a database. @throws SourceMissing, SourceFailed */
  lines(database: string, sql: string, signal: AbortSignal): Promise<readonly string[]>;
  /** psql, which runs what it hears. */
  session(database: string, signal: AbortSignal): Promise<Session>;
  /** What went wrong, in words that say what to do: a server that is away, a wrong password. */
  explain(error: unknown, database: string | null): unknown;
}

/** libpq takes a host that begins with a slash for the folder of a socket, and knows these (Debian's, then its own). */
export function serverAddress({ postgres: { host, socket, ...settings } }: PostgresSettings): ServerAddress {
  const socketFile = (folder: string): string => `${folder.replace(/\/+$/, '')}/.s.PGSQL.${settings.port ?? PORT}`;
  const sockets = ['/var/run/postgresql', '/tmp'].map(socketFile);
  const place = host?.startsWith('/') ? { socket: host } : { ...(host && { host }), ...(socket && { socket }) };
  return addressOf({ ...settings, ...place }, { port: PORT, sockets, socketFile });
}

const PORT = 5432;

/** Seconds until a server that does not answer is given up. */
const CONNECT_LIMIT = '30';
const SQL_LIMIT_MS = 120_000;

/** What changes a server must not be kept from it by its defaults, nor cut short: in the middle it could not be taken back.
 *  Nor may it be told as done before it lasts. */
export const TO_CHANGE =
  '-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c synchronous_commit=on';

/** @param options of the talks (libpq, PGOPTIONS), which a pooler between them may refuse; none when left out */
export function clientOf(
  { postgres: settings }: PostgresSettings,
  { host, password, command }: Reached,
  options: string | null = null,
): Client {
  const { socket, host: address, port, user, runAs } = settings;
  const where = socket ?? address;
  const fixed = {
    ...(host.capabilities.localPaths ? withoutWrapper() : {}),
    PGUSER: user ?? runAs ?? 'postgres',
    PGCONNECT_TIMEOUT: CONNECT_LIMIT,
    PGCLIENTENCODING: 'UTF8',
    PGAPPNAME: 'holdfast',
    ...(where === undefined ? {} : { PGHOST: where }),
    ...(port === undefined ? {} : { PGPORT: `${port}` }),
    ...(password === null ? {} : { PGPASSWORD: password }),
    ...(options === null ? {} : { PGOPTIONS: options }),
  };
  const explain = (error: unknown, database: string | null): unknown => explained(error, database, fixed.PGUSER);
  const client: Client = {
    host,
    explain,
    command: (program, words, database) =>
      command(program, words, { ...fixed, ...(database === null ? {} : { PGDATABASE: database }) }),
    async lines(database, sql, signal) {
      const psql = client.command('psql', [...args.psql, `--command=${sql}`], database);
      try {
        const { stdout } = await host.run(psql, { signal, limitMs: SQL_LIMIT_MS });
        return stdout.split('\n').filter((line) => line !== '');
      } catch (error) {
        throw explain(error, database);
      }
    },
    session: (database, signal) => host.session(client.command('psql', args.psql, database), { signal }),
  };
  return client;
}

/** Databases that every server has, for what concerns it as a whole. */
const MAINTENANCE = ['postgres', 'template1'] as const;

/** Asks in the first database that lets this account in: one of the server's own, else one of `others`.
 *  @param except those that may not be talked to */
export async function askServer(
  client: Client,
  others: readonly string[],
  sql: string,
  signal: AbortSignal,
  except: readonly string[] = [],
): Promise<readonly string[]> {
  let first: unknown;
  for (const database of [...MAINTENANCE, ...others].filter((name) => !except.includes(name))) {
    try {
      return await client.lines(database, sql, signal);
    } catch (error) {
      signal.throwIfAborted();
      first ??= error;
      if (!(error instanceof HoldfastError && saysClosed(String((error.cause as Error | undefined)?.cause))))
        throw error;
    }
  }
  throw first;
}

const saysClosed = (words: string): boolean =>
  /database ".*" does not exist|permission denied for database|is not currently accepting connections|no pg_hba\.conf entry/s.test(
    words,
  );

/** What the programs say when there is no server: libpq 15, and the system's own words. */
const AWAY =
  /Is the server running|Connection refused|could not translate host name|No route to host|timeout expired|server closed the connection unexpectedly|the database system is (?:starting up|shutting down)|terminating connection due to/;

const HINTS: readonly (readonly [words: RegExp, hint: string])[] = [
  [
    /role ".*" does not exist/,
    'A policy or a user mapping names it: make it first, CREATE ROLE, or by the item `postgres_globals`',
  ],
  [/affected by row-level security/, 'Dump as a superuser, or let the account see all rows: ALTER ROLE … BYPASSRLS'],
  [
    /must be (?:member of|able to SET ROLE) |must be owner of /,
    'Restore as a superuser, or as a member of the roles that own what is in the dump',
  ],
  [/permission denied to create database/, 'Let the account make databases: ALTER ROLE … CREATEDB'],
  [/permission denied for large object/, 'Dump as a superuser, or as the owner of all large objects'],
  [
    /permission denied for /,
    'Dump as the owner or a superuser, or let the account read all: GRANT pg_read_all_data TO …',
  ],
  [
    /too many (?:clients|connections)|connection slots are reserved/,
    'A dump takes two connections at a time: raise max_connections, or the CONNECTION LIMIT of the role or database',
  ],
];

function explained(error: unknown, database: string | null, user: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'ProcessFailed') return error;
  const said = error.cause instanceof Error ? error.cause.message : '';
  const words = wordsOf(said) || error.message;
  const subject = database ?? error.subject;
  const named = (code: 'SourceMissing' | 'SourceFailed' | 'NoSpace', hint: string): HoldfastError =>
    new HoldfastError(code, `${subject}: ${words}`, subject, { cause: error, hint });
  if (/database ".*" does not exist/s.test(said))
    return named('SourceMissing', 'Look at its name: psql --list. The last good point stays');
  if (/Peer authentication failed/.test(said))
    return named('SourceFailed', `The server wants the account of the same name: say \`runAs: ${user}\``);
  if (
    /password authentication failed|no password supplied|FATAL: +role ".*" does not exist|no pg_hba\.conf entry/.test(
      said,
    )
  )
    return named(
      'SourceFailed',
      `Look at \`user\` (${user}) and \`password\` of the source, and at the server's pg_hba.conf`,
    );
  const hint = HINTS.find(([words]) => words.test(said))?.[1];
  if (hint !== undefined) return named('SourceFailed', hint);
  if (/could not resize shared memory segment/.test(said))
    return named('SourceFailed', "Let the server's container have more shared memory: shm_size, --shm-size");
  if (saysNoRoom(said)) return named('NoSpace', MAKE_ROOM);
  if (AWAY.test(said))
    return named('SourceMissing', 'Look whether the server runs, and at `container`, `socket` or `host` of the source');
  return named('SourceFailed', 'See the whole output of the program with: --verbose');
}

/** The errors among what a program said; all of it when it names none. libpq's continue on the next, indented line. */
function wordsOf(said: string): string {
  const lines = said.trim().split('\n');
  const from = lines.findIndex((line) => /error:|ERROR:|FATAL:/.test(line));
  const until = lines.findIndex((line, index) => index > from && !/^\s|^(DETAIL|HINT):/.test(line));
  const chosen = from < 0 ? lines : lines.slice(from, until < 0 ? from + 3 : until);
  // what the server said is on a line of its own: the first tells no more than that it failed
  const told =
    until < 0 ? undefined : /^pg_\w+: detail: Error message from server: (.*)$/.exec(lines[until] ?? '')?.[1];
  return (told === undefined ? chosen : [...chosen, told])
    .map((line) => line.trim())
    .join(' ')
    .slice(0, 400);
}
