import type { Facts } from '../../../domain/facts.ts';
import type { Session } from '../../../ports/host.ts';

/** A table whose rows a dump has. */
export interface Table {
  /** `schema.table`, not quoted. */
  readonly key: string;
  /** Quoted by the server. */
  readonly sql: string;
  /** By which it is found where its name is no text. */
  readonly oid: number;
  /** Null: a dump may leave rows of it out, so it is not counted. */
  readonly pages: number | null;
}

export interface Listed {
  readonly tables: readonly Table[];
  readonly largeObjects: number;
  readonly extensions: Readonly<Record<string, string>>;
  /** The database takes any bytes for text (SQL_ASCII), which only then come back when nothing converts them. */
  readonly anyBytes: boolean;
  /** What replicates into the database, where the account may not have it dumped: pg_dump passes over it then. */
  readonly subscriptionsLeft: number;
}

/** Limits of the server's configuration that would end a transaction which waits for a dump. Those of later versions are
 *  not there in earlier ones. A count whose reader is gone ends. */
const PREPARE = `select set_config(name, case name when 'client_connection_check_interval' then '1000' else '0' end, false)
  from pg_catalog.pg_settings where name in ('statement_timeout', 'lock_timeout', 'transaction_timeout',
  'idle_in_transaction_session_timeout', 'idle_session_timeout', 'client_connection_check_interval') \\g /dev/null
select pg_catalog.set_config('client_encoding', setting, false) from pg_catalog.pg_settings
  where name = 'server_encoding' and setting = 'SQL_ASCII' \\g /dev/null
set row_security = off;`;
const BEGIN = 'begin isolation level repeatable read, read only;';

/** Ordinary tables and leaves of partitions, which hold the rows. Those of an extension are dumped only as far as it
 *  says (pg_extension.extconfig). */
const TABLES = `select json_build_object('key', case when n.nspname ~ '^"|[.]' then '"' ||
  pg_catalog.replace(n.nspname, '"', '""') || '"' else n.nspname end || '.' || c.relname, 'oid', c.oid::bigint, 'sql', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
  'pages', case when e.objid is null then pg_catalog.pg_relation_size(c.oid) / 8192 end)::text
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join (select distinct objid from pg_catalog.pg_depend where classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and deptype = 'e') e on e.objid = c.oid
  where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  order by pg_catalog.pg_relation_size(c.oid), 1;`;
const OTHERS = `select json_build_object('largeObjects', (select count(*) from pg_catalog.pg_largeobject_metadata),
  'extensions', (select pg_catalog.json_object_agg(extname, extversion) from pg_catalog.pg_extension),
  'anyBytes', pg_catalog.current_setting('server_encoding') = 'SQL_ASCII')::text;`;
/** Of a superuser, and of a server before version 10, no line. */
const SUBSCRIPTIONS = `select $$select json_build_object('subscriptionsLeft', count(*))::text from pg_catalog.pg_subscription
  where subdbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())$$ from
  pg_catalog.pg_roles where rolname = current_user and not rolsuper
  and pg_catalog.to_regclass('pg_catalog.pg_subscription') is not null \\gexec`;

/** Opens the transaction that a dump and its facts share. @returns the snapshot's name for `pg_dump --snapshot` */
export async function exportSnapshot(session: Session): Promise<string> {
  await session.write(`${PREPARE}\n${BEGIN}\nselect pg_catalog.pg_export_snapshot();\n`);
  return (await session.line()) ?? '';
}

type Row = Table | Pick<Listed, 'subscriptionsLeft'> | Omit<Listed, 'tables' | 'subscriptionsLeft'>;

/** What there is to be counted, by the snapshot of the session's transaction, the smallest table first. */
export async function listTables(session: Session): Promise<Listed> {
  await session.write(`${TABLES}\n${SUBSCRIPTIONS}\n${OTHERS}\n`);
  const tables: Table[] = [];
  let subscriptionsLeft = 0;
  for (;;) {
    const line = await session.line();
    if (line === null) throw new RangeError('psql ended before it answered');
    const row = JSON.parse(line) as Row;
    if ('key' in row) tables.push(row);
    else if ('subscriptionsLeft' in row) ({ subscriptionsLeft } = row);
    else return { ...row, tables, extensions: row.extensions ?? {}, subscriptionsLeft };
  }
}

/** Counts one table after the other into `counts`, until all are counted. */
export async function countRows(
  session: Session,
  { tables }: Pick<Listed, 'tables'>,
  counts: Map<string, number>,
): Promise<void> {
  for (const { key, sql, oid, pages } of tables) {
    if (pages === null) continue;
    const count = sql.includes(NO_TEXT) ? countByNumber(oid) : `select count(*) from only ${sql};`;
    await session.write(`${count}\n`);
    const line = await session.line();
    if (line === null) throw new RangeError('psql ended before it answered');
    counts.set(key, Number(line));
  }
}

/** What stands for bytes that are no UTF-8. */
const NO_TEXT = '\ufffd';
const countByNumber = (
  oid: number,
): string => `select pg_catalog.format('select count(*) from only %I.%I', n.nspname, c.relname)
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = ${oid} \\gexec`;

/** The facts of what was counted so far. */
export function factsOf(
  { tables, largeObjects, extensions }: Omit<Listed, 'anyBytes' | 'subscriptionsLeft'>,
  counts: ReadonlyMap<string, number>,
): Facts {
  const uncounted = tables.flatMap(({ key }) => (counts.has(key) ? [] : [key]));
  return {
    tables: Object.fromEntries([...counts].toSorted(([left], [right]) => (left < right ? -1 : 1))),
    ...(uncounted.length > 0 ? { uncounted } : {}),
    largeObjects,
    extensions,
  };
}

/** Counts a whole database in a snapshot of its own, without any limit. */
export async function countDatabase(session: Session): Promise<Facts> {
  await exportSnapshot(session);
  const listed = await listTables(session);
  const counts = new Map<string, number>();
  await countRows(session, listed, counts);
  return factsOf(listed, counts);
}
