import type { PostgresServer } from '../services/postgres.ts';

/** What dumps get wrong: bytes that are no text, escapes, names that need quotes, large objects, sequences that went on,
 *  views, partitions, a table of an extension, a function whose body looks like a dump. */
export const HOSTILE = `
create extension hstore;
create schema "Odd Schema";
create table "Odd Schema"."we""ird, ""tå.ble" ("ID" serial primary key, "a b" text, raw bytea, h hstore);
insert into "Odd Schema"."we""ird, ""tå.ble" ("a b", raw, h) select
  case when g % 5 = 0 then null when g % 5 = 1 then '' when g % 5 = 2 then E'\\\\.' when g % 5 = 3
  then E'tab\\tnewline\\nreturn\\r\\\\.\\n\\\\N' else 'ü€𝄞' || chr(7) end,
  decode(md5(g::text) || '00ff0a0d5c', 'hex'), hstore('k', g::text) from generate_series(1, 500) g;
create table empty ();
create table "line
break" (x int);
insert into "line
break" values (1), (2);
create table parts (day date, n numeric) partition by range (day);
create table parts_1 partition of parts for values from ('2026-01-01') to ('2026-02-01');
create table parts_2 partition of parts default;
insert into parts select date '2026-01-25' + g, g / 7.0 from generate_series(1, 20) g;
create view totals as select count(*) as n, sum(n) as sum from parts;
create materialized view kept as select * from totals;
create function looks_like_a_dump() returns text language sql as $body$
select 'x'
/*
COPY public.fake (x) FROM stdin;
1
*/
$body$;
create sequence numbers start 41; select nextval('numbers'); select nextval('numbers');
create table inherited (extra text) inherits (empty);
insert into inherited values ('child');
select lo_from_bytea(777001, decode('00ff5c2e0a', 'hex')), lo_from_bytea(0, '');
comment on table empty is 'it''s empty';
`;

/** Everything that a database holds, by SQL of our own: rows as text, sequences, definitions, large objects. */
export async function contentsOf(server: PostgresServer, database: string): Promise<string> {
  const sql = `
  select format('table %I.%I', n.nspname, c.relname), (xpath('//row', query_to_xml(format('select encode(convert_to(t::text,
    ''UTF8''), ''hex'') as r from only %I.%I t order by 1', n.nspname, c.relname), true, false, '')))::text from pg_class c join pg_namespace n on
    n.oid = c.relnamespace where relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    order by 1;
  select 'sequence', schemaname, sequencename, last_value from pg_sequences order by 2, 3;
  select 'view', viewname, definition from pg_views where schemaname = 'public' order by 2;
  select 'function', proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace and proname ~ 'dump';
  select 'extension', extname, extversion from pg_extension order by 2;
  select 'object', count(*), string_agg(encode(lo_get(oid), 'hex'), ',' order by lo_get(oid)) from
    pg_largeobject_metadata;
  select 'owner', c.relname, pg_get_userbyid(relowner), relacl from pg_class c where relnamespace =
    'public'::regnamespace order by 2;`;
  return await server.sql(database, sql);
}
