import type { Cell } from '../../../ports/source.ts';

/** What the worker is asked. Paths are bytes, since a name need not be UTF-8. */
export type Task =
  | {
      readonly task: 'copy';
      readonly source: Uint8Array;
      /** An empty file that is there already, so that its mode is ours; the copy has no companions. */
      readonly target: Uint8Array;
      /** Count the rows of the source in the same transaction. */
      readonly count: boolean;
      /** `integrity_check` on the copy. */
      readonly check: boolean;
      /** How long to wait for a lock that a writer holds. */
      readonly waitMs: number;
      /** How long writers may be kept waiting: those of a database with a rollback journal cannot commit meanwhile. */
      readonly blockMs: number;
    }
  | { readonly task: 'examine'; readonly path: Uint8Array }
  | { readonly task: 'query'; readonly source: Uint8Array; readonly sql: string; readonly waitMs: number };

/** `damage`: what `integrity_check` found, empty when all is well. `uncounted`: tables whose modules are not here. */
export interface Examined {
  readonly tables: Readonly<Record<string, number>>;
  readonly uncounted: readonly string[];
  readonly damage: readonly string[];
  /** Tables that could not be checked, and why: an index sorts by a rule that only the application knows. */
  readonly unchecked: readonly string[];
  /** Rows that point to nothing, at most 1000 looked for; null when the keys themselves do not fit. Not counted for a copy. */
  readonly foreignKeys: number | null;
}

/** Why the worker could not do it. `sqlite`: the extended result code (https://www.sqlite.org/rescode.html), else null. */
export interface Failure {
  readonly kind: 'missing' | 'empty' | 'no-database' | 'busy' | 'full' | 'corrupt' | 'failed';
  readonly message: string;
  readonly sqlite: number | null;
}

export type Answer = { readonly done: Examined } | { readonly cell: Cell } | { readonly failed: Failure };

/** The whole program of the worker. It is started from its own text, so that one bundle is enough: it may use nothing
 *  from outside of itself but types. */
