import { existsSync, readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from '../services/postgres.ts';
import { contentsOf, HOSTILE } from '../sources/postgres-contents.ts';
import { aMachine, isSame, type Json, type Machine, tool } from './holdfast.ts';

describe.runIf(postgresAvailable() && available('sqlite3'))('a service of a folder, a file and databases', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await postgresServer({ max_prepared_transactions: '2' });
    await server.sql('postgres', "create role reader login password 'r' in role pg_read_all_data");
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  let made = 0;
  async function database(contents: string): Promise<string> {
    const name = `wiki${++made}`;
    await server.tool('createdb', '--', name);
    await server.sql(name, contents);
    return name;
  }

  function wiki(databases: readonly string[], settings: object = { runAs: 'postgres', globals: true }): Machine {
    const machine = aMachine();
    machine.write('data/pages/home.md', '# Welcome\n');
    tool('sqlite3', machine.path('notes.db'), "create table notes (text); insert into notes values ('then')");
    const postgres = { socket: server.socket, databases, ...settings };
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
guard: { settle: 1s, steady: 1s }
services:
  wiki: { sources: { data: { files: [./data] }, notes: { sqlite: ./notes.db }, db: ${JSON.stringify({ postgres })} } }`);
    machine.passes('repository', 'init', 'disk');
    tool('cp', '-a', machine.path('data'), machine.path('then'));
    return machine;
  }

  const notes = (machine: Machine, path = machine.path('notes.db')): string =>
    tool('sqlite3', path, 'select group_concat(text) from notes').trim();

  /** What a deployment that went wrong leaves: a page that is gone, one that is new, a row, a table. */
  async function ruin(machine: Machine, name: string): Promise<void> {
    rmSync(machine.path('data/pages/home.md'));
    machine.write('data/pages/broken.md', 'broken\n');
    tool('sqlite3', machine.path('notes.db'), "insert into notes values ('now')");
    await server.sql(name, 'drop table parts cascade; create table newer (x) as values (1)');
  }

  async function expectThen(machine: Machine, name: string, contents: string): Promise<void> {
    expect(isSame(machine.path('data'), machine.path('then'))).toBe(true);
    expect(notes(machine)).toBe('then');
    expect(await contentsOf(server, name)).toBe(contents);
    expect(await leftovers()).toBe('0');
  }

  const leftovers = (): Promise<string> =>
    server
      .sql('postgres', "select count(*) from pg_database where datname like 'holdfast%' or not datallowconn") // template0
      .then((count) => `${Number(count) - 1}`);

  const keptOf = (report: Json, original: string): string =>
    report.kept.find((one: Json) => one.original === original)?.path ?? '';

  test('comes back in place as one, and all of what was there is kept and named', async () => {
    const [name, lost] = [await database(HOSTILE), await database('create table t (x) as values (1), (2)')];
    const machine = wiki([name, lost]);
    machine.passes('backup');
    const contents = await contentsOf(server, name);
    await ruin(machine, name);
    await server.tool('dropdb', lost);
    const planned = machine.json(0, 'restore', 'wiki', '--in-place', '--dry-run');
    expect(planned.steps).toEqual([
      'Make a safety point of what is there now of db',
      'Make what is missing of postgres_globals',
      `Restore ${name} from postgres_${name} under a new name, and count it`,
      `Restore ${lost} from postgres_${lost} under a new name, and count it`,
      `Set ${machine.path('data')} aside for 30 days, and restore it from files_data`,
      `Set ${machine.path('notes.db')} aside for 30 days, and restore it from sqlite_notes`,
      expect.stringMatching(
        `^Rename ${name} to ${name}_recovery_backup_\\d{8}_\\d{6}, keep it for 30 days, and give the new one its name$`,
      ),
      `Give the new one the name ${lost}`,
    ]);
    const report = machine.json(0, 'restore', 'wiki', '--in-place', '--yes');
    await expectThen(machine, name, contents);
    expect(await server.sql(lost, 'select sum(x) from t')).toBe('3');
    expect(report.items.map((item: Json) => item.name).toSorted()).toEqual([
      ...['files_data', 'postgres_globals', `postgres_${name}`, `postgres_${lost}`, 'sqlite_notes'].toSorted(),
    ]);
    expect(report.kept.map((one: Json) => one.original).toSorted()).toEqual(
      [machine.path('data'), machine.path('notes.db'), name].toSorted(),
    );
    expect(readFileSync(`${keptOf(report, machine.path('data'))}/pages/broken.md`, 'utf8')).toBe('broken\n');
    expect(notes(machine, keptOf(report, machine.path('notes.db')))).toBe('then,now');
    expect(await server.sql(keptOf(report, name), 'select count(*) from newer')).toBe('1');
    machine.passes('restore', report.safetyPoint, '--item', `postgres_${name}`, '--database', `safety${name}`);
    expect(await server.sql(`safety${name}`, 'select count(*) from newer')).toBe('1');
  }, 120_000);

  test('is as it was, all of it, when one of its databases cannot be exchanged at the end', async () => {
    const name = await database(HOSTILE);
    const machine = wiki([name]);
    machine.passes('backup');
    await ruin(machine, name);
    await server.sql(name, "begin; create table pending (x int); prepare transaction 'held'"); // it holds the database
    const before = await contentsOf(server, name);
    const ended = machine.run(['restore', 'wiki', '--in-place', '--yes']);
    expect(ended).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('is being accessed by other users') });
    expect(readFileSync(machine.path('data/pages/broken.md'), 'utf8')).toBe('broken\n');
    expect(existsSync(machine.path('data/pages/home.md'))).toBe(false);
    expect(notes(machine)).toBe('then,now');
    expect(await contentsOf(server, name)).toBe(before);
    expect(await leftovers()).toBe('0');
    expect(tool('find', machine.folder, '-name', '*recovery-backup*', '-o', '-name', '*holdfast-restore*')).toBe('');
    await server.sql(name, "rollback prepared 'held'");
    machine.passes('restore', 'wiki', '--in-place', '--yes');
    expect(isSame(machine.path('data'), machine.path('then'))).toBe(true);
  }, 120_000);

  const asAdmin = (name: string, sql: string): string =>
    `setpriv --reuid=postgres --regid=postgres --init-groups psql -qX -h ${server.socket} -d ${name} -c '${sql}'`;

  function guarded(machine: Machine, exitCode: number, line: string, ...options: readonly string[]): Json {
    const ended = machine.run([
      ...['--json', 'guard', '--service', 'wiki', '--operation', 'migrate', ...options, '--command', line],
    ]);
    expect(ended.exitCode, ended.stderr + ended.stdout).toBe(exitCode);
    return JSON.parse(ended.stdout);
  }

  test('is taken back when a guarded command drops a table and fails, and the failed state is kept', async () => {
    const name = await database(HOSTILE);
    const machine = wiki([name]);
    const contents = await contentsOf(server, name);
    const line = `echo broken > data/pages/broken.md; sqlite3 notes.db "insert into notes values ('now')";
      ${asAdmin(name, 'drop table parts cascade; create table newer (x) as values (1)')}; exit 7`;
    expect(guarded(machine, 0, line, '--auto-rollback', '--dry-run')).toMatchObject({
      dryRun: true,
      archive: { sources: expect.arrayContaining(['db']) },
    });
    expect([existsSync(machine.path('data/pages/broken.md')), notes(machine)]).toEqual([false, 'then']);
    const report = guarded(machine, 2, line, '--auto-rollback');
    expect(report).toMatchObject({ outcome: 'rolled_back', commandExit: 7, rolledBack: true, rollbackError: null });
    await expectThen(machine, name, contents);
    const kept = keptOf(report.rollback, name);
    expect(kept).toMatch(new RegExp(`^${name}_recovery_backup_\\d{8}_\\d{6}$`));
    expect(await server.sql(kept, 'select count(*) from newer')).toBe('1');
    expect(report.rollback.safetyPoint).toBe(null);
    expect(machine.json(0, 'history').snapshots).toMatchObject([{ operation: 'migrate', outcome: 'rolled_back' }]);

    const failed = guarded(machine, 1, `${asAdmin('postgres', `drop database ${name}`)}; exit 7`);
    expect(failed).toMatchObject({ outcome: 'command_failed', rolledBack: false });
    const preview = machine.passes('rollback', '--service', 'wiki', '--dry-run');
    expect(preview).toContain(`replaces the database ${name} by postgres_${name}`);
    machine.passes('rollback', '--service', 'wiki', '--auto-confirm');
    await expectThen(machine, name, contents);
  }, 120_000);

  test('is not changed by a guarded command when its account could not take the databases back', async () => {
    const name = await database('create table t (x) as values (1)');
    const machine = wiki([name], { user: 'reader', password: 'r' });
    const ended = machine.run([
      ...['guard', '--service', 'wiki', '--operation', 'x', '--', 'touch', machine.path('ran')],
    ]);
    expect(ended).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('reader may not make databases') });
    expect(existsSync(machine.path('ran'))).toBe(false);
    machine.passes('backup');
    const refused = machine.run(['restore', 'wiki', '--in-place', '--yes']);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('reader may not make databases') });
  }, 60_000);
});
