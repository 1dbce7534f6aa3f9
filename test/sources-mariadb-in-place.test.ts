import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { source as openSource } from '../src/adapters/sources/mariadb/index.ts';
import { Secret } from '../src/domain/secret.ts';
import type { Bytes } from '../src/ports/bytes.ts';
import type { Host } from '../src/ports/host.ts';
import type { Databases, SourceTools } from '../src/ports/source.ts';
import { type MariadbServer, mariadbAvailable, mariadbServer } from './services/mariadb.ts';
import { contentsOf, HOSTILE } from './sources/mariadb-contents.ts';

const never = (): AbortSignal => new AbortController().signal;
const tools: SourceTools = {
  secret: async () => new Secret('none'),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
};
/** Foreign keys in both directions, a trigger that writes into another table, a view of a view, an event that runs. */
const SMALL = `create table parent (id int primary key); create table child (up int, foreign key (up) references parent (id));
  create table log (w text); create view two as select id from parent; create view one as select id from two;
  create procedure p() insert into log values ('p'); create event later on schedule every 1 year starts '2037-01-01' do delete from log;
  create trigger noted after insert on child for each row insert into log values ('child');
  insert into parent values (1), (2); insert into child values (1), (2)`;

describe.runIf(mariadbAvailable())('databases of MariaDB that are exchanged', () => {
  let server: MariadbServer;
  let made = 0;
  beforeAll(async () => {
    server = await mariadbServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
  async function database(contents: string): Promise<string> {
    const name = `db ${++made}\`ü`;
    await server.sql(null, `create database ${quoted(name)} character set latin1`);
    await server.sql(name, contents);
    return name;
  }
  function databasesBy(host: Host, { socket } = server): Databases {
    const settings = { mariadb: { socket, database: 'any' } };
    const { databases } = openSource('maria', settings, host, tools);
    if (databases === null) throw new Error('it has no databases');
    return databases;
  }
  const isThere = async (name: string): Promise<boolean> => await databasesBy(localHost()).exists(name, never());
  /** Without the events, which are not made in a database that is kept. */
  const keptContents = (text: string): string => text.replaceAll(/^later\t.*\n/gm, '');

  test('all of a database takes the place of another, which is kept; and all of it goes back', async () => {
    const [present, staged] = [await database(HOSTILE), await database(SMALL)];
    await server.sql(null, `alter database ${quoted(staged)} character set utf8mb4 collate utf8mb4_bin`);
    const kept = `${present} kept`;
    const [before, coming] = [await contentsOf(server, present), await contentsOf(server, staged)];
    const databases = databasesBy(localHost());
    const talk = server
      .sql(present, 'lock tables parts write; select sleep(600)')
      .catch((error: Error) => error.message);
    await expect
      .poll(() =>
        server.sql(
          null,
          "select count(*) from information_schema.processlist where info like '%sleep(600)%' and id <> connection_id()",
        ),
      )
      .toBe('1');
    await databases.confirmExchange([present], never());
    for (let round = 0; round < 2; round++) {
      for (let again = 0; again < 2; again++) await databases.swapIn(present, staged, kept, never());
      expect(await contentsOf(server, present)).toBe(coming);
      expect(keptContents(await contentsOf(server, kept))).toBe(keptContents(before));
      expect(await isThere(staged)).toBe(false);
      await server.sql(
        present,
        'insert into parent values (3); insert into child values (3); delete from child where up = 3; delete from parent where id = 3; delete from log where w = "child" limit 1',
      );
      expect(await contentsOf(server, present)).toBe(coming);
      for (let again = 0; again < 2; again++) await databases.swapBack(present, staged, kept, never());
      expect(await contentsOf(server, present)).toBe(before);
      expect(keptContents(await contentsOf(server, staged))).toBe(keptContents(coming));
      expect(await isThere(kept)).toBe(false);
    }
    expect(await talk).toMatch(/Lost connection|Connection was killed|gone away/);
    await server.sql(null, `create database ${quoted(kept)}; create table ${quoted(kept)}.mine (x int)`);
    await expect(databases.swapIn(present, staged, kept, never())).rejects.toMatchObject({ code: 'Refused' });
    expect(await contentsOf(server, present)).toBe(before);
    await databases.drop(staged, never());
    expect(await server.sql(kept, 'show tables')).toBe('mine');
  }, 60_000);

  test('what an exchange set aside takes its place again, events too, wherever that is cut short', async () => {
    const [present, staged] = [await database(HOSTILE), await database(SMALL)];
    await server.sql(present, 'alter event later enable');
    const [first, second] = [`${present} first`, `${present} second`];
    const [before, coming] = [await contentsOf(server, present), await contentsOf(server, staged)];
    const databases = databasesBy(localHost());
    await databases.swapIn(present, staged, first, never());
    for (let again = 0; again < 2; again++) await databases.readyAgain(first, never());
    for (let statements = 0; ; statements += 8) {
      const cut = await databasesBy(endingAfter(statements).host)
        .swapIn(present, first, second, never())
        .catch((reason: unknown) => reason);
      if (cut === undefined) break;
      for (let again = 0; again < 2; again++) await databases.swapBack(present, first, second, never());
      expect(await contentsOf(server, present), `after ${statements}`).toBe(coming);
      expect(keptContents(await contentsOf(server, first)), `after ${statements}`).toBe(keptContents(before));
      expect(await isThere(second)).toBe(false);
      await databases.readyAgain(first, never());
    }
    await databases.swapIn(present, first, second, never());
    expect(await contentsOf(server, present)).toBe(before);
    expect(keptContents(await contentsOf(server, second))).toBe(keptContents(coming));
    expect(await isThere(first)).toBe(false);
  }, 120_000);

  test('names that served an exchange serve another one, wherever that is cut short, and a copy of what was set aside', async () => {
    const [present, staged] = [
      await database(SMALL),
      await database('create table other (x int); create view v as select x from other'),
    ];
    const kept = `${present} kept`;
    const [before, coming] = [await contentsOf(server, present), await contentsOf(server, staged)];
    const databases = databasesBy(localHost());
    for (let statements = 0; ; statements += 11) {
      const cut = await databasesBy(endingAfter(statements).host)
        .swapIn(present, staged, kept, never())
        .catch((reason: unknown) => reason);
      if (cut === undefined) break;
      await databases.swapBack(present, staged, kept, never());
      expect(await contentsOf(server, present), `after ${statements}`).toBe(before);
      expect(await contentsOf(server, staged), `after ${statements}`).toBe(coming);
      expect(await isThere(kept)).toBe(false);
    }
    expect(await contentsOf(server, present)).toBe(coming);

    const [later, copy] = [
      await database('create table t (x int); create view v as select x from t'),
      await database(SMALL),
    ];
    const [own, copied] = [await contentsOf(server, later), `create table ${quoted(copy)}.holdfast_exchanged`];
    await server.sql(null, `${copied} as select * from ${quoted(kept)}.holdfast_exchanged`);
    await databases.readyAgain(copy, never());
    for (let statements = 0; ; statements += 11) {
      const cut = await databasesBy(endingAfter(statements).host)
        .swapIn(later, copy, `${later} kept`, never())
        .catch((reason: unknown) => reason);
      if (cut === undefined) break;
      await databases.swapBack(later, copy, `${later} kept`, never());
      expect(await contentsOf(server, later), `a copy, after ${statements}`).toBe(own);
    }
    expect(await contentsOf(server, later)).toBe(before);
  }, 120_000);

  test('what was set aside is dropped once nobody talks with it, and what was not never is', async () => {
    const [present, staged, other] = [
      await database(SMALL),
      await database('create table t (x int)'),
      await database(''),
    ];
    const kept = `${present} kept`;
    const databases = databasesBy(localHost());
    await databases.swapIn(present, staged, kept, never());
    const talk = server.sql(kept, 'select sleep(600)').catch(() => 'ended');
    const pid = `select id from information_schema.processlist where info = 'select sleep(600)'`;
    await expect.poll(() => server.sql(null, pid)).not.toBe('');
    await expect(databases.discard(kept, never())).rejects.toMatchObject({ code: 'TargetBusy' });
    await server.sql(null, `kill ${await server.sql(null, pid)}`);
    expect(await talk).toBe('ended');
    await expect.poll(() => server.sql(null, pid)).toBe('');
    for (let again = 0; again < 2; again++) await databases.discard(kept, never());
    expect(await isThere(kept)).toBe(false);
    await expect(databases.discard(other, never())).rejects.toMatchObject({ code: 'Refused' });
    expect(await isThere(other)).toBe(true);
  });

  test('a rename that still waits for a lock when its exchange is taken back comes to nothing', async () => {
    const [present, staged] = [await database(SMALL), await database('create table t (x int)')];
    const kept = `${present} kept`;
    const [before, coming] = [await contentsOf(server, present), await contentsOf(server, staged)];
    const waits = (what: string) => `select count(*) from information_schema.processlist where info like '${what}%'`;
    const holder = server.sql(null, `lock tables ${quoted(present)}.log read; select sleep(6)`);
    await expect.poll(() => server.sql(null, waits('select sleep(6)'))).toBe('1');
    const cut = new AbortController();
    const exchanging = databasesBy(localHost()).swapIn(present, staged, kept, cut.signal);
    await expect.poll(() => server.sql(null, waits('RENAME TABLE')), { timeout: 20_000 }).toBe('1');
    cut.abort(new Error('cut short'));
    await expect(exchanging).rejects.toThrow('cut short');
    await databasesBy(localHost()).swapBack(present, staged, kept, never());
    await holder;
    await expect.poll(() => server.sql(null, waits('RENAME TABLE'))).toBe('0');
    expect(await contentsOf(server, present)).toBe(before);
    expect(await contentsOf(server, staged)).toBe(coming);
    expect(await isThere(kept)).toBe(false);
  }, 60_000);

  test('what would not stay exchanged is refused beforehand', async () => {
    const [present, other] = [await database('create table p (id int primary key)'), await database('')];
    const databases = databasesBy(localHost());
    await server.sql(other, `create table c (p int, foreign key (p) references ${quoted(present)}.p (id))`);
    const pointing = databases.confirmExchange([present], never());
    await expect(pointing).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining(other) });
    await databases.confirmExchange([other], never());
    await server.sql(null, `change master to master_host = '127.0.0.1', master_user = 'nobody'`);
    const replica = databases.confirmExchange([other], never());
    await expect(replica).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining('replica') });
    await server.sql(null, `reset slave all; drop database ${quoted(other)}`);

    const ranges = (where = '') => `partition by range (x) (partition low values less than (9)${where})`;
    const apart = await database(`create table whole (x int) ${ranges()}`);
    await databases.confirmExchange([apart], never());
    const where = ` data directory='${dirname(server.socket)}'`;
    const elsewhere = { code: 'Refused', message: expect.stringContaining('Table placed') };
    for (const placed of [ranges(where), where]) {
      await server.sql(apart, `create table placed (x int) ${placed}`);
      await expect(databases.confirmExchange([apart], never())).rejects.toMatchObject(elsewhere);
      await expect(databases.swapIn(present, apart, `${present} kept`, never())).rejects.toMatchObject(elsewhere);
      await server.sql(apart, 'drop table placed');
    }
    await databases.swapBack(present, apart, `${present} kept`, never());
    for (const name of [present, apart]) expect(await isThere(name)).toBe(true);
    await server.sql(null, `drop database ${quoted(apart)}`);
  });

  /** A host on which only so many statements that change something are run; then it is as if the process had ended. */
  function endingAfter(statements: number): { readonly host: Host; readonly ran: () => number } {
    const host = localHost();
    let ran = 0;
    const count = (): void => {
      if (ran >= statements) throw new Error('ended here');
      ran += 1;
    };
    const changes = async (input: Bytes | undefined): Promise<string> => {
      if (input === undefined) return '';
      const chunks: Uint8Array[] = [];
      for await (const chunk of input) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    };
    return {
      ran: () => ran,
      host: {
        ...host,
        async run(command, options) {
          const sql = await changes(options.input);
          if (!/^(?:CREATE|DROP|ALTER|SET SESSION lock)/.test(sql))
            return await host.run(command, { ...options, input: once(sql) });
          // Several in one script: the process may end after each of them.
          let last = null;
          for (const statement of sql.split(/;\n/).filter(Boolean)) {
            if (statement.startsWith('SET SESSION')) continue;
            count();
            last = await host.run(command, { ...options, input: once(statement) });
          }
          if (last === null) throw new Error('nothing was asked');
          return last;
        },
        async feed(commands, options) {
          count();
          return await host.feed(commands, options);
        },
      },
    };
  }
  const once = async function* (text: string): Bytes {
    yield Buffer.from(text);
  };

  test('a server that writes its log late loses nothing when it ends while triggers are dropped', async () => {
    await using late = await mariadbServer('--innodb-flush-log-at-timeout=2700'); // and at no commit
    for (const [name, sql] of [
      ['wiki', SMALL],
      ['coming', 'create table t (x int)'],
    ] as const) {
      await late.sql(null, `create database ${name}`);
      await late.sql(name, sql);
    }
    const before = await contentsOf(late, 'wiki');
    const local = localHost();
    const host: Host = {
      ...local,
      async run(command, options) {
        const chunks: Uint8Array[] = [];
        for await (const chunk of options.input ?? []) chunks.push(chunk);
        const sql = Buffer.concat(chunks).toString();
        const input = options.input === undefined ? {} : { input: once(sql) };
        const ran = await local.run(command, { ...options, ...input });
        if (sql.startsWith('DROP TRIGGER')) await late.kill();
        return ran;
      },
    };
    const swapping = databasesBy(host, late).swapIn('wiki', 'coming', 'wiki_kept', never());
    await expect(swapping).rejects.toMatchObject({ code: 'SourceMissing' });
    await late.revive();
    await databasesBy(local, late).swapBack('wiki', 'coming', 'wiki_kept', never());
    expect(await contentsOf(late, 'wiki')).toBe(before);
  }, 60_000);

  test('wherever an exchange ends, it goes on to its end or is taken back, and nothing is lost', async () => {
    const [present, staged] = [
      await database(SMALL),
      await database('create table t (x int); create trigger i before insert on t for each row set new.x = 9'),
    ];
    const kept = `${present} kept`;
    const [before, coming] = [await contentsOf(server, present), await contentsOf(server, staged)];
    const databases = databasesBy(localHost());
    let ended = 0;
    for (let statements = 0; ; statements++) {
      const { host, ran } = endingAfter(statements);
      const error: unknown = await databasesBy(host)
        .swapIn(present, staged, kept, never())
        .catch((reason: unknown) => reason);
      if (error === undefined) {
        ended = ran();
        break;
      }
      if (statements % 2 === 0) {
        await databases.swapIn(present, staged, kept, never());
        expect(await contentsOf(server, present), `after ${statements}`).toBe(coming);
      }
      await databases.swapBack(present, staged, kept, never());
      expect(await contentsOf(server, present), `back after ${statements}`).toBe(before);
      expect(await contentsOf(server, staged), `staged after ${statements}`).toBe(coming);
      expect(await isThere(kept)).toBe(false);
    }
    expect(ended).toBeGreaterThan(15);
  }, 240_000);
});
