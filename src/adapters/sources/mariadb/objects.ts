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
    tables: of('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE').filter((table) => table !== BEGUN && table !== DONE),
    sequences: of('SEQUENCE'),
    views: of('VIEW'),
    triggers: of('TRIGGER'),
    events: of('EVENT'),
    routines: all.filter(({ type }) => ROUTINES.has(type)),
  };
}

const ROUTINES: ReadonlySet<string> = new Set(['PROCEDURE', 'FUNCTION', 'PACKAGE', 'PACKAGE BODY']);

export async function databaseExists(database: string, client: Client, signal: AbortSignal): Promise<boolean> {
  const sql = `SELECT 1 FROM information_schema.SCHEMATA WHERE BINARY SCHEMA_NAME = BINARY ${literal(database)}`;
  return (await client.lines(sql, signal)).length > 0;
}

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
  if (statements.length > 0) await client.lines(statements.join(';\n'), signal);
}

/** Drops a database that has no table but ours; one that is gone is no error. One in which somebody made a table stays. */
export async function dropEmpty(database: string, client: Client, signal: AbortSignal): Promise<void> {
  if (!(await databaseExists(database, client, signal))) return;
  // A rename that was asked for before and still waits for a lock needs this table: from here it cannot put anything in.
  await client.lines(`DROP TABLE IF EXISTS ${quoted(database)}.${BEGUN}`, signal);
  if ((await objectsOf(database, client, signal)).tables.length > 0) return;
  await client.lines(`DROP DATABASE IF EXISTS ${quoted(database)}`, signal);
}
