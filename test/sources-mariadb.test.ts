import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import type { MariadbSettings } from '../src/adapters/sources/mariadb/config.ts';
import { format, source as openSource } from '../src/adapters/sources/mariadb/index.ts';
import type { Facts } from '../src/domain/facts.ts';
import { maskSecrets, Secret } from '../src/domain/secret.ts';
import type { Command, Host } from '../src/ports/host.ts';
import type { Source, SourceTools } from '../src/ports/source.ts';
import { collect } from './contracts/captured-items.ts';
import { type SourceFixture, sourceContract } from './contracts/source.ts';
import { type MariadbServer, mariadbAvailable, mariadbServer } from './services/mariadb.ts';
import { contentsOf, HOSTILE } from './sources/mariadb-contents.ts';
import { bytesOf, changing, contextIn, cutShort, temporaryFolder, writeBytes } from './sources/support.ts';

const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'pa"ss w\'örd\\ 4711-secret';
const tools: SourceTools = {
  secret: async () => new Secret(PASSWORD),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
};

type Settings = MariadbSettings['mariadb'];

describe.runIf(mariadbAvailable())('needs MariaDB', () => {
  let server: MariadbServer;
  let made = 0;
  beforeAll(async () => {
    server = await mariadbServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  const open = (settings: Settings, host: Host = localHost()): Source =>
    openSource('maria', { mariadb: { socket: server.socket, ...settings } }, host, tools);
  const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

  async function database(contents: string, name = `db ${++made}`): Promise<string> {
    await server.sql(null, `create database ${quoted(name)} character set utf8mb4 collate utf8mb4_bin`);
    if (contents !== '') await server.sql(name, contents);
    return name;
  }

  /** mariadb-dump gives its bytes, then does something else. */
  const dumping = (then: string): Host =>
    changing(localHost(), (command: Command) =>
      command.program === 'mariadb-dump' && !command.args.includes('--version')
        ? { ...command, program: 'sh', args: ['-c', `mariadb-dump "$@"; ${then}`, 'mariadb-dump', ...command.args] }
        : command,
    );

  async function fixture(): Promise<SourceFixture> {
    const name = await database('create table t (x int); insert into t select seq from seq_1_to_300');
    return {
      source: open({ database: name }),
      failing: open({ database: name }, dumping('exit 3')),
      format,
      look: () => server.sql(null, 'select table_schema, table_name, table_rows from information_schema.tables'),
      counted: async () => ({ tables: { [`${name}.t`]: Number(await server.sql(name, 'select count(*) from t')) } }),
      destroy: async () => void (await server.sql(null, `drop database ${quoted(name)}`)),
      unpack: async (stored) => stored,
      [Symbol.asyncDispose]: async () => void (await server.sql(null, `drop database if exists ${quoted(name)}`)),
    };
  }
  sourceContract('mariadb', fixture);

  interface Stored {
    readonly item: string;
    readonly bytes: Buffer;
    readonly facts: Facts;
    readonly warnings: readonly string[];
  }

  /** All items of a source. */
  async function stored(source: Source): Promise<readonly Stored[]> {
    await using folder = await temporaryFolder();
    await using capture = await source.capture(contextIn(folder.path), never());
    const items: Stored[] = [];
    for (const item of capture.items) {
      const path = join(folder.path, item.name);
      await writeBytes(bytesOf(item, never()), path);
      const { facts, warnings } = item.completed();
      items.push({ item: item.name, bytes: await readFile(path), facts, warnings });
    }
    return items;
  }

  const inspected = async (bytes: Buffer, facts: Facts): Promise<readonly string[]> => {
    async function* once() {
      yield bytes;
    }
    const findings = await format.inspect(once(), facts, '/nowhere', never());
    return findings.filter(({ outcome }) => outcome !== 'passed').map(({ detail }) => detail);
  };

  test('hostile contents come back row by row by the client alone, and every row is counted', async () => {
    const name = await database(HOSTILE, '-x we`ird ü = %20');
    const [{ item, bytes, facts, warnings } = fail()] = await stored(open({ database: name }));
    expect(item).toBe('mariadb_-x%20we%60ird%20%C3%BC%20%3D%20%2520');
    const rows = {
      ...{ 'we`ird \'tå"ble, (x)': 500, empty: 0, 'line\nbreak': 2, old_latin: 2, plain_file: 3, parts: 2, child: 2 },
      ...{ log: 0, by_default: 2, merged: 0, odd_days: 2 },
    };
    expect(facts).toEqual({
      tables: Object.fromEntries(Object.entries(rows).map(([table, count]) => [`${name}.${table}`, count])),
    });
    expect(warnings).toEqual([expect.stringContaining('know no transactions')]);
    expect(warnings.join()).toContain('plain_file');
    expect(await inspected(bytes, facts)).toEqual([]);
    const copy = `copy ${++made}`;
    await server.sql(null, `create database ${quoted(copy)} character set latin1`);
    const script = bytes.toString('utf8').replaceAll(`nextval(${quoted(name)}.`, `nextval(${quoted(copy)}.`);
    await server.sql(copy, script);
    expect(await contentsOf(server, copy)).toBe(await contentsOf(server, name));
  });

  test('names with quotes and newlines are dumped too, and what mariadb-dump cannot is said', async () => {
    const name = await database('create table t (x int); insert into t values (1)', `it's "odd" \\ of\ntwo lines`);
    const [{ facts, bytes } = fail()] = await stored(open({ database: name }));
    expect(facts).toEqual({ tables: { [`${name}.t`]: 1 } });
    expect(await inspected(bytes, facts)).toEqual([]);
    await server.sql(name, 'create event later on schedule every 1 day disable do select 1');
    await expect(stored(open({ database: name }))).rejects.toMatchObject({
      ...{ code: 'SourceFailed', hint: expect.stringContaining('events or routines') },
    });
  });

  test("all databases are those of people, and not the server's own", async () => {
    await using own = await mariadbServer('--lower-case-table-names=0');
    await own.sql(null, 'create database App; create database app; create database `ü b`');
    await own.sql('App', 'create table a (x int)');
    await own.sql('app', 'create table b (x int); insert into b values (1)');
    const items = await stored(
      openSource('maria', { mariadb: { socket: own.socket, databases: 'all' } }, localHost(), tools),
    );
    expect(Object.fromEntries(items.map(({ item, facts }) => [item, facts.tables]))).toEqual({
      ...{ mariadb_App: { 'App.a': 0 }, mariadb_app: { 'app.b': 1 }, 'mariadb_%C3%BC%20b': {} },
    });
    for (const { bytes, facts } of items) expect(await inspected(bytes, facts)).toEqual([]);
  }, 60_000);

  test('a database that is gone, or refuses its dump, fails alone', async () => {
    const good = await database('create table t (x int)');
    const broken = await database('create table t (x int); create view v as select x from t; drop table t');
    const source = open({ databases: [good, 'gone', broken] });
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
    expect(outcomes[2]).toContain('references invalid table');
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
    await server.sql(
      null,
      `create user reader identified by 'pa"ss w\\'örd\\\\ 4711-secret'; grant all on *.* to reader`,
    );
    await server.sql(null, "create user other identified by 'something else'");
    const items = await stored(open({ database: name, user: 'reader', password: 'x' }, watching));
    expect(items).toHaveLength(1);
    const wrong = open({ database: name, user: 'other', password: 'x' }, watching);
    await using folder = await temporaryFolder();
    const error: unknown = await wrong.capture(contextIn(folder.path), never()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'SourceFailed', hint: expect.stringContaining('`password`') });
    expect(String(error)).toContain("Access denied for user 'other'");
    for (const text of [JSON.stringify(seen), String(error), String((error as Error).cause)])
      expect(text).toBe(maskSecrets(text));
    expect(JSON.stringify(seen)).not.toContain('4711');
  });

  test('a server that stops in the middle of a dump ends it with an error, whatever was given', async () => {
    await using own = await mariadbServer();
    await own.sql(null, 'create database d');
    await own.sql('d', 'create table t (x text); insert into t select repeat(md5(seq), 20) from seq_1_to_60000');
    const settings = { socket: own.socket, database: 'd' };
    const source = openSource('maria', { mariadb: settings }, localHost(), tools);
    await using folder = await temporaryFolder();
    await using capture = await source.capture(contextIn(folder.path), never());
    const [item = fail()] = capture.items;
    await cutShort(item, never(), () => own.kill(), 1_000_000);
    const again = source.capture(contextIn(folder.path), never());
    await expect(again).rejects.toMatchObject({ code: 'SourceMissing', hint: expect.stringContaining('server runs') });
  }, 60_000);

  test('all tables of a dump are of one moment, though they change meanwhile', async () => {
    const name = await database(
      'create table a (x text); insert into a select repeat(md5(seq), 20) from seq_1_to_30000; create table b as select * from a',
    );
    await using folder = await temporaryFolder();
    await using capture = await open({ database: name }).capture(contextIn(folder.path), never());
    const [item = fail()] = capture.items;
    let [bytes, changed] = [0, false];
    for await (const chunk of bytesOf(item, never())) {
      bytes += chunk.length;
      if (changed || bytes < 1_000_000) continue; // in the middle of table a
      changed = true;
      await server.sql(name, 'delete from b');
    }
    expect(changed).toBe(true);
    expect(item.completed().facts.tables).toEqual({ [`${name}.a`]: 30000, [`${name}.b`]: 30000 });
  });

  test('a table that an option leaves out of the dump is missed', async () => {
    const name = await database('create table t (x int); create table u (x int)');
    const leaving = changing(localHost(), (command) =>
      command.program === 'mariadb-dump' && command.args.includes('--')
        ? { ...command, args: [...command.args.slice(0, -2), `--ignore-table=${name}.u`, '--', name] }
        : command,
    );
    await expect(stored(open({ database: name }, leaving))).rejects.toThrow('it has no table u');
  });

  test('a dump that was cut, flipped, emptied or exchanged is found out without a server', async () => {
    const name = await database("create table t (a int, b text); insert into t select seq, 'it''s' from seq_1_to_3000");
    const [{ bytes: whole, facts } = fail()] = await stored(open({ database: name }));
    for (const length of [0, 3, 700, whole.length >> 1, whole.length - 20])
      expect(await inspected(whole.subarray(0, length), facts), `${length} bytes`).not.toEqual([]);
    const flipped = async (what: string, at: number, bit: number): Promise<readonly string[]> => {
      const copy = Buffer.from(whole);
      const place = copy.indexOf(what) + at;
      copy[place] = (copy[place] ?? 0) ^ bit;
      return await inspected(copy, facts);
    };
    const structure: Readonly<Record<string, readonly number[]>> = {
      ...{ 'ALTER DATABASE': [0], 'INSERT INTO `t`': [0, 12, 13, 14], 'CREATE TABLE `t': [0, 14] },
      ...{ 'VALUES\n(': [2, 7], "'it": [0], ",'it\\'s'),": [0, 7, 8], '),\n(9,': [1], ');\n': [0, 1] },
      '-- Dump completed': [0, 3, 10],
    };
    const places = Object.entries(structure).flatMap(([what, all]) => all.map((at) => ({ what, at })));
    for (const { what, at } of places)
      for (const bit of [1, 2, 4, 8, 16, 64, 128])
        expect(await flipped(what, at, bit), `${what} at ${at} with bit ${bit}`).not.toEqual([]);
    const [{ bytes: other } = fail()] = await stored(open({ database: await database('create table t (x int)') }));
    expect(await inspected(other, facts)).not.toEqual([]);
    expect(await inspected(Buffer.concat([whole, Buffer.from('x')]), facts)).not.toEqual([]);
    const fewer = Buffer.from(whole.toString().replace("(7,'it\\'s'),\n", ''));
    expect((await inspected(fewer, facts)).join()).toContain(`tables ${name}.t: 3000 expected, 2999 found`);
  });

  test('a query answers with its first cell, changes nothing, and says what is wrong', async () => {
    const name = await database("create table t (x text); insert into t values ('a|<b>&\"'), (''), (null), ('NULL')");
    const { query, capabilities } = open({ database: name });
    expect(capabilities.sql).toBe(true);
    expect(await query("select x, 1 from t where x like 'a%'", never())).toBe('a|<b>&"');
    expect(await query("select x from t where x = ''", never())).toBe('');
    expect(await query("select x from t where x = 'NULL'", never())).toBe('NULL');
    expect(await query('select x from t where x is null', never())).toBeNull();
    expect(await query('select x from t where false', never())).toBeNull();
    expect(await query('select count(*) > 2 from t;', never())).toBe('1');
    for (const changing of ['delete from t', 'drop table t', 'select 1; delete from t', '\\! touch /tmp/never'])
      await expect(query(changing, never()), changing).rejects.toMatchObject({ code: 'QueryFailed' });
    expect(await query('select count(*) from t', never())).toBe('4');
    expect(open({ databases: 'all' }).capabilities.sql).toBe(false);
  });

  test('a database comes back under another name, row by row, and the one of its own name stays as it is', async () => {
    const name = await database(HOSTILE, 'we`ird -x ü');
    // A trigger that is older than its database's collation: the dump then sets the database's own, by name.
    await server.sql(name, `alter database ${quoted(name)} character set latin1`);
    await server.sql(name, 'create event running on schedule every 1 year starts now() + interval 1 year do select 1');
    const before = await contentsOf(server, name);
    const [{ item, bytes, facts } = fail()] = await stored(open({ database: name }));
    expect(bytes.toString()).toContain(`\nALTER DATABASE ${quoted(name)} CHARACTER SET`);
    const { databases } = open({ database: name });
    if (databases === null) return fail();
    expect(databases.databaseOf(item)).toBe(name);
    const copy = `-cópy \`${++made}`;
    expect(await databases.exists(copy, never())).toBe(false);
    for (const length of [777, 1 << 20]) {
      async function* chunks() {
        for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
      }
      expect(await databases.fill(copy, chunks, never())).toEqual([expect.stringContaining('1 of its events')]);
      expect(await databases.facts(copy, never())).toEqual(facts);
      expect(await contentsOf(server, copy)).toBe(before);
      expect(await contentsOf(server, name)).toBe(before);
      await expect(databases.fill(copy, chunks, never())).rejects.toMatchObject({ code: 'TargetExists' });
      await databases.drop(copy, never());
      expect(await databases.exists(copy, never())).toBe(false);
    }
    await databases.drop(copy, never()); // none of that name is no error
  });

  test('a dump that ends too early, or cannot be read, fills nothing that passes for whole', async () => {
    const name = await database('create table t (x int); insert into t select seq from seq_1_to_3000');
    const [{ bytes }] = (await stored(open({ database: name }))) as [Stored];
    const { databases } = open({ database: name });
    if (databases === null) return fail();
    async function* broken() {
      yield bytes.subarray(0, bytes.length >> 1);
      throw new Error('the disk is gone');
    }
    await expect(databases.fill('half', broken, never())).rejects.toThrow('the disk is gone');
    await databases.drop('half', never());
    async function* other() {
      yield Buffer.from('select 1;');
    }
    await expect(databases.fill('half', other, never())).rejects.toMatchObject({ code: 'Damaged' });
    expect(await databases.exists('half', never())).toBe(false);
  });

  test('tools that are older than the server are refused by name', async () => {
    const name = await database('');
    const local = localHost();
    const old: Host = {
      ...local,
      run: async (command, options) => {
        const ended = await local.run(command, options);
        const version = command.program === 'mariadb-dump' ? 'mariadb-dump  Ver 10.19 Distrib 10.5.2-MariaDB' : null;
        return version === null ? ended : { ...ended, stdout: version };
      },
    };
    await using folder = await temporaryFolder();
    const capturing = open({ database: name }, old).capture(contextIn(folder.path), never());
    await expect(capturing).rejects.toMatchObject({ code: 'ToolMissing', subject: 'mariadb-dump' });
  });
});

function fail(): never {
  throw new Error('there is no such item');
}
