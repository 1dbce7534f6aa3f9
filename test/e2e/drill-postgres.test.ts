import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canMount, temporaryDisk } from '../services/loop-disk.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from '../services/postgres.ts';
import { HOSTILE } from '../sources/postgres-contents.ts';
import { aMachine, type Json, type Machine, type Running, tool } from './holdfast.ts';
import { drillProcesses } from './marked.ts';
import { alterManifest, pointFolderIn, storeRehashed } from './rehashed.ts';

describe.runIf(postgresAvailable())('a drill of PostgreSQL', () => {
  let server: PostgresServer;
  let log: string;
  beforeAll(async () => {
    const settings = { logging_collector: 'on', log_connections: 'on', log_filename: 'live.log', log_directory: 'log' };
    server = await postgresServer({ ...settings, shared_preload_libraries: 'pg_stat_statements' });
    log = join(server.socket, 'data/log/live.log');
    await server.sql('postgres', "create role keeper login password 'k'; create role reader");
    await server.tool('createdb', '--owner=keeper', 'wiki');
    await server.sql(
      'wiki',
      `${HOSTILE} create table secret (x int); alter table secret owner to keeper;
      grant select on secret to reader; insert into secret values (1234567), (2);
      create extension pg_stat_statements; -- nobody can ask it unless the server has loaded it when it started
      create materialized view asked as select count(*) > 0 as any from pg_stat_statements`,
    );
    await server.sql('postgres', 'create table kept (x) as values (1)');
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  /** A machine whose service `wiki` has these databases, with a folder for scratch instances. */
  function machineWith(settings: object, more = ''): Machine {
    const machine = aMachine();
    const postgres = { socket: server.socket, runAs: 'postgres', ...settings };
    machine.configure(`repositories:
  disk: { engine: archive, path: ./disk, compression: { format: none } }
services:
  wiki:
    sources: { db: ${JSON.stringify({ postgres })} }
${more}`);
    machine.passes('repository', 'init', 'disk');
    mkdirSync(machine.path('scratch'));
    chmodSync(machine.folder, 0o711); // for the account of the scratch server
    return machine;
  }

  const drillOf = (machine: Machine, ...args: readonly string[]): string[] => [
    ...['drill', 'wiki', '--scratch', machine.path('scratch'), ...args],
  ];

  function isClean(machine: Machine): void {
    expect(readdirSync(machine.path('scratch'))).toEqual([]);
    expect(drillProcesses(machine.path('scratch'))).toEqual([]);
  }

  /** Connections to the live server so far, by the programs of Holdfast. */
  async function connections(): Promise<number> {
    const mark = `fence_${Math.random().toString(36).slice(2)}`;
    const fenced = (): boolean => readFileSync(log, 'utf8').includes(mark);
    await server.tool('psql', '-X', '-d', `dbname=postgres application_name=${mark}`, '-c', 'select 1');
    await expect.poll(fenced, { timeout: 30_000 }).toBe(true);
    return readFileSync(log, 'utf8').match(/connection authorized: .*application_name=holdfast/g)?.length ?? 0;
  }

  /** All of the live server that a drill could change: the next transaction, its databases, its roles. */
  const state = (): Promise<string> =>
    server.sql(
      'postgres',
      `select pg_snapshot_xmax(pg_current_snapshot()), (select string_agg(datname, ' ' order by datname) from pg_database),
       (select count(*) from pg_roles)`,
    );

  test('restores roles and databases into a server of its own, and the live one notices nothing', async () => {
    const machine = machineWith(
      { databases: ['wiki', 'postgres'], globals: true },
      `    checks:
      - { command: [sh, -c, 'psql -XAtc "select count(*) from secret" "$HOLDFAST_DB_URL" 2>&1 >/dev/null | grep -q "does not exist"'] }
      - { command: [sh, -c, '! psql -X -h ${server.socket} -U keeper -d wiki -c "select 1"'] }`,
    );
    machine.passes('backup');
    const [seen, before] = [await connections(), await state()];
    expect(seen).toBeGreaterThan(0);
    const report = machine.json(0, ...drillOf(machine));
    expect([await connections(), await state()]).toEqual([seen, before]);
    isClean(machine);
    expect(report).toMatchObject({ outcome: 'passed', evidence: 'restored', isolated: true, facts: { equal: true } });
    expect(report.facts.actual.postgres_wiki.tables).toMatchObject({ 'public.secret': 2, 'public.parts_1': 6 });
    expect(report.facts.actual.postgres_globals).toEqual({ entries: 3 });
    const [version] = tool('pg_dump', '--version').match(/\d+\.\d+/) ?? [];
    for (const { dumpedBy, restoredBy, left } of report.items)
      expect([dumpedBy.version, restoredBy.version, left]).toEqual([version, version, []]);
    expect(report.checks.map(({ outcome }: Json) => outcome)).toEqual(['passed', 'passed']);
  }, 120_000);

  test('a dump that does not restore fails it, and names what the server said', async () => {
    const machine = machineWith({ database: 'wiki' });
    machine.passes('backup');
    const folder = pointFolderIn(machine.path('disk/wiki'));
    const dump = readFileSync(join(folder, 'postgres_wiki.dump'));
    dump.write('12x4567', dump.indexOf('1234567'));
    storeRehashed(folder, 'postgres_wiki.dump', dump);
    const report = machine.json(1, ...drillOf(machine));
    expect(report).toMatchObject({ outcome: 'failed', evidence: 'failed', facts: { equal: false } });
    expect(report.items[0].detail).toContain('invalid input syntax for type integer: "12x4567"');
    isClean(machine);
  }, 120_000);

  test('what the scratch server lacks is named, and tells nothing of the point', async () => {
    const machine = machineWith({ database: 'wiki' });
    machine.passes('backup');
    alterManifest(pointFolderIn(machine.path('disk/wiki')), ({ items }) => {
      items[0].facts.extensions.postgis = '3.3.2';
    });
    const report = machine.json(5, ...drillOf(machine));
    expect(report).toMatchObject({ outcome: 'inconclusive', evidence: 'stored' });
    expect(report.items[0].detail).toBe('The scratch server lacks the extension postgis.');
    alterManifest(pointFolderIn(machine.path('disk/wiki')), ({ items }) => {
      items[0].tool.version = '99.1';
    });
    const newer = machine.json(5, ...drillOf(machine));
    expect(newer.items[0].detail).toMatch(
      /^The dump was made by version 99\.1, and only PostgreSQL [\d., ]+ is installed/,
    );
    isClean(machine);
  }, 120_000);

  test('what is restored reaches no live server, by its socket neither', async () => {
    const options = `host '${server.socket}', dbname 'wiki'`;
    await server.tool('createdb', 'mirror');
    await server.sql(
      'mirror',
      `create extension postgres_fdw; create server live foreign data wrapper postgres_fdw options (${options});
      create user mapping for postgres server live options (user 'postgres', password_required 'false');
      create foreign table far (x int) server live options (table_name 'secret');
      create materialized view near as select * from far`,
    );
    const reached = (): number => readFileSync(log, 'utf8').match(/application_name=postgres_fdw/g)?.length ?? 0;
    await connections(); // so that the log is written so far
    const before = reached();
    expect(before).toBeGreaterThan(0);
    const machine = machineWith({ database: 'mirror', globals: true });
    machine.passes('backup');
    const report = machine.json(5, ...drillOf(machine));
    expect(report.items[1].detail).toBe('It is restored from the foreign server "live" as well.');
    await connections();
    expect(reached()).toBe(before);
    isClean(machine);
    await server.tool('dropdb', 'mirror');
  }, 60_000);

  test('a role that only the globals make is named where they are not in the point, and a tablespace is done without', async () => {
    const folder = join(server.socket, 'fast');
    mkdirSync(folder);
    tool('chown', 'postgres:postgres', folder);
    await server.sql('postgres', `create tablespace fast location '${folder}'`);
    for (const name of ['policed', 'spaced']) await server.tool('createdb', name);
    await server.sql('policed', 'create table t (x int); create policy mine on t to reader using (true)');
    await server.sql('spaced', 'create table t (x int) tablespace fast; insert into t values (1)');
    const detailOf = (exitCode: number, settings: object): Json => {
      const machine = machineWith(settings);
      machine.passes('backup');
      const { items } = machine.json(exitCode, ...drillOf(machine));
      isClean(machine);
      return items.at(-1).detail;
    };
    expect(detailOf(5, { database: 'policed' })).toBe('The scratch server lacks the role "reader".');
    expect(detailOf(0, { database: 'spaced' })).toContain('1 row in 1 table, all equal');
    expect(detailOf(0, { databases: ['policed', 'spaced'], globals: true })).toBe('1 row in 1 table, all equal');
    for (const name of ['policed', 'spaced']) await server.tool('dropdb', name);
    await server.sql('postgres', 'drop tablespace fast');
  }, 60_000);

  test('a second drill of the service is refused, or waits', async () => {
    const machine = machineWith({ database: 'wiki' });
    machine.passes('backup');
    const first = machine.start(drillOf(machine));
    await expect.poll(() => first.printed().stderr, { timeout: 30_000, interval: 20 }).toContain('drill: create');
    expect(machine.json(11, ...drillOf(machine)).error).toMatchObject({ code: 'StateBusy', subject: 'wiki' });
    expect(machine.json(0, ...drillOf(machine, '--lock-wait', '60s'))).toMatchObject({ outcome: 'passed' });
    expect(await first.ended).toMatchObject({ exitCode: 0 });
    isClean(machine);
  }, 120_000);

  test('of a drill that is killed in any phase nothing is left once the next command has begun', async () => {
    const machine = machineWith({ database: 'wiki' });
    machine.passes('backup');
    const begun = (phase: string) => (running: Running) => running.printed().stderr.includes(`drill: ${phase}`);
    const program = (name: string) => (running: Running) =>
      begun('clean up')(running) || drillProcesses(machine.path('scratch')).some((line) => line.includes(`/${name} `));
    const moments = [
      begun('create'),
      program('initdb'),
      program('postgres'),
      program('pg_restore'),
      begun('verify'),
      begun('clean up'),
    ];
    for (const moment of moments) {
      const running = machine.start(drillOf(machine));
      await expect.poll(() => moment(running), { timeout: 30_000, interval: 5 }).toBe(true);
      running.kill('SIGKILL');
      await running.ended;
      machine.passes('unlock');
      isClean(machine);
    }
    expect(machine.json(0, 'list').points[0].evidence).toMatch(/stored|restored/);
    expect(machine.json(0, ...drillOf(machine))).toMatchObject({ outcome: 'passed' });
  }, 120_000);

  test('Ctrl-C ends it at once, and it cleans up by itself', async () => {
    const machine = machineWith({ database: 'wiki' });
    machine.passes('backup');
    const running = machine.start(drillOf(machine));
    await expect.poll(() => running.printed().stderr, { timeout: 30_000, interval: 5 }).toContain('drill: restore');
    running.kill('SIGINT');
    expect(await running.ended).toMatchObject({ exitCode: 130 });
    isClean(machine);
    expect(machine.json(0, 'list').points[0].evidence).toBe('stored');
  }, 120_000);

  test.runIf(canMount())(
    'a disk that is full in the middle tells nothing of the point',
    async () => {
      await server.tool('createdb', 'large');
      await server.sql('large', 'create materialized view large as select g from generate_series(1, 4000000) g');
      const machine = machineWith({ database: 'large' });
      machine.passes('backup');
      using disk = temporaryDisk(140);
      const scratch = join(disk.path, 'scratch');
      mkdirSync(scratch);
      chmodSync(dirname(disk.path), 0o711);
      const report = machine.json(5, 'drill', 'wiki', '--scratch', scratch);
      expect(report).toMatchObject({ outcome: 'inconclusive', evidence: 'stored' });
      expect(report.phases[2]).toMatchObject({
        outcome: 'inconclusive',
        detail: 'postgres_large: There is no space left for the scratch instances.',
      });
      expect(readdirSync(scratch)).toEqual([]);
      await server.tool('dropdb', 'large');
    },
    120_000,
  );
});
