import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { stateDamaged, stateError, stateNewer } from '../domain/state-error.ts';

/** How long a writer of another process is waited for; each write of a journal is one short transaction. */
const BUSY_LIMIT_MS = 10_000;
const VERSION = 1;
const TABLES = `
  CREATE TABLE entries (
    id TEXT PRIMARY KEY, verb TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, owner TEXT NOT NULL,
    working INTEGER NOT NULL, direction TEXT NOT NULL, begun_at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE steps (
    entry TEXT NOT NULL REFERENCES entries (id) ON DELETE CASCADE, position INTEGER NOT NULL, step TEXT NOT NULL,
    PRIMARY KEY (entry, position)
  ) STRICT;
  PRAGMA user_version = ${VERSION};`;

export interface EntryRow {
  readonly id: string;
  readonly verb: string;
  readonly subject: string;
  /** JSON. */
  readonly detail: string;
  /** JSON of an Owner. */
  readonly owner: string;
  /** 0 when its owner gave up: whoever runs may go on with it. */
  readonly working: number;
  readonly direction: 'back' | 'forward';
  readonly begun_at: string;
}

export interface StepRow {
  readonly position: number;
  /** JSON of a Step, or of a ForwardStep when the entry's direction is `forward`. */
  readonly step: string;
}

/** Reads what this module wrote. @throws StateDamaged */
export function parseStored<Value>(text: string, path: string): Value {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw stateDamaged('journal', path, 'a row in it is no JSON', { cause });
  }
}

/** The file under the journal: SQLite with a write-ahead log, each write synced before it returns. It is no catalog:
 *  it stays on this machine, wherever the catalog is. */
export class JournalStore implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;

  /** @throws StateDamaged, StateNewer, StateBusy, StateUnusable, NoSpace */
  constructor(path: string, options: { readonly readOnly: boolean }) {
    this.path = path;
    try {
      if (!options.readOnly) closeSync(openSync(path, 'a', 0o600)); // SQLite would make it readable for everyone
      this.#database = new DatabaseSync(path, { timeout: BUSY_LIMIT_MS, readOnly: options.readOnly });
    } catch (error) {
      throw stateError(error, 'journal', path);
    }
    try {
      this.#prepareFile(options.readOnly);
    } catch (error) {
      this.#database.close();
      throw stateError(error, 'journal', path);
    }
  }

  #prepareFile(readOnly: boolean): void {
    if (!readOnly)
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    if (this.#version() === 0 && !readOnly)
      this.write(() => {
        if (this.#version() === 0) this.#database.exec(TABLES); // another process may have been first
      });
    if (this.#version() > VERSION) throw stateNewer('journal', this.path, `version ${this.#version()}`);
  }

  #version(): number {
    return Number(this.#database.prepare('PRAGMA user_version').get()?.user_version);
  }

  /** Whether there is anything in it: a file that was opened for reading may have no tables yet. */
  get empty(): boolean {
    return this.#translated(() => this.#version() === 0);
  }

  /** One transaction; durable when it returns, and without effect when it throws. */
  write<Result>(work: () => Result): Result {
    return this.#translated(() => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        // a full disk may have rolled it back already
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Runs one statement; answers with the number of rows it changed. */
  change(sql: string, ...values: SQLInputValue[]): number {
    return this.#translated(() => Number(this.#database.prepare(sql).run(...values).changes));
  }

  /** Unfinished entries, in the order in which they were begun: an id tells it only to the millisecond of a clock. */
  entries(): readonly EntryRow[] {
    return this.#rows('SELECT * FROM entries ORDER BY rowid') as unknown as EntryRow[];
  }

  /** Steps of an entry in the order they were recorded. */
  steps(entry: string): readonly StepRow[] {
    return this.#rows(
      'SELECT position, step FROM steps WHERE entry = ? ORDER BY position',
      entry,
    ) as unknown as StepRow[];
  }

  #rows(sql: string, ...values: SQLInputValue[]): readonly Record<string, unknown>[] {
    return this.#translated(() => this.#database.prepare(sql).all(...values));
  }

  #translated<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      throw stateError(error, 'journal', this.path);
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
