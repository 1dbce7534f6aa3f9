import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canMount, temporaryDisk } from '../services/loop-disk.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from '../services/postgres.ts';
import { contentsOf, HOSTILE } from '../sources/postgres-contents.ts';
import { aMachine, type Json, type Machine, tool } from './holdfast.ts';
import { pointFolderIn, storeRehashed } from './rehashed.ts';

describe.runIf(postgresAvailable())('PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await postgresServer();
    await server.sql('postgres', "create role keeper login password 'k'; create role reader");
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  let made = 0;
  async function database(contents: string): Promise<string> {
    const name = `wi ki'${++made}`;
    await server.tool('createdb', '--owner=keeper', '--', name);
    await server.sql(name, contents);
    return name;
  }

  /** A machine whose service `wiki` has these databases in its source `db`. */
  function machineWith(settings: object, compression = 'zstd'): Machine {
    const machine = aMachine();
    const postgres = { socket: server.socket, runAs: 'postgres', ...settings };
    machine.configure(`repositories:
  disk: { engine: archive, path: ./disk, compression: { format: ${compression} } }
services:
  wiki: { sources: { db: ${JSON.stringify({ postgres })} } }`);
    machine.passes('repository', 'init', 'disk');
    return machine;
  }

  const itemOf = (name: string): string => `postgres_${name.replaceAll(' ', '%20').replaceAll("'", '%27')}`;

  test('a database comes back under another name, row by row, with its owners, grants and settings', async () => {
    const name = await database(`${HOSTILE} create table secret (x int); alter table secret owner to keeper;
      grant select on secret to reader`);
    const identifier = `"${name}"`;
    await server.sql('postgres', `alter database ${identifier} set work_mem = '7MB'`);
    await server.sql('postgres', `revoke connect on database ${identifier} from public`);
    const machine = machineWith({ database: name, globals: true });
    machine.passes('backup');
    machine.passes('verify', 'wiki');
    const report = machine.json(0, 'restore', 'wiki', '--database', '-new "one');
    expect(report).toMatchObject({ outcome: 'passed', target: { kind: 'database', name: '-new "one' }, warnings: [] });
    expect(report.items[0].proof).toMatch(/^hashes and \d+ rows in \d+ tables are equal$/);
    expect(await contentsOf(server, '-new "one')).toBe(await contentsOf(server, name));
    const about = (which: string): Promise<string> =>
      server.sql(
        'postgres',
        `select pg_get_userbyid(datdba), (select string_agg(a::text, ' ' order by a::text) from unnest(datacl) a), setconfig::text from pg_database d left join
         pg_db_role_setting s on s.setdatabase = d.oid where datname = '${which.replaceAll("'", "''")}'`,
      );
    expect(await about('-new "one')).toBe(await about(name));
    expect(await about(name)).toContain('work_mem=7MB');
    const again = machine.json(1, 'restore', 'wiki', '--database', name);
    expect(again.error).toMatchObject({ code: 'TargetExists', subject: name });
    machine.passes('restore', 'wiki', '--to', 'out');
    expect(tool('pg_restore', '--list', machine.path('out', readdirSync(machine.path('out'))[1] ?? ''))).toContain(
      'TABLE DATA public secret keeper',
    );
  }, 120_000);

  test('a name that no database can have is refused before anything is made', async () => {
    const name = await database('create table t (x int)');
    const machine = machineWith({ database: name });
    machine.passes('backup');
    const long = 'é'.repeat(32);
    const { error } = machine.json(64, 'restore', 'wiki', '--database', long);
    expect(error).toMatchObject({ code: 'Usage', message: expect.stringContaining('63 bytes') });
    expect(await server.sql('postgres', `select count(*) from pg_database where datname like 'éé%'`)).toBe('0');
    expect(machine.json(0, 'unlock').repairs).toEqual([]);
  });

  test('owners and grants are left out, and said, where their roles are missing', async () => {
    await server.sql('postgres', 'create role leaver');
    const name = await database('create table t (x) as values (1), (2); alter table t owner to leaver');
    const machine = machineWith({ database: name });
    machine.passes('backup');
    await server.sql(name, 'drop owned by leaver');
    await server.sql('postgres', 'drop role leaver');
    const report = machine.json(0, 'restore', 'wiki', '--database', 'without');
    expect(report.warnings.join()).toContain('Owners and grants are left out, because the server has no role "leaver"');
    expect(await server.sql('without', 'select count(*), min(x) from t')).toBe('2|1');
  }, 60_000);

  test('a database that fails stops no other: the point is partial, and its row says why', async () => {
    const name = await database('create table t (x) as values (1)');
    const machine = machineWith({ databases: [name, 'not there'], globals: true });
    const [point] = machine.json(3, 'backup').points;
    expect(point.items).toMatchObject([
      { name: 'postgres_globals', outcome: 'passed' },
      { outcome: 'passed' },
      { name: 'postgres_not%20there', outcome: 'failed', error: 'The server has no database not there.' },
    ]);
  }, 60_000);

  test('a server that is away leaves no point and no draft', () => {
    const machine = machineWith({ database: 'any', socket: '/nowhere' });
    const ended = machine.run(['backup']);
    expect(ended).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Is the server running') });
    expect(existsSync(machine.path('disk/wiki')) ? readdirSync(machine.path('disk/wiki')) : []).toEqual([]);
  }, 60_000);

  test.runIf(canMount())(
    'a repository that is full while a database is dumped has no point of it, and says so',
    async () => {
      const name = await database(
        `create table t as select g, string_agg(md5(g::text || n::text), '') from generate_series(1, 4000) g,
       generate_series(1, 200) n group by g`,
      );
      using disk = temporaryDisk();
      const machine = machineWith({ database: name });
      machine.configure(
        readFileSync(machine.configuration, 'utf8').replace('path: ./disk', `path: ${disk.path}/r`).slice(11),
      );
      machine.passes('repository', 'init', 'disk');
      writeFileSync(join(disk.path, 'ballast'), '');
      tool(
        'sh',
        '-c',
        `dd if=/dev/zero of='${disk.path}/ballast' bs=1M 2>/dev/null || true; truncate -s -2M '${disk.path}/ballast'`,
      );
      const ended = machine.run(['backup']);
      expect(ended.exitCode).toBe(1);
      expect(ended.stderr).toMatch(/space|bytes are expected/);
      expect(machine.json(0, 'list').points).toEqual([]);
      const left = await server.sql(
        'postgres',
        "select count(*) from pg_stat_activity where application_name = 'holdfast'",
      );
      expect(left).toBe('0');
    },
    120_000,
  );

  const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    truncated: (bytes) => bytes.subarray(0, bytes.length >> 1),
    'cut at its end': (bytes) => bytes.subarray(0, -1),
    emptied: () => Buffer.alloc(0),
    flipped: (bytes) => {
      const damaged = Buffer.from(bytes);
      const place = damaged.length >> 1;
      damaged[place] = (damaged[place] ?? 0) ^ 0x10;
      return damaged;
    },
  };
  const ITEMS = { database: /^postgres_wi.*\.dump/, globals: /^postgres_globals\.sql/ } as const;
  const cells = Object.entries(ITEMS).flatMap(([kind, file]) =>
    Object.entries(DAMAGES).flatMap(([how, damage]) => [
      { kind, how, file, damage, hashes: 'as they were' },
      { kind, how, file, damage, hashes: 'computed again' },
    ]),
  );

  test('every damage of a stored database or script is caught, though its hashes were computed again', async () => {
    const name = await database('create table t as select g, md5(g::text) from generate_series(1, 20000) g');
    const machine = machineWith({ database: name, globals: true });
    machine.passes('backup');
    const folder = pointFolderIn(machine.path('disk/wiki'));
    const kept = new Map(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))]));
    for (const { kind, how, file, damage, hashes } of cells) {
      for (const [one, bytes] of kept) writeFileSync(join(folder, one), bytes);
      const stored = [...kept.keys()].find((one) => file.test(one)) ?? '';
      const bytes = damage(kept.get(stored) ?? Buffer.alloc(0));
      if (hashes === 'as they were') writeFileSync(join(folder, stored), bytes);
      else storeRehashed(folder, stored, bytes);
      expect(machine.run(['verify', 'wiki']).exitCode, `${kind} ${how}, hashes ${hashes}`).toBe(1);
    }
    for (const [one, bytes] of kept) writeFileSync(join(folder, one), bytes);
    machine.passes('verify', 'wiki');
    rmSync(join(folder, [...kept.keys()].find((one) => ITEMS.database.test(one)) ?? ''));
    expect(machine.run(['verify', 'wiki']).exitCode).toBe(1);
  }, 180_000);

  test('in place: the present database keeps its rows under another name, and is a safety point too', async () => {
    const [name, other] = [await database(HOSTILE), await database('create table t ()')];
    const machine = machineWith({ databases: [name, other], globals: true });
    const choice = ['--item', itemOf(name), '--item', 'postgres_globals'];
    await server.sql('postgres', 'create role "late role" login password \'p\'');
    machine.passes('backup');
    const before = await contentsOf(server, name);
    await server.sql(name, 'drop table parts cascade; create table newer (x) as values (1)');
    await server.sql('postgres', 'drop role "late role"');
    await server.sql('postgres', "alter role reader password 'changed since'");
    const password = "select rolpassword from pg_authid where rolname = 'reader'";
    const changed = await server.sql('postgres', password);
    const talk = server.sql(name, 'select pg_sleep(600)').catch((error: Error) => error.message);
    await expect
      .poll(() => server.sql('postgres', "select count(*) from pg_stat_activity where query like '%pg_sleep(600)'"))
      .toBe('1');
    const planned = machine.json(0, 'restore', 'wiki', ...choice, '--in-place', '--dry-run');
    expect(planned.steps.join('\n')).toContain(`Rename ${name} to ${name}_recovery_backup_`);
    const report = machine.json(0, 'restore', 'wiki', ...choice, '--in-place', '--yes');
    expect(await talk).toContain('terminating connection');
    expect(await contentsOf(server, name)).toBe(before);
    const [{ path: kept }] = report.kept;
    expect(await server.sql(kept, 'select count(*) from newer')).toBe('1');
    expect(await server.sql('postgres', "select count(*) from pg_roles where rolname = 'late role'")).toBe('1');
    expect(await server.sql('postgres', password)).toBe(changed);
    // what nobody replaces is not dumped once more
    const { items } = machine.json(0, 'show', report.safetyPoint);
    expect(items.toSorted()).toEqual(['postgres_globals', itemOf(name)]);
    machine.passes('restore', report.safetyPoint, '--item', itemOf(name), '--database', 'of the safety point');
    expect(await server.sql('of the safety point', 'select count(*) from newer')).toBe('1');
    await server.sql('postgres', `drop database "${name}"`);
    machine.passes('restore', 'wiki', ...choice, '--in-place', '--yes');
    expect(await contentsOf(server, name)).toBe(before);
    expect(await server.sql('postgres', "select count(*) from pg_database where datname like 'holdfast%'")).toBe('0');
  }, 180_000);

  test('a database whose functions leave schemas out comes back, under the search path that is its own', async () => {
    const name =
      await database(`create schema tools; create table words (w text); insert into words values ('Soup'), ('bread');
      create function tools.small(text) returns text language sql immutable as 'select lower($1)';
      create function plain(v text) returns text language plpgsql immutable as $$ begin return small(v); end $$;
      create function counted() returns bigint language sql stable as 'select count(*) from words';`);
    await server.sql('postgres', `alter database "${name}" set search_path = public, tools`);
    await server.sql(
      name,
      `create index on words (plain(w)); create materialized view totals as select counted() as n;
      create table made (w text check (plain(w) <> ''), small text generated always as (plain(w)) stored);
      insert into made (w) values ('SOUP'), ($$SELECT pg_catalog.set_config('search_path', '', false);$$)`,
    );
    const machine = machineWith({ database: name });
    machine.passes('backup');
    const before = await contentsOf(server, name);
    await server.sql(name, 'truncate words, made; refresh materialized view totals');
    machine.passes('restore', 'wiki', '--in-place', '--yes');
    expect(await contentsOf(server, name)).toBe(before);
    const words = 'show search_path; select n from totals; select count(*) from made';
    expect(await server.sql(name, words)).toBe('public, tools\n2\n2');
    expect(await server.sql('postgres', "select count(*) from pg_database where datname like 'holdfast%'")).toBe('0');
  }, 60_000);

  test('all databases have templates among them, which come back as such, and a closed one is told', async () => {
    await using own = await postgresServer();
    const make = 'create database tpl is_template true; create database closed allow_connections false';
    for (const sql of make.split(';')) await own.sql('postgres', sql);
    await own.sql('tpl', 'create table t (x) as values (1)');
    const machine = machineWith({ socket: own.socket, databases: 'all' });
    const [{ id }] = machine.json(0, 'backup').points;
    expect(machine.json(0, 'show', id).manifest.items).toMatchObject([
      { name: 'postgres_postgres', outcome: 'passed', warnings: [expect.stringMatching(/nobody in .*: closed$/)] },
      { name: 'postgres_tpl', outcome: 'passed', warnings: [] },
    ]);
    const named = machineWith({ socket: own.socket, databases: ['tpl', 'closed'] });
    expect(named.json(3, 'backup').points[0].items).toMatchObject([
      { name: 'postgres_tpl', outcome: 'passed' },
      { name: 'postgres_closed', outcome: 'failed', error: expect.stringContaining('lets nobody into') },
    ]);
    await own.sql('tpl', 'drop table t');
    const report = machine.json(0, 'restore', id, '--item', 'postgres_tpl', '--in-place', '--yes');
    await own.sql('postgres', 'create database made template tpl');
    expect(await own.sql('made', 'select x from t')).toBe('1');
    machine.passes('snapshot', 'remove', report.kept[0].path);
    const names = "select string_agg(datname, ' ' order by datname) from pg_database where datistemplate";
    expect(await own.sql('postgres', names)).toBe('template0 template1 tpl');
  }, 60_000);

  test('what a restore in place kept is listed, comes back by its name, and goes when its time is over', async () => {
    const name = await database('create table t as select 1 as x');
    const machine = machineWith({ database: name });
    const rows = (): Promise<string> => server.sql(name, "select string_agg(x::text, ' ' order by x) from t");
    const isThere = (database: string): Promise<string> =>
      server.sql('postgres', `select count(*) from pg_database where datname = '${database.replaceAll("'", "''")}'`);
    const kept = (): readonly string[] =>
      machine.json(0, 'snapshot', 'list').kept.map((one: Json) => `${one.of} ${one.original} ${one.name}`);
    machine.passes('backup');
    await server.sql(name, 'insert into t values (2)');
    const [{ path: first }] = machine.json(0, 'restore', 'wiki', '--in-place', '--yes').kept;
    expect(kept()).toEqual([`wiki ${name} ${first}`]);
    expect(machine.passes('snapshot', 'list')).toContain(first);
    expect(machine.json(0, 'rollback', '--snapshot', first, '--dry-run').steps.join()).toContain(
      `give ${first} its name`,
    );
    expect(await rows()).toBe('1');
    const [{ path: second }] = machine.json(0, 'rollback', '--snapshot', first, '--auto-confirm').kept;
    expect(await rows()).toBe('1 2');
    expect(kept()).toEqual([`wiki ${name} ${second}`]);
    expect(await isThere(first)).toBe('0');
    const [{ path: third }] = machine.json(0, 'rollback', '--snapshot', second, '--auto-confirm').kept;
    expect(await rows()).toBe('1');
    const talk = server.sql(third, 'select pg_sleep(600)').catch((error: Error) => error.message);
    const talks = (database: string): string =>
      `from pg_stat_activity where datname = '${database.replaceAll("'", "''")}'`;
    await expect.poll(() => server.sql('postgres', `select count(*) ${talks(third)}`)).toBe('1');
    expect(machine.json(0, 'prune').removedStates).toEqual([]);
    const catalog = new DatabaseSync(machine.path('state', 'catalog.db'));
    catalog.exec("update kept_databases set until_at = '2026-01-01T00:00:00.000000000Z'");
    catalog.close();
    expect(machine.json(1, 'prune').failures).toMatchObject([{ code: 'TargetBusy' }]);
    expect(await isThere(third)).toBe('1');
    await server.sql('postgres', `select pg_terminate_backend(pid) ${talks(third)}`);
    expect(await talk).toContain('terminating connection');
    await expect.poll(() => server.sql('postgres', `select count(*) ${talks(third)}`)).toBe('0');
    expect(machine.json(0, 'prune').removedStates).toEqual([{ service: 'wiki', source: 'db', database: third }]);
    expect(await isThere(third)).toBe('0');
    const [{ path: fourth }] = machine.json(0, 'restore', 'wiki', '--in-place', '--yes').kept;
    machine.passes('snapshot', 'remove', fourth);
    expect(await isThere(fourth)).toBe('0');
    expect(kept()).toEqual([]);
    expect(await rows()).toBe('1');
  }, 120_000);

  test('a restore that is killed leaves a database that the next command takes away', async () => {
    const name = await database(
      'create table t as select g, repeat(md5(g::text), 30) from generate_series(1, 150000) g; create index on t (g)',
    );
    const machine = machineWith({ database: name });
    machine.passes('backup');
    const there = (): Promise<string> =>
      server.sql('postgres', "select count(*) from pg_database where datname = 'half'");
    const running = machine.start(['restore', 'wiki', '--database', 'half']);
    await expect.poll(there, { interval: 20, timeout: 30_000 }).toBe('1');
    running.kill('SIGKILL');
    await running.ended;
    expect(machine.run(['unlock', '--yes']).exitCode).toBe(0);
    expect(await there()).toBe('0');
    expect(await server.sql(name, 'select count(*) from t')).toBe('150000');
  }, 120_000);
});
