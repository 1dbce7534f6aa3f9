import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import type { PostgresSettings } from '../src/adapters/sources/postgres/config.ts';
import { format, source as openSource } from '../src/adapters/sources/postgres/index.ts';
import { Secret } from '../src/domain/secret.ts';
import type { Captured, Databases } from '../src/ports/source.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from './services/postgres.ts';
import { bytesOf, contextIn, temporaryFolder, writeBytes } from './sources/support.ts';

const execute = promisify(execFile);
const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'of an account that is no superuser';

describe.runIf(postgresAvailable())('needs PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await postgresServer();
    await server.sql(
      'postgres',
      `create role reads_all login password '${PASSWORD}'; grant pg_read_all_data to reads_all`,
    );
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  const open = (settings: PostgresSettings['postgres']) =>
    openSource('pg', { postgres: { socket: server.socket, runAs: 'postgres', ...settings } }, localHost(), {
      secret: async () => new Secret(PASSWORD),
      container: () => Promise.reject(new Error('no container is configured')),
      engineEnvironment: {},
    });

  async function dumpTo(path: string, settings: PostgresSettings['postgres']): Promise<Captured> {
    await using folder = await temporaryFolder();
    await using capture = await open(settings).capture(contextIn(folder.path), never());
    const [item] = capture.items;
    if (item === undefined) throw new Error('nothing was captured');
    await writeBytes(bytesOf(item, never()), path);
    const completed = item.completed();
    const findings = await format.inspect(createReadStream(path), completed.facts, '/nowhere', never());
    expect(findings.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    return completed;
  }

  function databases(): Databases {
    const found = open({ databases: 'all' }).databases;
    if (found === null) throw new Error('a server has databases');
    return found;
  }
  const fill = (database: string, path: string): Promise<readonly string[]> =>
    databases().fill(database, () => createReadStream(path), never());

  test('texts and names that are in no known encoding come back byte by byte', async () => {
    await using folder = await temporaryFolder();
    await server.tool('createdb', '--template=template0', '--encoding=SQL_ASCII', '--locale=C', 'bytes');
    await server.sql(
      'bytes',
      String.raw`create table t as select convert_from('\xe9ff80', 'SQL_ASCII') as x from generate_series(1, 9);
      do $$ declare odd text := quote_ident(convert_from('\xfc62', 'SQL_ASCII')); begin
      execute 'create table ' || odd || ' (x int)'; execute 'insert into ' || odd || ' values (1), (2)'; end $$`,
    );
    const path = join(folder.path, 'dump');
    const { facts, warnings } = await dumpTo(path, { database: 'bytes' });
    expect([Object.values(facts.tables ?? {}), warnings]).toEqual([[9, 2], []]);
    await fill('bytes again', path);
    expect(await databases().facts('bytes again', never())).toEqual(facts);
    const contents = `select count(*), encode(convert_to(min(x), 'SQL_ASCII'), 'hex') from t`;
    expect(await server.sql('bytes again', contents)).toBe('9|e9ff80');
    const names = `select encode(convert_to(relname::text, 'SQL_ASCII'), 'hex') from pg_class where relkind = 'r'
      and relnamespace = 2200 order by 1`;
    expect(await server.sql('bytes again', names)).toBe('74\nfc62');
  });

  test('tables of schemas whose names have dots are counted apart', async () => {
    await using folder = await temporaryFolder();
    await server.tool('createdb', 'dots');
    await server.sql(
      'dots',
      `create schema a; create schema "a.b"; create table "a.b".c (x int); create table a."b.c" (x int);
      insert into "a.b".c values (1), (2); insert into a."b.c" values (1)`,
    );
    const { facts } = await dumpTo(join(folder.path, 'dump'), { database: 'dots' });
    expect(facts.tables).toEqual({ '"a.b".c': 2, 'a.b.c': 1 });
  });

  test('what a server lacks of roles with settings and of tablespaces is left out of a restore, and named', async () => {
    await using folder = await temporaryFolder();
    const place = join(server.socket, 'fast');
    await mkdir(place);
    await execute('chown', ['postgres:postgres', place]);
    await server.sql('postgres', `create tablespace fast location '${place}'`);
    await server.sql('postgres', 'create role tuned');
    await server.tool('createdb', '--tablespace=fast', 'placed');
    await server.sql(
      'placed',
      `create table t (x int) tablespace pg_default; insert into t values (1); create index on t (x) tablespace fast;
      alter role tuned in database placed set search_path to 'nowhere'; alter database placed set work_mem to '7MB'`,
    );
    const path = join(folder.path, 'dump');
    await dumpTo(path, { database: 'placed' });
    await server.tool('dropdb', 'placed');
    await server.sql('postgres', 'drop role tuned');
    await server.sql('postgres', 'drop tablespace fast');
    expect(await fill('placed again', path)).toEqual([
      'Owners and grants are left out, because the server has no role "tuned"',
      'Tablespaces are left out, because the server has no "fast"',
    ]);
    expect(await server.sql('placed again', "select count(*), current_setting('work_mem') from t")).toBe('1|7MB');
  });

  test('a copy of what subscribes elsewhere takes nothing from the original, and can be dropped', async () => {
    await using folder = await temporaryFolder();
    await server.tool('createdb', 'follower');
    const options = 'with (connect = false, slot_name = theirs)';
    await server.sql(
      'follower',
      `create table t (x int); create subscription s connection 'host=/nowhere' publication p ${options}`,
    );
    const path = join(folder.path, 'dump');
    expect((await dumpTo(path, { database: 'follower' })).warnings).toEqual([]);
    const reader = { database: 'follower', user: 'reads_all', password: 'x' };
    expect((await dumpTo(join(folder.path, 'less'), reader)).warnings).toEqual([
      'follower: without its 1 subscription, which only a superuser may have dumped',
    ]);
    for (const end of ['drop', 'discard'] as const) {
      expect((await fill('follower again', path))[0]).toContain('1 subscription disabled');
      await databases()[end]('follower again', never());
    }
    const left = `select datname, subslotname from pg_subscription join pg_database d on d.oid = subdbid`;
    expect(await server.sql('postgres', left)).toBe('follower|theirs');
    expect(await readFile(path, 'latin1')).toContain('CREATE SUBSCRIPTION');
  });

  test('an account that may not read or restore all is told which right it lacks', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'dump');
    const account = { user: 'reads_all', password: 'x' };
    await server.tool('createdb', 'rights');
    await server.sql('rights', 'create table t (x int); select lo_from_bytea(7, $$x$$)');
    const lacks = async (hint: string): Promise<void> =>
      await expect(dumpTo(path, { database: 'rights', ...account })).rejects.toMatchObject({
        ...{ code: 'SourceFailed', hint: expect.stringContaining(hint) },
      });
    await lacks('owner of all large objects');
    await server.sql('rights', 'select lo_unlink(7); alter table t enable row level security');
    await lacks('BYPASSRLS');
    await server.sql(
      'rights',
      'alter table t disable row level security; create policy mine on t to reads_all using (true)',
    );
    await server.sql('postgres', 'alter database rights connection limit 1');
    await lacks('CONNECTION LIMIT');
    await server.sql('postgres', 'alter database rights connection limit -1');
    await dumpTo(path, { database: 'rights', ...account });
    const restoring = open({ database: 'rights', ...account }).databases;
    const bytes = () => createReadStream(path);
    await expect(restoring?.fill('copy', bytes, never())).rejects.toMatchObject({
      hint: expect.stringContaining('CREATEDB'),
    });
    await server.sql('postgres', 'alter role reads_all createdb');
    await expect(restoring?.fill('copy', bytes, never())).rejects.toMatchObject({
      hint: expect.stringContaining('member of the roles'),
    });
    await server.tool('dropdb', '--if-exists', 'copy');
    await server.tool('dropdb', 'rights');
    await server.sql('postgres', 'alter role reads_all rename to another');
    await expect(fill('copy', path)).rejects.toMatchObject({ hint: expect.stringContaining('CREATE ROLE') });
  });
});
