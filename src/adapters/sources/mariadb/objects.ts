import { HoldfastError } from '../../../domain/errors.ts';
import { literal, quoted } from './args.ts';
import type { Client } from './client.ts';

/** What a database consists of, by name. */
export interface Objects {
  /** Sequences too: whatever `RENAME TABLE` moves, and nothing of ours. */
  readonly tables: readonly string[];
  readonly sequences: readonly string[];
  readonly views: readonly string[];
  readonly triggers: readonly string[];
  readonly events: readonly string[];
  /** With their type: PROCEDURE, FUNCTION, PACKAGE, PACKAGE BODY. */
  readonly routines: readonly { readonly type: string; readonly name: string }[];
}

/** Tables of our own, in which an exchange keeps what it needs to go on: until the tables moved, and afterwards. */
export const BEGUN = 'holdfast_exchange_begun';
export const DONE = 'holdfast_exchanged';
/** What DONE is called in a database that was set aside once and is to take its place again. */
export const EARLIER = 'holdfast_exchanged_earlier';
const OWN: ReadonlySet<string> = new Set([BEGUN, DONE, EARLIER]);

export const fromHex = (hex: string): string => Buffer.from(hex, 'hex').toString('utf8');

/** Nothing of a database that is not there. */
export async function objectsOf(database: string, client: Client, signal: AbortSignal): Promise<Objects> {
  const name = literal(database);
  const select = (type: string, column: string, table: string, schema: string): string =>
    `SELECT ${type}, HEX(CONVERT(${column} USING utf8mb4)) FROM information_schema.${table}
     WHERE ${schema} = ${name} AND BINARY ${schema} = BINARY ${name} ORDER BY 2`;
  const rows = await client.lines(
    [
      select('TABLE_TYPE', 'TABLE_NAME', 'TABLES', 'TABLE_SCHEMA'),
      select(`'TRIGGER'`, 'TRIGGER_NAME', 'TRIGGERS', 'TRIGGER_SCHEMA'),
      select('ROUTINE_TYPE', 'ROUTINE_NAME', 'ROUTINES', 'ROUTINE_SCHEMA'),
      select(`'EVENT'`, 'EVENT_NAME', 'EVENTS', 'EVENT_SCHEMA'),
    ].join(';\n'),
    signal,
  );
  const all = rows.map(([type = '', hex = '']) => ({ type, name: fromHex(hex) }));
  const of = (...types: readonly string[]): readonly string[] =>
    all.flatMap((one) => (types.includes(one.type) ? [one.name] : []));
  return {
    tables: of('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE').filter((table) => !OWN.has(table)),
    sequences: of('SEQUENCE'),
    views: of('VIEW'),
    triggers: of('TRIGGER'),
    events: of('EVENT'),
    routines: all.filter(({ type }) => ROUTINES.has(type)),
  };
}

const ROUTINES: ReadonlySet<string> = new Set(['PROCEDURE', 'FUNCTION', 'PACKAGE', 'PACKAGE BODY']);

/** Whether there is a database of this name, as the server compares names.
 *  @throws Usage for what no database can be called */
export async function databaseExists(database: string, client: Client, signal: AbortSignal): Promise<boolean> {
  // MariaDB Knowledge Base, "Identifier Names"
  if (database === '' || [...database].length > LONGEST_NAME || /[ \0]$|[\u{10000}-\u{10ffff}]/u.test(database))
    throw new HoldfastError('Usage', `MariaDB has no database of the name "${database}".`, database, {
      hint: `Choose another: 1 to ${LONGEST_NAME} characters, none of them beyond U+FFFF, and no space at its end`,
    });
  const name = literal(database);
  const sql = `SELECT IF(BINARY ${name} = BINARY LOWER(${name}), '', 'small') FROM DUAL WHERE @@lower_case_table_names = 1;
    SELECT 'there' FROM information_schema.SCHEMATA WHERE BINARY SCHEMA_NAME = BINARY ${name}
    OR @@lower_case_table_names = 2 AND LOWER(SCHEMA_NAME) = LOWER(${name})`;
  const found = (await client.lines(sql, signal)).flat();
  if (!found.includes('small')) return found.includes('there');
  throw new HoldfastError(
    'Usage',
    `The server keeps names in small letters, and ${database} has large ones.`,
    database,
    {
      hint: 'Write the name as SHOW DATABASES does (lower_case_table_names)',
    },
  );
}

const LONGEST_NAME = 64;

/** Drops what is no table. What is gone already is no error. */
export async function dropCode(
  database: string,
  { views, triggers, events, routines }: Omit<Objects, 'tables' | 'sequences'>,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const drop = (type: string, name: string): string => `DROP ${type} IF EXISTS ${quoted(database)}.${quoted(name)}`;
  const statements = [
    ...triggers.map((name) => drop('TRIGGER', name)),
    ...events.map((name) => drop('EVENT', name)),
    ...views.map((name) => drop('VIEW', name)),
    ...routines.map(({ type, name }) => drop(type, name)),
  ];
  if (statements.length === 0) return;
  // MariaDB 10.11 knows the word PACKAGE in this mode alone, in which the others mean the same.
  const mode = routines.some(({ type }) => type.startsWith('PACKAGE')) ? ["SET SESSION sql_mode = 'ORACLE'"] : [];
  await client.lines([...mode, ...statements].join(';\n'), signal);
}

/** Drops a database that has no table but ours; one that is gone is no error. One in which somebody made a table stays. */
export async function dropEmpty(database: string, client: Client, signal: AbortSignal): Promise<void> {
  if (!(await databaseExists(database, client, signal))) return;
  // A rename that was asked for before and still waits for a lock needs this table: from here it cannot put anything in.
  await client.lines(`DROP TABLE IF EXISTS ${quoted(database)}.${BEGUN}`, signal);
  if ((await objectsOf(database, client, signal)).tables.length > 0) return;
  await client.lines(`DROP DATABASE IF EXISTS ${quoted(database)}`, signal);
}
