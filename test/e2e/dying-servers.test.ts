import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CouchdbServer, couchdbAvailable, couchdbServer } from '../services/couchdb.ts';
import { canMount, type LoopDisk, loopDisk } from '../services/loop-disk.ts';
import { type MariadbServer, mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from '../services/postgres.ts';
import { aMachine, type Json, type Machine, tool } from './holdfast.ts';

function machineWith(source: object): Machine {
  const machine = aMachine();
  machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { wiki: { sources: { db: ${JSON.stringify(source)} } } }`);
  machine.passes('repository', 'init', 'disk');
  machine.passes('backup');
  return machine;
}

/** What was told of a restore whose server was ended in the middle. */
async function diesIn(
  machine: Machine,
  args: readonly string[],
  isReady: () => Promise<boolean>,
  kill: () => Promise<void>,
): Promise<Json> {
  const running = machine.start(['restore', 'wiki', '--yes', '--json', ...args]);
  await expect.poll(isReady, { interval: 10 }).toBe(true);
  await kill();
  const { exitCode, stdout, stderr } = await running.ended;
  expect(exitCode, stderr).toBe(1);
  return JSON.parse(stdout).error;
}

/** The first failure, and beside it what stays open and what to do about that. */
function expectTold(error: Json, open: RegExp): void {
  expect(error.left).toMatchObject([{ code: 'JournalOpen', message: expect.stringMatching(open) }]);
  expect(error.left[0].hint).toMatch(/server runs.*, then: holdfast unlock$/);
}

/** Nothing is done while the server is away, and all of it by one command once it is back. */
async function putRight(machine: Machine, revive: () => Promise<void>): Promise<void> {
  const early = machine.run(['unlock']);
  expect(early.exitCode).toBe(1);
  expect(early.stdout).toMatch(/Still to be done: .*\n {2}next: .*server runs.*then: holdfast unlock/);
  expect(machine.run(['list']).stderr).toContain('holdfast doctor');
  await revive();
  expect(machine.passes('unlock')).toContain('undone');
  expect(machine.passes('unlock')).toContain('Nothing was left behind');
}

describe.runIf(postgresAvailable())('a PostgreSQL that ends while a database is restored in place', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await postgresServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  test('leaves the present one as it is, says what is open, and the next start takes that away', async () => {
    const rows = 'select g, repeat(md5(g::text), 30) from generate_series(1, 50000) g';
    await server.sql('postgres', 'create database wiki');
    await server.sql('wiki', `create table t as ${rows}; create index on t (g)`);
    const machine = machineWith({ postgres: { socket: server.socket, runAs: 'postgres', database: 'wiki' } });
    await server.sql('wiki', 'delete from t where g > 7');
    const names = (): Promise<string> =>
      server.sql('postgres', "select string_agg(datname, ' ' order by 1) from pg_database where not datistemplate");
    const staged = async (): Promise<boolean> => (await names()).includes('holdfast_restore_');
    const error = await diesIn(machine, ['--in-place', '--without-safety'], staged, () => server.kill());
    expectTold(error, /Still to be done: drop database holdfast_restore_\w+\.$/);
    await putRight(machine, () => server.revive());
    expect(await names()).toBe('postgres wiki');
    expect(await server.sql('wiki', 'select count(*) from t')).toBe('7');
    machine.passes('restore', 'wiki', '--in-place', '--yes');
    expect(await server.sql('wiki', 'select count(*) from t')).toBe('50000');
  }, 60_000);
});

describe.runIf(mariadbAvailable())('a MariaDB that ends while a database is restored in place', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await mariadbServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  const names = (): Promise<string> => server.sql(null, `show databases where \`Database\` regexp 'wiki|holdfast'`);
  const CONTENTS = `create table log (w text); create table t as select seq as g, repeat(md5(seq), 30) as x from seq_1_to_20000;
    create view largest as select max(g) as g from t; create trigger noted after delete on t for each row insert into log values (old.g)`;

  test('leaves the present one as it is, says what is open, and the next start takes that away', async () => {
    await server.sql(null, 'create database wiki');
    await server.sql('wiki', CONTENTS);
    const machine = machineWith({ mariadb: { socket: server.socket, database: 'wiki' } });
    await server.sql('wiki', 'delete from t where g > 7; truncate log');
    const staged = async (): Promise<boolean> => (await names()).includes('holdfast_restore_');
    const inPlace = ['--in-place', '--without-safety'];
    const error = await diesIn(machine, inPlace, staged, () => server.kill());
    expectTold(error, /Still to be done: drop database holdfast_restore_\w+\.$/);
    await putRight(machine, () => server.revive());
    expect(await names()).toBe('wiki');

    // In the exchange itself, which waits for a lock that somebody holds who talks with no database.
    const holder = server.sql(null, 'lock tables wiki.log read; select sleep(600)').catch(() => 'ended');
    const waits = async (what: string): Promise<boolean> =>
      (await server.sql(null, `select count(*) from information_schema.processlist where info like '${what}%'`)) !==
      '0';
    await expect.poll(() => waits('select sleep(600)')).toBe(true);
    const cut = await diesIn(
      machine,
      inPlace,
      () => waits('RENAME TABLE'),
      () => server.kill(),
    );
    expect(await holder).toBe('ended');
    expectTold(
      cut,
      /give database wiki its place back, if it is wiki_recovery_backup_\w+ by now; drop database holdfast/,
    );
    await putRight(machine, () => server.revive());
    expect(await names()).toBe('wiki');
    expect(await server.sql('wiki', 'delete from t where g = 7; select g from largest; select w from log')).toBe(
      '6\n7',
    );
    machine.passes('restore', 'wiki', '--in-place', '--yes');
    expect(await server.sql('wiki', 'select g from largest; select count(*) from log')).toBe('20000\n0');
  }, 90_000);
});

