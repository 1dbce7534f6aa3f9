import { literal, quoted } from './args.ts';
import type { Client } from './client.ts';
import { type Definitions, definitionsOf, PARTS } from './definitions.ts';
import { BEGUN, DONE, databaseExists, EARLIER, objectsOf } from './objects.ts';

/** A database's own part of what an exchange needs. */
export interface Saved extends Definitions {
  /** The database that its scripts were dumped from. */
  readonly name: string;
  /** `CHARACTER SET … COLLATE …`. */
  readonly defaults: string;
}

/** What both sides of an exchange were before it; null where there was no database. */
export interface Before {
  /** Of the database that is replaced. */
  readonly present: Saved | null;
  /** Of the one that takes its place. */
  readonly coming: Saved | null;
}

const SIDES = ['present', 'coming'] as const;

type Own = typeof BEGUN | typeof DONE | typeof EARLIER;

export async function hasTable(database: string, table: Own, client: Client, signal: AbortSignal): Promise<boolean> {
  const sql = `SELECT 1 FROM information_schema.TABLES WHERE BINARY TABLE_SCHEMA = BINARY ${literal(database)}
    AND TABLE_NAME = '${table}'`;
  return (await client.lines(sql, signal)).length > 0;
}

/** Null when nothing was saved, or not all of it. */
export async function savedIn(
  database: string,
  table: Own,
  client: Client,
  signal: AbortSignal,
): Promise<Before | null> {
  if (!(await hasTable(database, table, client, signal))) return null;
  const rows = await client.lines(`SELECT part, HEX(script) FROM ${quoted(database)}.${table}`, signal);
  if (rows.length === 0) return null;
  const found = new Map(rows.map(([part = '', hex = '']) => [part, Buffer.from(hex, 'hex')]));
  const sideOf = (side: (typeof SIDES)[number]): Saved | null => {
    const part = (name: string): Buffer => found.get(`${side} ${name}`) ?? Buffer.alloc(0);
    if (!found.has(`${side} name`)) return null;
    const [triggers, routines, events, views, broken] = PARTS.map(part) as [Buffer, Buffer, Buffer, Buffer, Buffer];
    const scripts = { triggers, routines, events, views, broken };
    return { name: part('name').toString(), defaults: part('defaults').toString(), ...scripts };
  };
  return { present: sideOf('present'), coming: sideOf('coming') };
}

/** Keeps what no rename moves in a table of `aside`: all of it, or nothing. Before anything is dropped, {@link makeLast}. */
export async function save(
  { database, from, aside }: { readonly database: string; readonly from: string | null; readonly aside: string },
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const present = await lookAt(database, client, signal);
  const coming = from === null ? null : await lookAt(from, client, signal);
  const before = { present, coming };
  const rows = SIDES.flatMap((side) => {
    const saved = before[side];
    if (saved === null) return [];
    const parts = { ...saved, name: Buffer.from(saved.name), defaults: Buffer.from(saved.defaults) };
    return Object.entries(parts).map(([part, bytes]) => `('${side} ${part}', x'${bytes.toString('hex')}')`);
  });
  const table = `${quoted(aside)}.${BEGUN}`;
  const defaults = present?.defaults ?? coming?.defaults ?? '';
  const statements = [
    `CREATE DATABASE IF NOT EXISTS ${quoted(aside)} ${defaults}`,
    `CREATE TABLE IF NOT EXISTS ${table} (part VARCHAR(64) CHARACTER SET latin1 PRIMARY KEY, script LONGBLOB NOT NULL) ENGINE=InnoDB`,
    `INSERT INTO ${table} VALUES ${rows.join(', ')}`,
  ];
  await client.lines(statements.join(';\n'), signal);
}

/** With `innodb_flush_log_at_trx_commit` 0 or 2 a row is not on disk when it is stored, while what is dropped next is gone
 *  at once. A definition is made to last whatever that says, and all before it too. */
export async function makeLast(aside: string, client: Client, signal: AbortSignal): Promise<void> {
  await client.lines(`ALTER TABLE ${quoted(aside)}.${BEGUN} FORCE`, signal);
}

async function lookAt(database: string, client: Client, signal: AbortSignal): Promise<Saved | null> {
  if (!(await databaseExists(database, client, signal))) return null;
  // An exchange that is taken back finds what it had set aside, events and their state among it.
  const earlier = (await savedIn(database, DONE, client, signal))?.present ?? null;
  if (earlier !== null) return earlier;
  const objects = await objectsOf(database, client, signal);
  const definitions = await definitionsOf(database, objects, client, signal);
  // One that comes back after days has all but its events, which were not made in it.
  const kept = objects.events.length === 0 ? await savedIn(database, EARLIER, client, signal) : null;
  const events = kept?.present?.events ?? definitions.events;
  return { name: database, defaults: await defaultsOf(database, client, signal), ...definitions, events };
}

/** Names of character sets are words. */
async function defaultsOf(database: string, client: Client, signal: AbortSignal): Promise<string> {
  const sql = `SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA
    WHERE BINARY SCHEMA_NAME = BINARY ${literal(database)}`;
  const [[characterSet = '', collation = ''] = []] = await client.lines(sql, signal);
  return `CHARACTER SET ${characterSet} COLLATE ${collation}`;
}
