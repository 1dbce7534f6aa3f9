import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MIGRATIONS, type Migration, migrate } from '../src/catalog/migrations.ts';
import { openCatalog } from '../src/catalog/open.ts';
import { checkCatalog, setAsideWhenDamaged } from '../src/catalog/set-aside.ts';
import { openSqlite } from '../src/catalog/sqlite.ts';
import { aPoint } from './contracts/catalog.ts';
import { available } from './services/available.ts';

const start = promisify(execFile);

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-catalog-'));
  file = join(folder, 'catalog.db');
});
afterEach(() => rm(folder, { recursive: true }));

const noon = Temporal.Instant.from('2025-12-02T12:00:00Z');
const manyPoints = Array.from({ length: 500 }, (_, index) => aPoint(`0${index}`, index));

/** Tables of a file, as SQLite itself says. */
function tables(): unknown[] {
  using database = new DatabaseSync(file);
  return database
    .prepare(`SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_%'`)
    .all()
    .map(({ name }) => name);
}

async function remembered(): Promise<number> {
  await using catalog = await openCatalog(file);
  return (await catalog.points({})).length;
}

describe('the file of the catalog', () => {
  test('is readable by nobody else', async () => {
    await using catalog = await openCatalog(file);
    await catalog.remember(manyPoints);
    const names = await readdir(folder);
    expect(names).toEqual(expect.arrayContaining(['catalog.db', 'catalog.db-wal']));
    for (const name of names) expect((await stat(join(folder, name))).mode & 0o777, name).toBe(0o600);
  });

  test.skipIf(!available('sqlite3'))('is read by any other SQLite', async () => {
    {
      await using catalog = await openCatalog(file);
      await catalog.remember([aPoint('01A', 0)]);
    }
    const ask = (sql: string) => execFileSync('sqlite3', [file, sql], { encoding: 'utf8' }).trim();
    expect(ask('PRAGMA integrity_check')).toBe('ok');
    expect(ask('PRAGMA journal_mode')).toBe('wal');
    expect(ask('SELECT service, point_timestamp, total_size FROM points')).toBe(
      'mealie|2025-12-02T12:00:00.123456789Z|2199023255553',
    );
    expect(JSON.parse(ask('SELECT manifest FROM manifests'))).toMatchObject({ id: '01A', format: 1 });
  });

  test('that a later version wrote is refused and left as it is', async () => {
    await (await openCatalog(file))[Symbol.asyncDispose]();
    {
      using database = new DatabaseSync(file);
      database.exec(`INSERT INTO migrations VALUES ('999-planets', '2030-01-01T00:00:00Z')`);
    }
    const before = await readFile(file);
    await expect(openCatalog(file)).rejects.toMatchObject({
      code: 'StateNewer',
      subject: file,
      message: expect.stringContaining('999-planets'),
    });
    expect(await readFile(file)).toEqual(before);
  });

  test('in a folder that does not exist is refused with words', async () => {
    await expect(openCatalog(join(folder, 'nowhere', 'catalog.db'))).rejects.toMatchObject({ code: 'StateUnusable' });
  });

  test('that another process holds is waited for, then refused', async () => {
    await using catalog = await openCatalog(file, 200);
    using database = new DatabaseSync(file);
    database.exec('BEGIN IMMEDIATE');
    await expect(catalog.remember([aPoint('01A', 0)])).rejects.toMatchObject({ code: 'StateBusy' });
    database.exec('COMMIT');
    await catalog.remember([aPoint('01A', 0)]);
    expect(await catalog.points({})).toHaveLength(1);
  });
});

test('processes that rebuild at once wait for each other', async () => {
  const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const script = (repository: string) => `
    const { openCatalog } = await import(${module('../src/catalog/open.ts')});
    const { summaryOf } = await import(${module('../src/domain/recovery-point.ts')});
    const at = Temporal.Instant.from('2025-12-02T12:00:00Z');
    const point = (id) => ({ id, repository: '${repository}', service: 'mealie', location: id, timestamp: at,
      outcome: 'passed', totalSize: 1, evidence: 'stored', evidenceAt: at, held: null, foreign: true,
      ...summaryOf(null), manifest: null });
    await using catalog = await openCatalog(${JSON.stringify(file)});
    for (let round = 0; round < 40; round++)
      await catalog.replaceRepository('${repository}', [point('stays'), point('round' + round)]);`;
  const starts = ['local', 'offsite', 'third'].map((repository) =>
    start(process.execPath, ['--input-type=module', '-e', script(repository)]),
  );
  await Promise.all(starts);
  await using catalog = await openCatalog(file);
  const locations = (await catalog.points({ repository: 'offsite' })).map(({ location }) => location);
  expect(locations).toEqual(['round39', 'stays']);
  expect(await catalog.points({})).toHaveLength(6);
});