export async function work(): Promise<void> {
  const { parentPort } = process.getBuiltinModule('node:worker_threads');
  const { DatabaseSync, backup } = process.getBuiltinModule('node:sqlite');
  const fs = process.getBuiltinModule('node:fs');
  type Database = InstanceType<typeof DatabaseSync>;
  type Copy = Extract<Task, { task: 'copy' }>;
  type Query = Extract<Task, { task: 'query' }>;

  const failure = (kind: Failure['kind'], message: string, sqlite: number | null = null): Failure =>
    ({ kind, message, sqlite }) as const;
  /** SQLite's URI filenames, https://www.sqlite.org/uri.html; any byte can be written in one. */
  function uri(path: Uint8Array, query: string): URL {
    const plain = /[A-Za-z0-9/._~-]/;
    const printed = Array.from(path, (byte) => {
      const character = String.fromCharCode(byte);
      return plain.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
    });
    return new URL(`file://${printed.join('')}?${query}`);
  }
  const beside = (path: Uint8Array, suffix: string): Buffer => Buffer.concat([path, Buffer.from(suffix)]);
  /** Null when nothing is there. */
  function stamp(path: Buffer): string | null {
    const status = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
    if (status === undefined) return null;
    return [status.dev, status.ino, status.size, status.mtimeNs, status.ctimeNs].join(' ');
  }
  /** The version that a writer needs, byte 18 (https://www.sqlite.org/fileformat.html, section 1.3): 2 is WAL. */
  function isWal(path: Buffer): boolean {
    const file = fs.openSync(path, 'r');
    try {
      const header = Buffer.alloc(20);
      const length = fs.readSync(file, header, 0, 20, 0);
      if (length === 0) throw failure('empty', 'it is empty');
      if (length < 20 || header.toString('latin1', 0, 16) !== 'SQLite format 3\0')
        throw failure('no-database', 'it has no SQLite header');
      return header[18] === 2;
    } finally {
      fs.closeSync(file);
    }
  }
  /** Opened so that the host stays as it is. A database in WAL mode would get `-wal` and `-shm`, which a reader cannot
   *  remove again: without a `-wal` nobody has read it, so it is read as an unchanging file, and looked at afterwards. */
  function open(path: Buffer): { database: Database; blocks: boolean; heldStill: () => boolean } {
    const [before, wal] = [stamp(path), beside(path, '-wal')];
    if (before === null) throw failure('missing', 'it does not exist');
    const ways = { still: 'mode=ro&immutable=1', shared: 'mode=ro', recover: 'mode=rw' } as const;
    const rollback = !isWal(path);
    const wayOfWal = (): keyof typeof ways => {
      if (stamp(wal) === null) return 'still';
      return stamp(beside(path, '-shm')) === null ? 'recover' : 'shared'; // left by a crash: SQLite takes both away again
    };
    const way = rollback ? 'shared' : wayOfWal();
    const heldStill = (): boolean => way !== 'still' || (stamp(path) === before && stamp(wal) === null);
    const database = new DatabaseSync(uri(path, ways[way]), { timeout: 250 });
    try {
      database.exec('PRAGMA trusted_schema = OFF');
      return { database, blocks: rollback, heldStill };
    } catch (error) {
      database.close();
      throw error;
    }
  }
  const codeOf = (error: unknown): number | null =>
    typeof error === 'object' && error !== null && 'errcode' in error ? Number(error.errcode) : null;
  const primary = (error: unknown): number => (codeOf(error) ?? 0) & 0xff;
  const BUSY = 5;
  const LOCKED = 6;
  const READONLY_ROLLBACK = 776;

  /** Begins a read transaction and holds it: without one `backup` starts again at every commit of a writer. */
  function begin(database: Database, deadline: number): void {
    for (;;) {
      try {
        database.exec('BEGIN');
        database.prepare('SELECT count(*) FROM sqlite_schema').get();
        return;
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK');
        if (primary(error) !== BUSY && primary(error) !== LOCKED) throw error;
        if (performance.now() > deadline) throw failure('busy', 'a writer holds its lock', codeOf(error));
      }
    }
  }
  /** What an application registers at run time, and is not here. */
  const isForeign = (error: unknown): boolean =>
    error instanceof Error && /no such (?:collation sequence|module|tokenizer|function)/.test(error.message);
  function count(database: Database): Pick<Examined, 'tables' | 'uncounted'> {
    const [tables, uncounted]: [Record<string, number>, string[]] = [{}, []];
    const listed = database.prepare(
      "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite#_%' ESCAPE '#' ORDER BY name",
    );
    for (const { name, sql } of listed.all()) {
      try {
        const quoted = `"${String(name).replaceAll('"', '""')}"`;
        tables[`main.${name}`] = Number(database.prepare(`SELECT count(*) AS n FROM main.${quoted}`).get()?.n);
      } catch (error) {
        if (!isForeign(error) && !/^create\s+virtual\b/i.test(String(sql))) throw error;
        uncounted.push(`main.${name}`);
      }
    }
    return { tables, uncounted };
  }
  type Checked = Pick<Examined, 'damage' | 'unchecked'>;
  function integrityOf(database: Database, table = ''): readonly string[] {
    const argument = table === '' ? '20' : `'${table.replaceAll("'", "''")}'`;
    const lines = database.prepare(`PRAGMA integrity_check(${argument})`).all();
    const found = lines.map((line) => String(line.integrity_check ?? 'no answer'));
    return found.length === 1 && found[0] === 'ok' ? [] : found;
  }
  function check(database: Database): Checked {
    try {
      return { damage: integrityOf(database), unchecked: [] };
    } catch (error) {
      if (!isForeign(error)) throw error;
    }
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    const [damage, unchecked]: [string[], string[]] = [[], []];
    for (const name of ['sqlite_schema', ...tables.map((table) => String(table.name))]) {
      try {
        damage.push(...integrityOf(database, name));
      } catch (error) {
        if (!isForeign(error)) throw error;
        unchecked.push(`main.${name}: ${(error as Error).message}`);
      }
    }
    return { damage, unchecked };
  }
  function countForeignKeys(database: Database): number | null {
    try {
      const wrong = database.prepare('SELECT count(*) AS n FROM (SELECT 1 FROM pragma_foreign_key_check LIMIT 1000)');
      return Number(wrong.get()?.n);
    } catch {
      return null; // "foreign key mismatch": a parent has no such unique column, which SQLite allows to be declared
    }
  }
  /** A file that nobody else has open. */
  function examine<Result>(path: Uint8Array, look: (database: Database) => Result): Result {
    isWal(Buffer.from(path)); // throws for what is no database, which SQLite would take for an empty one
    const database = new DatabaseSync(uri(path, 'mode=ro&immutable=1'));
    try {
      database.exec('PRAGMA trusted_schema = OFF');
      return look(database);
    } finally {
      database.close();
    }
  }

  async function copyOnce(task: Copy, path: Buffer): Promise<Examined | null> {
    const { database, blocks, heldStill } = open(path);
    try {
      begin(database, performance.now() + task.waitMs);
      const deadline = performance.now() + task.blockMs;
      const counted = task.count ? count(database) : { tables: {}, uncounted: [] };
      const progress = (): void => {
        if (blocks && performance.now() > deadline)
          throw failure('busy', `its writers would have to wait for more than ${task.blockMs / 1000} s`);
      };
      await backup(database, Buffer.from(task.target), { rate: 1000, progress });
      database.exec('COMMIT');
      return heldStill() ? { ...counted, damage: [], unchecked: [], foreignKeys: null } : null;
    } finally {
      database.close();
    }
  }
  async function copy(task: Copy): Promise<Examined> {
    const path = Buffer.from(task.source);
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      fs.truncateSync(Buffer.from(task.target), 0);
      const copied = await copyOnce(task, path).catch(async (error: unknown) => {
        if (codeOf(error) !== READONLY_ROLLBACK) throw error;
        // A transaction that died with its writer. To roll it back is what the next one to open it does.
        const recovering = new DatabaseSync(uri(path, 'mode=rw'), { timeout: 250 });
        recovering.prepare('SELECT count(*) FROM sqlite_schema').get();
        recovering.close();
        return null;
      });
      if (copied !== null) return task.check ? { ...copied, ...examine(task.target, check) } : copied;
    }
    throw failure('busy', 'it changed at every attempt');
  }

  /** Null when what was read may have changed meanwhile. */
  function queryOnce(task: Query, path: Buffer): { readonly cell: Cell } | null {
    const { database, heldStill } = open(path);
    try {
      database.exec('PRAGMA query_only = ON');
      begin(database, performance.now() + task.waitMs);
      const statement = database.prepare(task.sql);
      if (statement.columns().length === 0) throw failure('failed', 'this is no query: it has no answer');
      statement.setReadBigInts(true);
      statement.setReturnArrays(true);
      const [row] = statement.iterate() as Iterable<unknown[]>;
      const first = row?.[0] ?? null;
      const cell = first instanceof Uint8Array ? Buffer.from(first).toString('utf8') : (first as Cell);
      return heldStill() ? { cell } : null;
    } finally {
      database.close();
    }
  }
  function query(task: Query): { readonly cell: Cell } {
    const path = Buffer.from(task.source);
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const answered = queryOnce(task, path);
      if (answered !== null) return answered;
    }
    throw failure('busy', 'it changed at every attempt');
  }

  const KINDS: Readonly<Record<number, Failure['kind']>> = {
    5: 'busy',
    6: 'busy',
    11: 'corrupt',
    13: 'full',
    26: 'no-database',
  };
  const KINDS_OF_CODES: Readonly<Record<string, Failure['kind']>> = {
    ENOENT: 'missing',
    ENOTDIR: 'missing',
    ENOSPC: 'full',
  };
  function explain(error: unknown): Failure {
    if (typeof error === 'object' && error !== null && 'kind' in error) return error as Failure;
    const { code = '', message } = error as NodeJS.ErrnoException;
    const kind = KINDS_OF_CODES[code] ?? KINDS[primary(error)];
    return failure(kind ?? 'failed', message ?? String(error), codeOf(error));
  }
  async function answer(task: Task): Promise<Answer> {
    try {
      if (task.task === 'copy') return { done: await copy(task) };
      if (task.task === 'query') return query(task);
      const looked = (database: Database): Examined => {
        const checked = check(database);
        const counted = checked.damage.length > 0 ? { tables: {}, uncounted: [] } : count(database);
        return { ...counted, ...checked, foreignKeys: countForeignKeys(database) };
      };
      return { done: examine(task.path, looked) };
    } catch (error) {
      return { failed: explain(error) };
    }
  }
  parentPort?.on('message', (task: Task) => void answer(task).then((result) => parentPort.postMessage(result)));
}
