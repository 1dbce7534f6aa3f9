import { mkdir, open, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { openDatabases } from '../../src/adapters/sources/online-backup/sqlite.ts';
import { format, source } from '../../src/adapters/sources/sqlite/index.ts';
import type { Captured } from '../../src/ports/source.ts';
import { available } from '../services/available.ts';
import { contextIn, listing, output, running, temporaryFolder, told, writeBytes, writer } from './support.ts';

function make(path: string, sql: string, journal: 'wal' | 'delete' = 'wal'): void {
  const database = new DatabaseSync(path, { defensive: false });
  database.exec(`PRAGMA journal_mode = ${journal}; ${sql}`);
  database.close();
}

/** Captures a database into `folder`/stored.db. */
async function capture(
  folder: string,
  path: string,
  signal: AbortSignal,
): Promise<Captured & { readonly stored: string }> {
  const workspace = join(folder, `workspace-${Math.random()}`);
  await mkdir(workspace);
  await using opened = await source('notes', { sqlite: path }, localHost()).capture(contextIn(workspace), signal);
  const [item] = opened.items;
  if (item?.type !== 'stream') throw new Error('not a stream');
  const stored = join(folder, 'stored.db');
  await rm(stored, { force: true });
  await writeBytes(item.bytes(signal), stored);
  expect(item.estimatedBytes).toBe((await stat(stored)).size);
  return { ...item.completed(), stored };
}

const ask = (path: string, sql: string): Promise<string> => told('sqlite3', path, sql);

describe.runIf(available('sqlite3'))('a SQLite database', () => {
  test('is copied whole while another process writes to it without a pause', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'busy.db');
    make(path, 'CREATE TABLE t (x); CREATE INDEX i ON t (x)');
    await using writing = writer(path);
    await writing.line();
    for (let round = 0; round < 5; round += 1) {
      const { facts, stored } = await capture(folder.path, path, signal);
      expect(await ask(stored, 'PRAGMA integrity_check')).toBe('ok');
      expect(facts).toEqual({ tables: { 'main.t': Number(await ask(stored, 'SELECT count(*) FROM t')) } });
      expect((facts.tables?.['main.t'] ?? 1) % 2).toBe(0);
    }
    expect(writing.child.exitCode).toBeNull();
  });

  test('that its application left in a crash is copied as its next user would see it', async ({ signal }) => {
    for (const journal of ['wal', 'delete'] as const) {
      await using folder = await temporaryFolder();
      const path = join(folder.path, 'crashed.db');
      make(path, 'CREATE TABLE t (x); INSERT INTO t VALUES (1)', journal);
      {
        await using writing = running(`
          import { DatabaseSync } from 'node:sqlite';
          const database = new DatabaseSync(${JSON.stringify(path)});
          database.exec('PRAGMA cache_size = 1; INSERT INTO t VALUES (2); BEGIN');
          for (let row = 0; row < 200; row += 1) database.exec('INSERT INTO t VALUES (randomblob(5000))');
          console.log('written');
          setInterval(() => {}, 1000);`);
        await writing.line();
      }
      expect((await readdir(folder.path)).length).toBeGreaterThan(1); // a journal that has something in it
      const { facts, stored } = await capture(folder.path, path, signal);
      expect(facts).toEqual({ tables: { 'main.t': 2 } });
      expect(await ask(stored, 'PRAGMA integrity_check; SELECT group_concat(x) FROM t')).toBe('ok\n1,2');
    }
  });

  test('that somebody has open keeps its companions, and one that nobody has gets none', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const data = join(folder.path, 'data');
    await mkdir(data);
    const path = join(data, 'notes.db');
    make(path, 'CREATE TABLE t (x)');
    const before = await listing(data);
    await capture(folder.path, path, signal);
    expect(await listing(data)).toEqual(before);
    const held = new DatabaseSync(path);
    held.exec('INSERT INTO t VALUES (1)');
    expect((await capture(folder.path, path, signal)).facts.tables).toEqual({ 'main.t': 1 });
    expect((await readdir(data)).toSorted()).toEqual(['notes.db', 'notes.db-shm', 'notes.db-wal']);
    held.exec('INSERT INTO t VALUES (2)');
    held.close();
    expect(await readdir(data)).toEqual(['notes.db']);
  });

  test('has its tables counted whatever they are, views and what is internal left out', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'odd.db');
    make(
      path,
      `CREATE TABLE "a ""quoted"" table" (x); INSERT INTO "a ""quoted"" table" VALUES (1), (2), (NULL);
       CREATE TABLE "select" (x INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO "select" VALUES (7);
       CREATE TABLE "it's [é] %_" (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO "it's [é] %_" VALUES ('a', 1);
       CREATE TABLE empty (x); CREATE VIEW seen AS SELECT * FROM "select";
       CREATE TABLE parted (x, y AS (x + 1)); INSERT INTO parted VALUES (1); ANALYZE;
       CREATE VIRTUAL TABLE words USING fts5(text); INSERT INTO words VALUES ('one'), ('two');`,
    );
    const { facts, stored } = await capture(folder.path, path, signal);
    expect(facts.tables).toMatchObject({
      'main.a "quoted" table': 3,
      'main.select': 1,
      "main.it's [é] %_": 1,
      'main.empty': 0,
      'main.parted': 1,
      'main.words': 2,
    });
    const names = Object.keys(facts.tables ?? {});
    expect(names.filter((name) => /sqlite_|seen/.test(name))).toEqual([]);
    for (const name of names) {
      const quoted = name.slice('main.'.length).replaceAll('"', '""');
      expect([name, Number(await ask(stored, `SELECT count(*) FROM "${quoted}"`))]).toEqual([
        name,
        facts.tables?.[name],
      ]);
    }
    expect(names.length).toBe(
      Number(
        await ask(
          stored,
          `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_'`,
        ),
      ),
    );
  });

  test('with modules and orders of its application is copied, and says what could not be looked at', async ({
    signal,
  }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'foreign.db');
    make(
      path,
      `CREATE TABLE sorted (x TEXT COLLATE nocase); CREATE INDEX i ON sorted (x); INSERT INTO sorted VALUES ('a');
       CREATE TABLE plain (x); INSERT INTO plain VALUES (1); CREATE TABLE module (x);
       PRAGMA writable_schema = ON;
       UPDATE sqlite_schema SET sql = replace(sql, 'nocase', 'icu_root') WHERE name = 'sorted';
       UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE module USING vec0(x)', rootpage = 0 WHERE name = 'module';`,
    );
    const { facts, warnings, stored } = await capture(folder.path, path, signal);
    expect(facts).toEqual({ tables: { 'main.plain': 1, 'main.sorted': 1 }, uncounted: ['main.module'] });
    expect(warnings.join()).toContain('main.sorted: no such collation sequence: icu_root');
    await using workspace = await temporaryFolder();
    async function* bytes() {
      for await (const chunk of (await open(stored)).createReadStream()) yield chunk as Buffer;
    }
    const findings = await format.inspect(bytes(), facts, workspace.path, signal);
    expect(findings.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['integrity_check', 'inconclusive'],
      ['foreign_key_check', 'passed'],
      ['facts', 'passed'],
    ]);
  });

  test('whose rows point to nothing is sound, and the inspection says so', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'keys.db');
    make(
      path,
      'PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (1), (2)',
    );
    const { facts, stored } = await capture(folder.path, path, signal);
    async function* bytes() {
      for await (const chunk of (await open(stored)).createReadStream()) yield chunk as Buffer;
    }
    expect(await format.inspect(bytes(), facts, folder.path, signal)).toContainEqual({
      name: 'foreign_key_check',
      outcome: 'passed',
      detail: '2 rows point to rows that are not there',
    });
  });

  test('that is damaged fails at the backup, and a damaged copy at its inspection', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'damaged.db');
    make(
      path,
      "CREATE TABLE t (x); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3000) INSERT INTO t SELECT 'row ' || n FROM c; CREATE INDEX i ON t (x)",
    );
    const { facts, stored } = await capture(folder.path, path, signal);
    for (const page of [1, 3, 7]) {
      await using file = await open(stored, 'r+');
      const before = Buffer.alloc(8);
      await file.read(before, 0, 8, page * 4096);
      await file.write(Buffer.from('damaged!'), 0, 8, page * 4096);
      async function* bytes() {
        for await (const chunk of (await open(stored)).createReadStream()) yield chunk as Buffer;
      }
      const findings = await format.inspect(bytes(), facts, folder.path, signal);
      expect(findings.map(({ outcome }) => outcome)).toContain('failed');
      expect(await ask(stored, 'PRAGMA integrity_check').catch(String)).not.toBe('ok');
      await file.write(before, 0, 8, page * 4096);
    }
    await output('dd', 'if=/dev/urandom', `of=${path}`, 'bs=4096', 'seek=2', 'count=2', 'conv=notrunc', 'status=none');
    await expect(capture(folder.path, path, signal)).rejects.toMatchObject({ code: 'SourceFailed' });
  });

  test('that is missing, empty, a folder, something else or Holdfast’s own is refused in words', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const at = (name: string): string => join(folder.path, name);
    await writeFile(at('empty.db'), '');
    await writeFile(at('text.db'), 'words '.repeat(1000));
    await mkdir(at('folder.db'));
    await symlink('nowhere', at('broken.db'));
    const cases = {
      'missing.db': 'SourceMissing',
      'broken.db': 'SourceMissing',
      'folder.db': 'SourceMissing',
      'empty.db': 'SourceFailed',
      'text.db': 'SourceFailed',
    };
    for (const [name, code] of Object.entries(cases))
      await expect(capture(folder.path, at(name), signal)).rejects.toMatchObject({ code });
    await expect(capture(folder.path, at('text.db'), signal)).rejects.toMatchObject({
      hint: expect.stringContaining('encrypted'),
    });
    make(at('own.db'), 'CREATE TABLE t (x)');
    const own = source('own', { sqlite: at('own.db') }, localHost());
    await expect(own.capture(contextIn(folder.path, { forbidden: [folder.path] }), signal)).rejects.toMatchObject({
      code: 'Refused',
    });
    expect((await readdir(folder.path)).filter((name) => name.startsWith('sqlite_'))).toEqual([]);
  });

  test('that a writer keeps locked is given up after a limit, with words about what to do', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const [path, target] = [join(folder.path, 'locked.db'), join(folder.path, 'copy.db')];
    make(path, 'CREATE TABLE t (x)', 'delete');
    const held = new DatabaseSync(path);
    held.exec('BEGIN EXCLUSIVE');
    await writeFile(target, '');
    await using databases = openDatabases();
    const copying = (blockMs: number) =>
      databases.copy(Buffer.from(path), target, { count: true, check: true, waitMs: 300, blockMs }, signal);
    await expect(copying(1000)).rejects.toMatchObject({
      code: 'SourceFailed',
      message: expect.stringContaining('lock'),
      hint: expect.stringContaining('WAL'),
    });
    held.exec(`ROLLBACK; INSERT INTO t VALUES (zeroblob(20000000))`);
    await expect(copying(-1)).rejects.toThrow('would have to wait');
    held.exec('INSERT INTO t VALUES (1)'); // nothing is locked any more
    expect((await copying(60_000)).tables).toEqual({ 'main.t': 2 });
    held.close();
  });

  test('is copied to a file that only its owner may read, several at once', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'notes.db');
    make(path, 'CREATE TABLE t (x); INSERT INTO t VALUES (1)', 'delete');
    const made = source('notes', { sqlite: path }, localHost());
    await using one = await made.capture(contextIn(folder.path), signal);
    await using two = await made.capture(contextIn(folder.path), signal);
    expect([...one.items, ...two.items]).toHaveLength(2);
    const modes = (await told('find', folder.path, '-path', '*/sqlite_notes-*', '-printf', '%y %m\\n')).split('\n');
    expect(modes.toSorted()).toEqual(['d 700', 'd 700', 'f 600', 'f 600']);
  });

  test('is put back with what SQLite kept beside the old one moved aside', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'notes.db');
    make(path, 'CREATE TABLE t (x)');
    await symlink('notes.db', join(folder.path, 'link.db'));
    const companions = ['-wal', '-shm', '-journal'].map((suffix) => path + suffix);
    const placed = { path, stored: 'sqlite_notes.db', companions, exclusive: true };
    for (const name of ['notes.db', 'link.db']) {
      const made = source('notes', { sqlite: join(folder.path, name) }, localHost());
      expect(await made.placements([], signal)).toEqual([placed]);
    }
    await rm(path);
    expect(await source('notes', { sqlite: path }, localHost()).placements([], signal)).toEqual([placed]);
  });

  test.runIf(process.getuid?.() === 0)(
    'that does not fit is refused before it is copied (as root)',
    async ({ signal }) => {
      await using folder = await temporaryFolder();
      const [path, small] = [join(folder.path, 'large.db'), join(folder.path, 'small')];
      make(path, 'CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(3000000))');
      await mkdir(small);
      await output('mount', '-t', 'tmpfs', '-o', 'size=1M', 'tmpfs', small);
      try {
        const made = source('notes', { sqlite: path }, localHost());
        await expect(made.capture(contextIn(small), signal)).rejects.toMatchObject({ code: 'NoSpace' });
        expect(await readdir(small)).toEqual([]);
        await using databases = openDatabases();
        await writeFile(join(small, 'copy.db'), '');
        const copying = databases.copy(
          Buffer.from(path),
          join(small, 'copy.db'),
          { count: false, check: false },
          signal,
        );
        await expect(copying).rejects.toMatchObject({ code: 'NoSpace' });
      } finally {
        await output('umount', small);
      }
    },
  );
});
