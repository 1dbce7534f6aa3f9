import { HoldfastError } from '../../../domain/errors.ts';
import { refuseOlderTool } from '../server/versions.ts';
import { askServer, type Client } from './client.ts';
import type { PostgresSettings } from './config.ts';

/** A server as a capture finds it. */
export interface Seen {
  readonly version: string;
  /** Of the program that dumps. */
  readonly toolVersion: string;
  /** Only a superuser may read the passwords of roles. */
  readonly superuser: boolean;
  /** Those that are dumped, in the order of the configuration, else of their names. */
  readonly databases: readonly SeenDatabase[];
  /** Those that let nobody in, where all are meant: none can dump them. */
  readonly closed: readonly string[];
}

export interface SeenDatabase {
  readonly name: string;
  /** Its size on the server's disk; null when it cannot be told. */
  readonly bytes: number | null;
  readonly missing: boolean;
  /** Nobody may talk with it, so that none can dump it. */
  readonly closed: boolean;
}

interface ServerRow {
  readonly version: string;
  readonly superuser: boolean;
}

interface DatabaseRow {
  readonly name: string;
  readonly bytes: number | null;
  readonly open: boolean;
}

const SERVER =
  `select json_build_object('version', current_setting('server_version'), 'superuser', (select rolsuper from
  pg_catalog.pg_roles where rolname = current_user))::text`.replaceAll(/\s+/g, ' ');
const DATABASES = `select json_build_object('name', datname, 'open', datallowconn, 'bytes', case when
  pg_catalog.has_database_privilege(oid, 'CONNECT') then pg_catalog.pg_database_size(oid) end)::text from
  pg_catalog.pg_database order by datname`.replaceAll(/\s+/g, ' ');

/** Made by initdb: a new server has them. */
const OF_THE_SERVER = ['template0', 'template1'];

/** What a restore in place made or kept is no database of the service. */
const OURS = /^holdfast_restore_[0-9a-z]{26}_\d+$|_recovery_backup_\d{8}_\d{6}(?:_\d+)?$/;

export const namedDatabases = ({ postgres: { database, databases } }: PostgresSettings): readonly string[] | 'all' =>
  databases === 'all' ? 'all' : [...new Set(databases ?? (database === undefined ? [] : [database]))];

/** Finds the server and its databases. @throws SourceMissing without a server, and when none of what is named is there;
 *  SourceFailed when it lets nobody in; ToolMissing when its programs are missing or older than it */
export async function look(settings: PostgresSettings, client: Client, signal: AbortSignal): Promise<Seen> {
  const named = namedDatabases(settings);
  const others = named === 'all' ? [] : named;
  const toolVersion = await client.host.version('pg_dump', signal);
  const [first = '', ...rows] = await askServer(client, others, `${SERVER};${DATABASES}`, signal);
  const { version, superuser } = JSON.parse(first) as ServerRow;
  const compared = { tool: 'pg_dump', toolVersion, server: 'PostgreSQL', serverVersion: version };
  refuseOlderTool({ ...compared, where: client.host.name }, 1);
  const there = rows.map((row) => JSON.parse(row) as DatabaseRow);
  const own = (name: string): boolean => OURS.test(name) || OF_THE_SERVER.includes(name);
  const all = there.filter(({ name }) => !own(name));
  const wanted = named === 'all' ? all.flatMap(({ name, open }) => (open ? [name] : [])) : named;
  const closed = named === 'all' ? all.flatMap(({ name, open }) => (open ? [] : [name])) : [];
  const databases = wanted.map((name) => {
    const found = there.find((row) => row.name === name);
    return { name, bytes: found?.bytes ?? null, missing: found === undefined, closed: found?.open === false };
  });
  const gone = databases.filter(({ missing }) => missing);
  if (databases.length > 0 && gone.length === databases.length && settings.postgres.globals !== true)
    throw missingDatabase(gone.map(({ name }) => name).join(', '));
  const [shut = null] = closed;
  if (shut !== null && databases.length === 0 && settings.postgres.globals !== true) throw closedDatabase(shut);
  return { version, toolVersion, superuser, databases, closed };
}

export const missingDatabase = (name: string): HoldfastError =>
  new HoldfastError('SourceMissing', `The server has no database ${name}.`, name, {
    hint: 'Look at its name: psql --list. The last good point stays',
  });

export const closedDatabase = (name: string): HoldfastError =>
  new HoldfastError('SourceFailed', `The server lets nobody into database ${name}.`, name, {
    hint: 'ALTER DATABASE … ALLOW_CONNECTIONS true; or leave it out of `databases` of the source',
  });

/** As pg_dumpall, `all` passes over what was closed on purpose, so that not each of its nights is partial. */
export function closedWarning(databases: readonly string[]): readonly string[] {
  if (databases.length === 0) return [];
  const more = databases.length > SHOWN ? ` and ${databases.length - SHOWN} more` : '';
  return [
    `Not dumped, since they let nobody in (ALLOW_CONNECTIONS false): ${databases.slice(0, SHOWN).join(', ')}${more}`,
  ];
}

const SHOWN = 5;
