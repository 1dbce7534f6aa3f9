import type { Facts } from '../../../domain/facts.ts';
import type { Session } from '../../../ports/host.ts';

/** A table whose rows a dump has. */
export interface Table {
  /** `schema.table`, not quoted. */
  readonly key: string;
  /** Quoted by the server. */
  readonly sql: string;
  /** Null: a dump may leave rows of it out, so it is not counted. */
  readonly pages: number | null;
}

export interface Listed {
  readonly tables: readonly Table[];
  readonly largeObjects: number;
  readonly extensions: Readonly<Record<string, string>>;
}

/** Limits of the server's configuration that would end a transaction which waits for a dump. Those of later versions are
 *  not there in earlier ones. A count whose reader is gone ends. */
const PREPARE = `select set_config(name, case name when 'client_connection_check_interval' then '1000' else '0' end, false)
  from pg_catalog.pg_settings where name in ('statement_timeout', 'lock_timeout', 'transaction_timeout',
  'idle_in_transaction_session_timeout', 'idle_session_timeout', 'client_connection_check_interval') \\g /dev/null
set row_security = off;`;
const BEGIN = 'begin isolation level repeatable read, read only;';

/** Ordinary tables and leaves of partitions, which hold the rows. Those of an extension are dumped only as far as it
 *  says (pg_extension.extconfig). */
const TABLES = `select json_build_object('key', n.nspname || '.' || c.relname,
  'sql', pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname),
  'pages', case when e.objid is null then pg_catalog.pg_relation_size(c.oid) / 8192 end)::text
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  left join (select distinct objid from pg_catalog.pg_depend where classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and deptype = 'e') e on e.objid = c.oid
  where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  order by pg_catalog.pg_relation_size(c.oid), 1;`;
const OTHERS = `select json_build_object('largeObjects', (select count(*) from pg_catalog.pg_largeobject_metadata),
  'extensions', (select pg_catalog.json_object_agg(extname, extversion) from pg_catalog.pg_extension))::text;`;

/** Opens the transaction that a dump and its facts share. @returns the snapshot's name for `pg_dump --snapshot` */
export async function exportSnapshot(session: Session): Promise<string> {
  await session.write(`${PREPARE}\n${BEGIN}\nselect pg_catalog.pg_export_snapshot();\n`);
  return (await session.line()) ?? '';
}

/** What there is to be counted, by the snapshot of the session's transaction, the smallest table first. */
export async function listTables(session: Session): Promise<Listed> {
  await session.write(`${TABLES}\n${OTHERS}\n`);
  const tables: Table[] = [];
  for (;;) {
    const line = await session.line();
    if (line === null) throw new RangeError('psql ended before it answered');
    const row = JSON.parse(line) as Table | Omit<Listed, 'tables'>;
    if ('key' in row) tables.push(row);
    else return { tables, largeObjects: row.largeObjects, extensions: row.extensions ?? {} };
  }
}

/** Counts one table after the other into `counts`, until all are counted. */
export async function countRows(
  session: Session,
  { tables }: Pick<Listed, 'tables'>,
  counts: Map<string, number>,
): Promise<void> {
  for (const { key, sql, pages } of tables) {
    if (pages === null) continue;
    await session.write(`select count(*) from only ${sql};\n`);
    const line = await session.line();
    if (line === null) throw new RangeError('psql ended before it answered');
    counts.set(key, Number(line));
  }
}

/** The facts of what was counted so far. */
export function factsOf({ tables, largeObjects, extensions }: Listed, counts: ReadonlyMap<string, number>): Facts {
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
