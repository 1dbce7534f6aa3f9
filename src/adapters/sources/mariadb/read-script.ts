import type { Facts } from '../../../domain/facts.ts';
import { type ScannerEvents, type Statement, scanStatements } from './statement-scanner.ts';

/** What a dump says of itself while it passes. */
export interface ScriptReader {
  take(chunk: Uint8Array): void;
  /** @returns the rows of each table by `database.table`, or words for what is wrong */
  end(): Facts | string;
}

/** How statements of a dump begin; bodies of routines and the like stand in conditional comments. */
const BEGINNINGS =
  /^(?:\/\*[!M+]|(?:INSERT|REPLACE|CREATE|DROP|LOCK|UNLOCK|SET|ALTER|DO|SELECT|COMMIT|USE) |COMMIT$|UNLOCK)/i;
const NAME = '`((?:[^`]|``)+)`';
const INSERT = new RegExp(`^(?:INSERT|REPLACE) INTO ${NAME}`, 's');
const CREATE = new RegExp(`^CREATE TABLE ${NAME} `, 's');
/** mariadb-dump(1): the last line, with a date unless it is told to leave that out. */
const TRAILER = /^-- Dump completed/;
const BEGINS_HEADER = /^-- Host: .*? {4}Database: (.*)$/;
const ENDS_HEADER = /^-- -{20,}$/;

/** Reads a script of `mariadb-dump`: the name of its database, its tables, their rows as its own INSERTs have them. */
export function readScript(): ScriptReader {
  const tables = new Map<string, number>();
  const fields = new Map<string, number>();
  let wrong: string | null = null;
  let lastComment = '';
  /** Lines of the database's name, which may have newlines; null before its comment. */
  let name: string[] | null = null;
  let named = false;

  function insert(table: string, { rows, fields: count, separators, strange }: Statement): string | null {
    const before = tables.get(table);
    if (before === undefined) return `it has rows of \`${table}\` before that table`;
    tables.set(table, before + rows);
    if (strange >= 0) return `among the rows of \`${table}\` stands a byte that no value has (${strange})`;
    if (rows === 0 || separators !== rows - 1) return `the rows of \`${table}\` are not separated as they should be`;
    if (count < 0 || (fields.get(table) ?? count) !== count) return `the rows of \`${table}\` differ in their fields`;
    fields.set(table, count);
    return null;
  }
  function look(statement: Statement): string | null {
    const head = statement.head.toString('utf8');
    if (!BEGINNINGS.test(head)) return `no statement of a dump begins with "${printable(head)}"`;
    if (statement.depth !== 0) return `parentheses do not close in "${printable(head)}"`;
    const created = CREATE.exec(head)?.[1];
    if (created !== undefined) tables.set(plain(created), 0);
    const filled = INSERT.exec(head)?.[1];
    if (filled !== undefined) return insert(plain(filled), statement);
    return /^(?:INSERT|REPLACE)/.test(head) ? `"${printable(head)}" names no table` : null;
  }
  const events: ScannerEvents = {
    onStatement: (statement) => {
      wrong ??= look(statement);
    },
    onComment: (line) => {
      lastComment = line;
      if (named) return;
      if (name === null) name = BEGINS_HEADER.exec(line)?.slice(1) ?? null;
      else if (ENDS_HEADER.test(line)) named = true;
      else name.push(line.replace(/^-- /, ''));
    },
  };
  const scanner = scanStatements(events);
  return {
    take: (chunk) => scanner.take(chunk),
    end() {
      const within = scanner.end();
      if (within !== null) return `it ends in the middle of ${within}`;
      if (wrong !== null) return wrong;
      if (!TRAILER.test(lastComment) || scanner.hasMore()) return 'its last line, "-- Dump completed", is missing';
      if (!named) return 'it does not say of which database it is';
      const database = (name ?? []).join('\n');
      return { tables: Object.fromEntries([...tables].map(([table, rows]) => [`${database}.${table}`, rows])) };
    },
  };
}

const plain = (identifier: string): string => identifier.replaceAll('``', '`');
/** A damaged beginning may be anything. */
const printable = (head: string): string => head.slice(0, 30).replaceAll(/[^\x20-\x7e]/g, '?');

/** The database that a script is of, by its first bytes; null where they do not say. */
export const databaseNamedIn = (beginning: string): string | null =>
  /^-- Host: .*? {4}Database: ([\s\S]*?)\n-- -{20,}$/m.exec(beginning)?.[1]?.replaceAll('\n-- ', '\n') ?? null;
