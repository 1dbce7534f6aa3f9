import type { MariadbServer } from '../services/mariadb.ts';

/** What dumps get wrong: bytes that are no text, escapes, names that need quotes, generated columns, an engine without
 *  transactions, bodies with delimiters, comments and quotes, a body under a mode that reads strings in another way. */
export const HOSTILE = `
create table \`we\`\`ird 'tå"ble, (x)\` (id int primary key auto_increment, raw blob, \`a b\` text, n decimal(20,6), d datetime(6),
  t time(3), bits bit(9), doc json, f double, e enum('a''b','c"d'), g int generated always as (length(raw)) stored,
  v varchar(40) generated always as (concat('-- ', \`a b\`)) virtual, p point) default charset utf8mb4;
insert into \`we\`\`ird 'tå"ble, (x)\` (raw, \`a b\`, n, d, t, bits, doc, f, e, p)
  select case seq % 4 when 0 then null when 1 then '' else concat(unhex('00ff27225c0a0d1a'), unhex(md5(seq))) end,
  elt(1 + seq % 7, '', null, 'it''s; -- /* "x" */ #', 'back\\\\slash\\\\', concat('nul', char(0), 'tab\\tline\\nreturn\\r', char(26)), '€𝄞😀),(', '\`);\\nDELIMITER ;;'),
  seq / 7, '2026-01-01 00:00:00.123456' + interval seq day, '-12:34:56.789', seq % 512, json_object('k"', seq), seq * 1.0e-300,
  1 + seq % 2, point(seq, -seq) from seq_1_to_500;
create table empty (a int);
create table \`line
break\` (x int); insert into \`line
break\` values (1),(2);
create table old_latin (s varchar(20)) default charset latin1; insert into old_latin values ('größe'), ('ÿ');
create table plain_file (a int) engine=MyISAM; insert into plain_file values (1),(2),(3);
create table merged (a int) engine=merge union=(plain_file);
create table parts (day date, n int) partition by range (year(day)) (partition a values less than (2026), partition b values less than maxvalue);
insert into parts values ('2025-05-05', 1), ('2026-06-06', 2);
create table child (id int primary key, up int, foreign key (up) references child (id)); insert into child values (1, 2);
create sequence numbers start with 41; select nextval(numbers);
create table by_default (id int default (nextval(numbers)), told text); insert into by_default (told) values ('a'), ('
  \`id\` int default nextval(\`db\`.\`numbers\`)');
set sql_mode = 'ALLOW_INVALID_DATES';
create table odd_days (d date default '2026-02-30', at datetime); insert into odd_days values ('2026-02-31', '2025-02-29 01:02:03'), ('0000-00-00', '2020-00-00 00:00:00');
set sql_mode = default;
create view totals as select count(*) as n, sum(n) as sum from parts;
create table log (w text);
delimiter $$
create trigger noted before insert on empty for each row begin
  -- it's a comment; with 'one quote
  insert into log values ('a; INSERT INTO \`log\` VALUES (1),(2);'); # don't
end$$
create procedure looks_like_a_dump() begin
  select 'x;'; /* INSERT INTO \`empty\` VALUES (1); */
  insert into log values (1), (2);
end$$
create function double_it(x int) returns int deterministic return x * 2$$
create event later on schedule every 1 year starts '2037-01-01 00:00:00' disable do insert into log values ('e;')$$
set sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'$$
create procedure odd_mode() begin select 'ends with \\', "W" from (select 1 as "W") x; end$$
set sql_mode = 'ORACLE'$$
create package bundle as function answer return int; end;
$$
create package body bundle as function answer return int as begin return 42; end; end;
$$
set sql_mode = default$$
delimiter ;
`.replace('values (1, 2);', 'values (1, null), (2, 1);');

/** Tables in which a database that was exchanged keeps what no rename moves. */
const OURS = `('holdfast_exchanged', 'holdfast_exchanged_earlier')`;

/** Everything that a database holds, by SQL of our own: rows as hex, definitions, bodies. */
export async function contentsOf(server: MariadbServer, database: string): Promise<string> {
  const escaped = database.replaceAll("'", "''").replaceAll('\\', '\\\\');
  const listed = await server.sql(
    null,
    `select hex(c.table_name), group_concat(concat('coalesce(hex(\`', replace(c.column_name, '\`', '\`\`'), '\`),''null'')') order by ordinal_position separator ',''|'',')
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where table_schema = '${escaped}' and table_name not in ${OURS} and table_type in ('BASE TABLE', 'VIEW', 'SEQUENCE') group by 1 order by 1`,
  );
  const rows = listed
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [hex = '', columns = ''] = line.split('\t');
      const table = Buffer.from(hex, 'hex').toString('utf8').replaceAll('`', '``');
      return `select '${hex}'; select concat(${columns}) from \`${table}\` order by 1;`;
    });
  const here = `'${escaped}'`;
  const definitions = `
    select table_name, engine, if(table_type = 'SEQUENCE', null, table_collation), create_options from information_schema.tables where table_schema = ${here} and table_name not in ${OURS} order by 1;
    select table_name, column_name, column_type, replace(column_default, concat('\`', replace(${here}, '\`', '\`\`'), '\`.'), 'DB.'), extra, generation_expression, character_set_name from
      information_schema.columns where table_schema = ${here} and table_name not in ${OURS} order by 1, ordinal_position;
    select table_name, replace(view_definition, concat('\`', replace(${here}, '\`', '\`\`'), '\`'), 'DB') from information_schema.views where table_schema = ${here} order by 1;
    select trigger_name, event_manipulation, hex(action_statement), sql_mode from information_schema.triggers where trigger_schema = ${here} order by 1;
    select routine_name, routine_type, hex(routine_definition), sql_mode from information_schema.routines where routine_schema = ${here} order by 1;
    select event_name, hex(event_definition), status, starts from information_schema.events where event_schema = ${here} order by 1;
    select default_character_set_name, default_collation_name from information_schema.schemata where schema_name = ${here};`;
  return await server.sql(database, `set group_concat_max_len = 1000000; ${rows.join('\n')} ${definitions}`);
}
