import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, type SqliteDatabase, SqliteDialect } from 'kysely';
import { stateError } from '../domain/state-error.ts';
import type { CatalogTables } from './schema.ts';

/** Opens the file, made for this account alone, with a write-ahead log; a commit is on disk when it returns.
 *  @param busyLimitMs how long a writer of another process is waited for
 *  @throws StateDamaged, StateBusy, StateUnusable, NoSpace, here and from each query */
export function openSqlite(path: string, busyLimitMs: number): Kysely<CatalogTables> {
  try {
    if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600)); // SQLite would make it readable for everyone
    const database = new DatabaseSync(path, { timeout: busyLimitMs, enableForeignKeyConstraints: true });
    try {
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    } catch (error) {
      database.close();
      throw error;
    }
    return new Kysely({ dialect: new SqliteDialect({ database: asExpected(database, path) }) });
  } catch (error) {
    throw stateError(error, 'catalog', path);
  }
}

/** node:sqlite in the shape that kysely was written for (better-sqlite3's). */
function asExpected(database: DatabaseSync, path: string): SqliteDatabase {
  function translated<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw stateError(error, 'catalog', path);
    }
  }
  const spread = (parameters: readonly unknown[]): SQLInputValue[] => parameters as SQLInputValue[];
  return {
    close: () => database.close(),
    prepare(sql) {
      // a transaction that begins with a read cannot become a writer once another process wrote: SQLITE_BUSY at once
      const statement = translated(() => database.prepare(sql === 'begin' ? 'begin immediate' : sql));
      return {
        reader: statement.columns().length > 0,
        all: (parameters) => translated(() => statement.all(...spread(parameters))),
        run(parameters) {
          // a full disk rolled it back already, and its own error is the one to be seen
          if (sql === 'rollback' && !database.isTransaction) return { changes: 0, lastInsertRowid: 0 };
          return translated(() => statement.run(...spread(parameters)));
        },
        iterate: (parameters) => translated(() => statement.iterate(...spread(parameters))),
      };
    },
  };
}
