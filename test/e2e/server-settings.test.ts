import { describe, expect, test } from 'vitest';
import { mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { postgresAvailable, postgresServer } from '../services/postgres.ts';
import { contentsOf } from '../sources/mariadb-contents.ts';
import { aMachine, type Machine } from './holdfast.ts';

function machineWith(source: object): Machine {
  const machine = aMachine();
  machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { wiki: { sources: { db: ${JSON.stringify(source)} } } }`);
  machine.passes('repository', 'init', 'disk');
  return machine;
}

describe.runIf(postgresAvailable())('PostgreSQL', () => {
  test('is dumped and restored in place though its defaults cut statements short and let nobody write', async () => {
    await using server = await postgresServer({
      ...{ statement_timeout: '40ms', idle_in_transaction_session_timeout: '50ms', lock_timeout: '50ms' },
      default_transaction_read_only: 'on',
    });
    const free = 'set statement_timeout = 0; set default_transaction_read_only = off';
    const change = (database: string, ...statements: readonly string[]): Promise<string> =>
      server.tool('psql', '-d', database, ...[free, ...statements].flatMap((sql) => ['-c', sql]));
    await change('postgres', 'create database wiki');
    await change('wiki', 'create table t as select g, repeat(md5(g::text), 20) as w from generate_series(1, 60000) g');
    const machine = machineWith({ postgres: { socket: server.socket, runAs: 'postgres', database: 'wiki' } });
    machine.passes('backup');
    await change('wiki', 'delete from t where g > 1');
    const { kept } = machine.json(0, 'restore', 'wiki', '--in-place', '--yes');
    expect(await server.sql('wiki', 'set statement_timeout = 0; select count(*) from t')).toBe('60000');
    machine.passes('rollback', '--snapshot', kept[0].path, '--auto-confirm');
    expect(await server.sql('wiki', 'set statement_timeout = 0; select count(*) from t')).toBe('1');
    expect(machine.json(0, 'unlock').repairs).toEqual([]);
  }, 120_000);
});

describe.runIf(mariadbAvailable())('MariaDB', () => {
  test('is dumped and restored in place though its defaults cut statements short and keep nothing', async () => {
    await using server = await mariadbServer(
      ...['--max-statement-time=0.02', '--autocommit=0', '--lock-wait-timeout=1'],
      '--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH',
    );
    const free = "set max_statement_time = 0, autocommit = 1, sql_mode = ''";
    await server.sql(null, 'create database wiki');
    await server.sql(
      'wiki',
      `${free}; create table t (x int, w text); insert into t select seq, repeat(md5(seq), 20) from seq_1_to_40000;
       create table log (w text); create procedure p() select 1; create view v as select count(*) as n from t;
       create trigger i after insert on t for each row insert into log values ('it''s "new"')`,
    );
    const machine = machineWith({ mariadb: { socket: server.socket, database: 'wiki' } });
    machine.passes('backup');
    await server.sql(null, 'set global max_statement_time = 0');
    const before = await contentsOf(server, 'wiki');
    await server.sql('wiki', `${free}; delete from t where x > 1; drop procedure p; create table newer (x int)`);
    const changed = await contentsOf(server, 'wiki');
    await server.sql(null, 'set global max_statement_time = 0.02');
    const { kept } = machine.json(0, 'restore', 'wiki', '--in-place', '--yes');
    await server.sql(null, 'set global max_statement_time = 0');
    expect(await contentsOf(server, 'wiki')).toBe(before);
    await server.sql(null, 'set global max_statement_time = 0.02');
    machine.passes('rollback', '--snapshot', kept[0].path, '--auto-confirm');
    await server.sql(null, 'set global max_statement_time = 0');
    expect(await contentsOf(server, 'wiki')).toBe(changed);
    expect(machine.json(0, 'unlock').repairs).toEqual([]);
  }, 120_000);
});