describe.runIf(couchdbAvailable())('a CouchDB that ends while a database is filled', () => {
  let server: CouchdbServer;
  beforeAll(async () => {
    server = await couchdbServer();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  test('is named, and so is the half-filled database that is to be dropped', async () => {
    await server.ask('PUT', '/wiki');
    const docs = Array.from({ length: 4000 }, (_, at) => ({ _id: `page ${at}`, text: 'soup '.repeat(100) }));
    await server.ask('POST', '/wiki/_bulk_docs', { docs });
    const machine = machineWith({ couchdb: { url: server.url, database: 'wiki' } });
    const half = async (): Promise<boolean> => (await server.ask('GET', '/_all_dbs')).includes('half');
    const error = await diesIn(machine, ['--database', 'half'], half, () => server.kill());
    expectTold(error, /Still to be done: drop database half\.$/);
  }, 60_000);
});

/** Starts a server whose data lie on a disk. */
async function onDisk<T>(disk: LoopDisk, start: () => Promise<T>): Promise<T> {
  tool('chmod', '755', dirname(disk.path));
  tool('chmod', '1777', disk.path);
  const { TMPDIR } = process.env;
  process.env.TMPDIR = disk.path;
  try {
    return await start();
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  }
}

/** Leaves so many mebibytes. */
function fill(disk: LoopDisk, left: number): void {
  const free = Number(tool('stat', '--file-system', '--format=%a', disk.path)) * blockOf(disk);
  tool('fallocate', '--length', `${free - left * 1024 ** 2}`, join(disk.path, 'ballast'));
}
const blockOf = (disk: LoopDisk): number => Number(tool('stat', '--file-system', '--format=%S', disk.path));

describe.runIf(canMount())('a server whose disk has no room for what comes back', () => {
  test.runIf(postgresAvailable())(
    'keeps the present database, and nothing else: PostgreSQL',
    async () => {
      using disk = loopDisk('ext4', 512);
      // Its log is kept large enough: where that finds no room the whole server ends.
      await using server = await onDisk(disk, () => postgresServer({ min_wal_size: '1GB', max_wal_size: '2GB' }));
      await server.sql('postgres', 'create database wiki');
      const make = 'create table t as select g, repeat(md5(g::text), 30) from generate_series(1, 60000) g';
      for (const sql of [make, 'drop table t', 'checkpoint', make, 'checkpoint']) await server.sql('wiki', sql);
      const machine = machineWith({ postgres: { socket: server.socket, runAs: 'postgres', database: 'wiki' } });
      await server.sql('wiki', 'delete from t where g > 7');
      await server.sql('wiki', 'vacuum full t');
      await server.sql('wiki', 'checkpoint');
      fill(disk, 24);
      const { error } = machine.json(1, 'restore', 'wiki', '--in-place', '--yes');
      expect(error).toMatchObject({ code: 'NoSpace', message: expect.stringContaining('No space left on device') });
      const names = "select string_agg(datname, ' ' order by 1) from pg_database where not datistemplate";
      expect(await server.sql('postgres', names)).toBe('postgres wiki');
      expect(await server.sql('wiki', 'select count(*) from t')).toBe('7');
      expect(machine.passes('unlock')).toContain('Nothing was left behind');
    },
    60_000,
  );

  test.runIf(mariadbAvailable())(
    'keeps the present database, and nothing else: MariaDB',
    async () => {
      using disk = loopDisk('ext4', 512);
      await using server = await onDisk(disk, () => mariadbServer());
      await server.sql(null, 'create database wiki');
      await server.sql('wiki', 'create table t as select seq as g, repeat(md5(seq), 30) as x from seq_1_to_60000');
      const machine = machineWith({ mariadb: { socket: server.socket, database: 'wiki' } });
      await server.sql('wiki', 'delete from t where g > 7; optimize table t');
      fill(disk, 24);
      const { error } = machine.json(1, 'restore', 'wiki', '--in-place', '--yes');
      expect(error).toMatchObject({ code: 'NoSpace' });
      expect(await server.sql(null, `show databases where \`Database\` regexp 'wiki|holdfast'`)).toBe('wiki');
      expect(await server.sql('wiki', 'select count(*) from t')).toBe('7');
      expect(machine.passes('unlock')).toContain('Nothing was left behind');
    },
    60_000,
  );
});