describe('a damaged catalog', () => {
  const overwrite = async (from: number, length: number): Promise<void> => {
    await using opened = await open(file, 'r+');
    await opened.write(Buffer.alloc(length, 0x5a), 0, length, from);
  };

  test('that is no database any more is named, with what to do', async () => {
    await writeFile(file, 'not a database '.repeat(100));
    await expect(openCatalog(file)).rejects.toMatchObject({
      code: 'StateDamaged',
      subject: file,
      hint: expect.stringContaining('holdfast catalog rebuild'),
    });
  });

  test('whose pages were overwritten is found, and named when it is read', async () => {
    {
      await using catalog = await openCatalog(file);
      await catalog.remember(manyPoints);
    }
    expect(() => checkCatalog(file)).not.toThrow();
    const { size } = await stat(file);
    await overwrite(8192, size - 8192);
    expect(() => checkCatalog(file)).toThrow(expect.objectContaining({ code: 'StateDamaged' }));
    const read = async () => {
      await using catalog = await openCatalog(file);
      await catalog.points({});
    };
    await expect(read()).rejects.toMatchObject({ code: 'StateDamaged' });
  });

  test('is moved aside with its log, never deleted, and a new one takes its place', async () => {
    await writeFile(file, 'not a database '.repeat(100));
    await writeFile(`${file}-wal`, 'an old log');
    const aside = await setAsideWhenDamaged(file, noon);
    expect(aside).toBe(`${file}.damaged-20251202T120000`);
    expect(await readFile(aside ?? '', 'utf8')).toContain('not a database');
    expect(await readFile(`${aside}-wal`, 'utf8')).toBe('an old log');
    expect(await remembered()).toBe(0);

    await writeFile(file, 'not a database either');
    expect(await setAsideWhenDamaged(file, noon)).toBe(`${aside}-2`);
    expect(await readFile(aside ?? '', 'utf8')).toContain('not a database ');
  });

  test('is told from one that is whole, and from one that is not there', async () => {
    expect(await setAsideWhenDamaged(file, noon)).toBeNull();
    {
      await using catalog = await openCatalog(file);
      await catalog.remember(manyPoints);
      expect(await setAsideWhenDamaged(file, noon)).toBeNull();
    }
    expect(await remembered()).toBe(500);
  });
});

describe('a migration', () => {
  const failing: Migration = {
    name: '900-fails',
    async up(tables) {
      await tables.schema.createTable('half').addColumn('id', 'text').execute();
      await tables.deleteFrom('points').execute();
      throw new Error('the disk went away');
    },
  };
  const migrateTo = async (migrations: readonly Migration[]): Promise<void> => {
    const database = openSqlite(file, 1000);
    await migrate(database, file, migrations).finally(() => database.destroy());
  };

  test('that fails in the middle leaves the tables and points of the one before', async () => {
    {
      await using catalog = await openCatalog(file);
      await catalog.remember(manyPoints);
    }
    const before = tables();
    await expect(migrateTo([...MIGRATIONS, failing])).rejects.toThrow('the disk went away');
    expect(tables()).toEqual(before);
    expect(await remembered()).toBe(500);
  });

  test('that fills the disk says so, and leaves the tables of the one before', async () => {
    await migrateTo(MIGRATIONS);
    const before = tables();
    const filling: Migration = {
      name: '900-fills',
      async up(transaction) {
        await sql`CREATE TABLE filler (bytes BLOB)`.execute(transaction);
        await sql`PRAGMA max_page_count = 1`.execute(transaction); // as large as it is now; SQLite answers as for a full disk
        await sql`INSERT INTO filler VALUES (zeroblob(1000000))`.execute(transaction);
      },
    };
    await expect(migrateTo([...MIGRATIONS, filling])).rejects.toMatchObject({ code: 'NoSpace', subject: file });
    expect(tables()).toEqual(before);
  });

  test.each(MIGRATIONS.map(({ name }, index) => [name, index] as const))(
    '%s is applied whole or not at all',
    async (_, index) => {
      const cut: Migration = {
        name: MIGRATIONS[index]?.name ?? '',
        async up(transaction) {
          await MIGRATIONS[index]?.up(transaction);
          throw new Error('killed before its commit');
        },
      };
      await migrateTo(MIGRATIONS.slice(0, index));
      const before = tables();
      await expect(migrateTo([...MIGRATIONS.slice(0, index), cut])).rejects.toThrow('killed before its commit');
      expect(tables()).toEqual(before);
      await migrateTo(MIGRATIONS);
      expect(await remembered()).toBe(0);
    },
  );

  test('is made once when many processes open a new catalog at once', async () => {
    const script = `
      const { openCatalog } = await import(${JSON.stringify(new URL('../src/catalog/open.ts', import.meta.url).href)});
      await using catalog = await openCatalog(${JSON.stringify(file)});
      await catalog.recordRun({ id: String(process.pid), verb: 'backup', plan: null, services: [],
        startedAt: Temporal.Now.instant(), durationMs: 1, outcome: 'passed', detail: null });`;
    const starts = Array.from({ length: 5 }, () => start(process.execPath, ['--input-type=module', '-e', script]));
    await Promise.all(starts);
    await using catalog = await openCatalog(file);
    expect(await catalog.runs({ limit: 100 })).toHaveLength(5);
    expect(new Set(tables()).size).toBe(tables().length);
  });
});
