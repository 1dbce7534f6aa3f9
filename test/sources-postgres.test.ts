import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import type { PostgresSettings } from '../src/adapters/sources/postgres/config.ts';
import { format, source as openSource } from '../src/adapters/sources/postgres/index.ts';
import type { Facts } from '../src/domain/facts.ts';
import { maskSecrets, Secret } from '../src/domain/secret.ts';
import type { Command, Host } from '../src/ports/host.ts';
import type { Source, SourceTools } from '../src/ports/source.ts';
import { collect } from './contracts/captured-items.ts';
import { type SourceFixture, sourceContract } from './contracts/source.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from './services/postgres.ts';
import { contentsOf, HOSTILE } from './sources/postgres-contents.ts';
import { bytesOf, changing, contextIn, cutShort, temporaryFolder, writeBytes } from './sources/support.ts';

const execute = promisify(execFile);
const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'pa"ss w\'örd\\ 4711-secret';
const tools: SourceTools = {
  secret: async () => new Secret(PASSWORD),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
};

type Settings = PostgresSettings['postgres'];

describe.runIf(postgresAvailable())('needs PostgreSQL', () => {
  let server: PostgresServer;
  let made = 0;
  beforeAll(async () => {
    server = await postgresServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  const open = (settings: Settings, host: Host = localHost(), limitMs?: number): Source =>
    openSource('pg', { postgres: { socket: server.socket, runAs: 'postgres', ...settings } }, host, tools, limitMs);

  async function database(contents: string, name = `db ${++made}`): Promise<string> {
    await server.tool('createdb', '--', name);
    if (contents !== '') await server.sql(name, contents);
    return name;
  }

  /** pg_dump gives its bytes, then does something else. */
  const dumping = (then: string): Host =>
    changing(localHost(), (command: Command) =>
      command.program === 'pg_dump'
        ? { ...command, program: 'sh', args: ['-c', `pg_dump "$@"; ${then}`, 'pg_dump', ...command.args] }
        : command,
    );

  async function fixture(): Promise<SourceFixture> {
    const name = await database('create table t (x) as select g from generate_series(1, 300) g');
    const count = async (): Promise<Facts> => ({
      tables: { 'public.t': Number(await server.sql(name, 'select count(*) from t')) },
      ...{ largeObjects: 0, extensions: { plpgsql: '1.0' } },
    });
    return {
      source: open({ database: name }),
      failing: open({ database: name }, dumping('exit 3')),
      format,
      look: () => server.sql(name, `select count(*), (select count(*) from pg_class) from pg_database`),
      counted: count,
      destroy: async () => void (await server.tool('dropdb', '--', name)),
      unpack: async (stored) => stored,
      [Symbol.asyncDispose]: async () => void (await server.tool('dropdb', '--if-exists', '--force', '--', name)),
    };
  }
  sourceContract('postgres', fixture);

  /** All items of a source, stored in a folder. */
  async function stored(source: Source, folder: string): Promise<ReadonlyMap<string, { path: string; facts: Facts }>> {
    await using capture = await source.capture(contextIn(folder), never());
    const items = new Map<string, { path: string; facts: Facts }>();
    for (const item of capture.items) {
      const path = join(folder, item.name);
      await writeBytes(bytesOf(item, never()), path);
      items.set(item.name, { path, facts: item.completed().facts });
    }
    return items;
  }

  const inspected = async (bytes: Buffer, facts: Facts, pieces = bytes.length): Promise<readonly string[]> => {
    async function* parts() {
      for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
    }
    const findings = await format.inspect(parts(), facts, '/nowhere', never());
    return findings.filter(({ outcome }) => outcome !== 'passed').map(({ detail }) => detail);
  };

  test('hostile contents come back row by row by pg_restore alone, and every row is counted', async () => {
    await using folder = await temporaryFolder();
    const name = await database(HOSTILE, `-x we'ird "ü\\ = %20`);
    const items = await stored(open({ database: name }), folder.path);
    const [[item, { path, facts }] = fail()] = [...items];
    expect(item).toBe('postgres_-x%20we%27ird%20%22%C3%BC%5C%20%3D%20%2520');
    expect(facts).toMatchObject({
      tables: {
        ...{ 'Odd Schema.we"ird, "tå.ble': 500, 'public.empty': 0, 'public.inherited': 1, 'public.line\nbreak': 2 },
        ...{ 'public.parts_1': 6, 'public.parts_2': 14 },
      },
      largeObjects: 2,
      extensions: { hstore: '1.8', plpgsql: '1.0' },
    });
    const archive = await readFile(path);
    for (const pieces of [archive.length, 61, 4093]) expect(await inspected(archive, facts, pieces)).toEqual([]);
    for (const packed of ['-Z1', '-Z0']) {
      const byHand = `${folder.path}/by hand`;
      await execute('install', ['-d', '-o', 'postgres', folder.path]);
      await server.tool('pg_dump', '-Fc', packed, '-f', byHand, '-d', `dbname='${name.replaceAll(/['\\]/g, '\\$&')}'`);
      expect(await inspected(await readFile(byHand), facts), packed).toEqual([]);
    }
    const copy = await database('');
    await execute('chmod', ['-R', 'a+rX', folder.path]);
    await server.tool('pg_restore', '--exit-on-error', '-d', copy, path);
    expect(await contentsOf(server, copy)).toBe(await contentsOf(server, name));
  });

  test('all databases, and the roles with their passwords, are items of their own', async () => {
    await using folder = await temporaryFolder();
    const name = await database('create table t (x int)', 'globals');
    await server.sql(
      'postgres',
      `create role "odd ""role" login password 'abc'; create role "one
of two lines" nologin`,
    );
    const source = open({ databases: 'all', globals: true });
    const items = await stored(source, folder.path);
    expect(items.get('postgres_%67lobals')?.facts).toMatchObject({ tables: { 'public.t': 0 } });
    const globals = items.get('postgres_globals');
    const roles = Number(await server.sql('postgres', "select count(*) from pg_roles where rolname !~ '^pg_'"));
    expect(globals?.facts).toEqual({ entries: roles + 0 });
    const script = await readFile(globals?.path ?? '');
    expect(script.toString()).toContain('SCRAM-SHA-256$');
    expect(await inspected(script, { entries: roles })).toEqual([]);
    expect(await inspected(script.subarray(0, -60), { entries: roles })).toEqual([
      'the last line of the script is missing',
    ]);
    await server.tool('dropdb', name);
  });

  test('a database that is gone, or refuses its dump, fails alone', async () => {
    const [good, locked] = [await database('create table t (x int)'), await database('create table t (x int)')];
    await server.sql('postgres', "create role reader login password 'pa\"ss w''örd\\ 4711-secret'");
    await server.sql(good, 'grant select on t to reader');
    const source = open({ databases: [good, 'gone', locked], user: 'reader', password: 'x' });
    await using folder = await temporaryFolder();
    await using capture = await source.capture(contextIn(folder.path), never());
    const outcomes = await Promise.all(
      capture.items.map(async (item) =>
        collect(bytesOf(item, never())).then(
          () => 'whole',
          (error: Error) => error.message,
        ),
      ),
    );
    expect(outcomes[0]).toBe('whole');
    expect(outcomes[1]).toBe('The server has no database gone.');
    expect(outcomes[2]).toContain('permission denied for table t');
    const none = open({ databases: ['gone', 'away'] }).capture(contextIn(folder.path), never());
    await expect(none).rejects.toMatchObject({ code: 'SourceMissing', subject: 'gone, away' });
  });

  test('a password is in no argument list and no error, and a wrong one says what to look at', async () => {
    const name = await database('create table t (x int)');
    const seen: string[][] = [];
    const watching = changing(localHost(), (command) => {
      seen.push([command.program, ...command.args]);
      return command;
    });
    await server.sql('postgres', "create role other login password 'something else'");
    const wrong = open({ database: name, user: 'other', password: 'x' }, watching);
    await using folder = await temporaryFolder();
    const error: unknown = await wrong.capture(contextIn(folder.path), never()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'SourceFailed', hint: expect.stringContaining('`password`') });
    expect(String(error)).toContain('password authentication failed for user "other"');
    for (const text of [JSON.stringify(seen), String(error), String((error as Error).cause)])
      expect(text).toBe(maskSecrets(text));
    expect(JSON.stringify(seen)).not.toContain('4711');
  });

  test('a server that stops in the middle of a dump ends it with an error, whatever was given', async () => {
    await using own = await postgresServer();
    await own.sql('postgres', 'create table t as select g, repeat(md5(g::text), 20) from generate_series(1, 100000) g');
    const settings = { socket: own.socket, runAs: 'postgres', database: 'postgres' };
    const source = openSource('pg', { postgres: settings }, localHost(), tools);
    await using folder = await temporaryFolder();
    await using capture = await source.capture(contextIn(folder.path), never());
    const [item = fail()] = capture.items;
    await cutShort(item, never(), () => own.kill());
    const again = source.capture(contextIn(folder.path), never());
    await expect(again).rejects.toMatchObject({ code: 'SourceMissing', hint: expect.stringContaining('server runs') });
  }, 60_000);

  test('rows are counted in the snapshot of the dump, though they change meanwhile', async () => {
    const name = await database('create table t (x) as select g from generate_series(1, 1000) g');
    await using folder = await temporaryFolder();
    await using capture = await open({ database: name }).capture(contextIn(folder.path), never());
    const [item = fail()] = capture.items;
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytesOf(item, never())) {
      if (chunks.length === 0) await server.sql(name, 'delete from t where x > 10');
      chunks.push(Uint8Array.from(chunk));
    }
    const { facts } = item.completed();
    expect(facts.tables).toEqual({ 'public.t': 1000 });
    expect(await inspected(Buffer.concat(chunks), facts)).toEqual([]);
  });

  test('what cannot be counted in time is named, and not compared', async () => {
    const name = await database('create table small (x int); create table t (x) as select 1');
    await server.sql(name, 'create extension pg_trgm'); // it has no table
    const slow = changing(localHost(), (command) =>
      command.program === 'psql' && !command.args.some((arg) => arg.startsWith('--command'))
        ? {
            ...command,
            program: 'sh',
            args: ['-c', 'sed -u "s/from only /from pg_sleep(600), only /" | psql "$@"', 'psql', ...command.args],
          }
        : command,
    );
    await using folder = await temporaryFolder();
    await using capture = await open({ database: name }, slow, 1).capture(contextIn(folder.path), never());
    const [item = fail()] = capture.items;
    const bytes = await collect(bytesOf(item, never()));
    const { facts, warnings } = item.completed();
    expect(facts).toMatchObject({ tables: {}, uncounted: ['public.small', 'public.t'] });
    expect(warnings).toEqual([`${name}: the rows of these tables are not counted: public.small, public.t`]);
    expect(await inspected(bytes, facts)).toEqual([]);
  });

  test('an archive that was cut, flipped, emptied or exchanged is found out without a server', async () => {
    await using folder = await temporaryFolder();
    const name = await database('create table t (x) as select md5(g::text) from generate_series(1, 5000) g');
    const [[, { path, facts }] = fail()] = [...(await stored(open({ database: name }), folder.path))];
    const whole = await readFile(path);
    for (const length of [0, 3, 700, whole.length >> 1, whole.length - 40])
      expect(await inspected(whole.subarray(0, length), facts), `${length} bytes`).not.toEqual([]);
    const lost = Buffer.from(whole);
    lost[lost.indexOf(createHash('md5').update('2500').digest('hex')) + 32] = 0x20; // two rows become one
    expect((await inspected(lost, facts)).join()).toContain('tables public.t: 5000 expected, 4999 found');
    const header = Buffer.from(whole);
    header.fill(0xff, 60, 90);
    expect(await inspected(header, facts)).not.toEqual([]);
    const empty = await database('');
    const [[, other] = fail()] = [...(await stored(open({ database: empty }), folder.path))];
    expect(await inspected(await readFile(other.path), facts)).not.toEqual([]);
  });

  test('a query answers with its first cell, changes nothing, and says what is wrong', async () => {
    const name = await database("create table t (x) as values ('a|b'), (''), (null)");
    const { query, capabilities } = open({ database: name });
    expect(capabilities.sql).toBe(true);
    expect(await query("select x, 1 from t where x like 'a%'", never())).toBe('a|b');
    expect(await query("select x from t where x = ''", never())).toBe('');
    expect(await query('select x from t where x is null', never())).toBeNull();
    expect(await query('select x from t where false', never())).toBeNull();
    expect(await query('select count(*) > 2 from t', never())).toBe('t');
    await expect(query('delete from t', never())).rejects.toMatchObject({
      ...{ code: 'QueryFailed', message: expect.stringContaining('read-only transaction') },
    });
    await expect(query('\\! touch /tmp/never', never())).rejects.toMatchObject({ code: 'QueryFailed' });
    expect(open({ databases: 'all' }).capabilities.sql).toBe(false);
  });

  test('an exchange that is done or taken back again ends the same, and nobody is let in half-way', async () => {
    const [present, staged] = [
      await database('create table old (x int)'),
      await database('create table fresh (x int)'),
    ];
    const kept = `${present} kept`;
    const { databases } = open({ database: present });
    if (databases === null) return fail();
    const named = async (): Promise<readonly string[]> => {
      const tables = "select string_agg(relname, ',') from pg_class where relkind = 'r' and relnamespace = 2200";
      const of = async (name: string): Promise<string> =>
        (await databases.exists(name, never())) ? await server.sql(name, tables) : 'none';
      return await Promise.all([present, staged, kept].map(of));
    };
    const aside = await database('');
    const other = server.sql(aside, "select 'lives on', pg_sleep(600)").catch((error: Error) => error.message);
    for (let round = 0; round < 2; round++) {
      await databases.swapBack(present, staged, kept, never());
      expect(await named()).toEqual(['old', 'fresh', 'none']);
      for (let again = 0; again < 2; again++) await databases.swapIn(present, staged, kept, never());
      expect(await named()).toEqual(['fresh', 'none', 'old']);
    }
    const others = "select count(*) from pg_stat_activity where query like '%lives on%' and pid <> pg_backend_pid()";
    expect(await server.sql('postgres', others), 'talks with other databases').toBe('1');
    await server.sql(
      'postgres',
      `with t as materialized (select pid from pg_stat_activity where datname = '${aside}') select pg_terminate_backend(pid) from t`,
    );
    expect(await other).toContain('terminating connection');
    await databases.swapBack(present, staged, kept, never());
    await server.tool('createdb', '--', kept);
    await expect(databases.swapIn(present, staged, kept, never())).rejects.toMatchObject({ code: 'Refused' });
    expect(await named()).toEqual(['old', 'fresh', '']);
    await server.sql('postgres', `alter database "${present}" with allow_connections false`); // as a crash leaves it
    await databases.swapBack(present, staged, kept, never());
    expect(await named()).toEqual(['old', 'fresh', '']);
    const talk = server.sql(staged, 'select pg_sleep(600)').catch((error: Error) => error.message);
    const talks = `select count(*) from pg_stat_activity where datname = '${staged.replaceAll("'", "''")}'`;
    await expect.poll(() => server.sql('postgres', talks)).toBe('1');
    await databases.drop(staged, never());
    expect(await talk).toContain('terminating connection');
    await databases.drop(staged, never());
    expect(await databases.exists(staged, never())).toBe(false);
    const invalid = `update pg_database set datconnlimit = -2 where datname = '${kept.replaceAll("'", "''")}'`;
    await server.sql('postgres', invalid); // as a drop that ended half-way leaves it
    await databases.drop(kept, never());
    expect(await databases.exists(kept, never())).toBe(false);
  });

  test('tools that are older than the server are refused by name', async () => {
    const name = await database('');
    const old: Host = { ...localHost(), version: async () => '11.22' };
    await using folder = await temporaryFolder();
    const capturing = open({ database: name }, old).capture(contextIn(folder.path), never());
    await expect(capturing).rejects.toMatchObject({ code: 'ToolMissing', subject: 'pg_dump' });
  });
});

function fail(): never {
  throw new Error('there is no such item');
}
