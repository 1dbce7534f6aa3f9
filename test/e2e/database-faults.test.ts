import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { type CouchdbServer, couchdbAvailable, couchdbServer } from '../services/couchdb.ts';
import { type Directory, directory, SUFFIX } from '../services/ldap.ts';
import { canMount, temporaryDisk } from '../services/loop-disk.ts';
import { type MariadbServer, mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { type PostgresServer, postgresAvailable, postgresServer } from '../services/postgres.ts';
import { type RedisServer, redisServer } from '../services/redis.ts';
import { TOP } from '../sources/ldap-contents.ts';
import { aMachine, type Ended, type Json, type Machine, tool } from './holdfast.ts';
import { pointFolderIn } from './rehashed.ts';

const WORD = 'a word 4711';
const MEBIBYTE = 1024 ** 2;
const programs = ['redis-server', 'redis-cli', 'redis-check-rdb', 'slapcat', 'slapadd', 'sqlite3', 'sha256sum'];
const all = postgresAvailable() && mariadbAvailable() && couchdbAvailable() && programs.every(available);

/** Items of the service, without that of the file, which never fails. */
const ITEMS = ['postgres_shop', 'mariadb_shop', 'redis', 'couchdb_shop', 'ldap', 'ldap_config'] as const;

describe.runIf(all)('databases of every kind in one service', () => {
  let postgres: PostgresServer;
  let mariadb: MariadbServer;
  let redis: RedisServer;
  let couchdb: CouchdbServer;
  let people: Directory;
  const began: AsyncDisposable[] = [];
  /** Each takes more than a mebibyte however it is packed. */
  beforeAll(async () => {
    const kept = async <T extends AsyncDisposable>(starting: Promise<T>): Promise<T> => {
      const started = await starting;
      began.push(started);
      return started;
    };
    const photo = Buffer.from(randomBytes(2 * MEBIBYTE)).toString('base64');
    const person = `dn: cn=photo,${SUFFIX}\nobjectClass: inetOrgPerson\ncn: photo\nsn: x\njpegPhoto:: ${photo}\n`;
    [postgres, mariadb, redis, couchdb, people] = await Promise.all([
      kept(postgresServer()),
      kept(mariadbServer()),
      kept(redisServer({}, WORD)),
      kept(couchdbServer(`admin:${WORD}`)),
      kept(directory(`${TOP}${person}`)),
    ]);
    await postgres.sql('postgres', `create role keeper superuser login password '${WORD}'`);
    await postgres.sql('postgres', 'create database shop');
    await postgres.sql(
      'shop',
      'create table t as select g, gen_random_uuid(), gen_random_uuid() u from generate_series(1, 60000) g',
    );
    await mariadb.sql(
      null,
      `create user keeper identified by '${WORD}'; grant all on *.* to keeper; create database shop`,
    );
    await mariadb.sql('shop', 'create table t as select seq, sha2(seq, 512) from seq_1_to_30000');
    await redis.cli('eval', "for n = 1, 60000 do redis.call('set', n, redis.sha1hex(n)) end", '0');
    const data = randomBytes(2 * MEBIBYTE).toString('base64');
    const _attachments = { photo: { content_type: 'image/jpeg', data } };
    await couchdb.ask('PUT', '/shop');
    await couchdb.ask('PUT', '/shop/soup', { _attachments });
  }, 120_000);
  afterAll(async () => {
    for (const each of began.toReversed()) await each[Symbol.asyncDispose]();
  }, 60_000);

  /** A machine whose service `shop` has them all and a file; its temporary folder is its own. */
  function machineOf(repository = './disk', account = 'root'): Machine {
    const machine = aMachine();
    const password = { env: 'WORD' };
    const sources = {
      pg: { postgres: { socket: postgres.socket, user: 'keeper', password, database: 'shop' } },
      maria: { mariadb: { socket: mariadb.socket, user: 'keeper', password, database: 'shop' } },
      cache: { redis: { socket: redis.socket, password } },
      vault: { couchdb: { url: couchdb.url, user: 'admin', password, database: 'shop' } },
      people: { ldap: { config: people.config, suffix: SUFFIX, runAs: account } },
      notes: { sqlite: './notes.db' },
    };
    tool('sqlite3', machine.path('notes.db'), "create table notes (text); insert into notes values ('soup')");
    machine.write('tmp/.keep', '');
    rmSync(machine.path('tmp/.keep'));
    machine.configure(`repositories: { disk: { engine: archive, path: ${repository}, compression: none } }
services: { shop: { sources: ${JSON.stringify(sources)} } }`);
    machine.passes('repository', 'init', 'disk');
    return machine;
  }

  const run = (machine: Machine, word: string, ...args: readonly string[]): Ended =>
    machine.run(args, { environment: { WORD: word, TMPDIR: machine.path('tmp') } });
  function outcomesOf({ stdout }: Ended): Readonly<Record<string, string>> {
    const [point] = JSON.parse(stdout).points;
    return Object.fromEntries(point.items.map(({ name, outcome }: Json) => [name, outcome]));
  }
  const every = (outcome: string) => Object.fromEntries(ITEMS.map((name) => [name, outcome]));
  /** No program talks on, and nothing lies in the temporary folder. */
  async function expectNothingLeft(machine: Machine): Promise<void> {
    expect(readdirSync(machine.path('tmp'))).toEqual([]);
    expect(await postgres.sql('postgres', "select count(*) from pg_stat_activity where usename = 'keeper'")).toBe('0');
    expect(await mariadb.sql(null, "select count(*) from information_schema.processlist where user = 'keeper'")).toBe(
      '0',
    );
    expect(await redis.cli('client', 'list', 'type', 'replica')).toBe('');
  }

  test('whose passwords are wrong fail by themselves, and each says what to do', async () => {
    const machine = machineOf('./disk', 'nobody');
    const ended = run(machine, 'wrong 4711', 'backup');
    expect(ended.exitCode, ended.stderr).toBe(3);
    const said = ended.stdout + ended.stderr;
    expect(said).toContain('password authentication failed for user "keeper"');
    expect(said).toContain("Access denied for user 'keeper'");
    expect(said).toContain('WRONGPASS');
    expect(said).toContain('unauthorized');
    expect(said).toContain('invalid config directory');
    for (const [item, advice] of [
      ['postgres_shop', /`user` .*`password`/],
      ['mariadb_shop', /`user` .*`password`/],
      ['redis', /`user` and `password`/],
      ['couchdb_shop', /`user`.*`password`/],
      ['ldap', /`runAs: openldap`/],
    ] as const) {
      const at = ended.stderr.split('\n').findIndex((line) => line.includes(item) && /fail|error/i.test(line));
      expect(
        ended.stderr
          .split('\n')
          .slice(at, at + 2)
          .join(' '),
        item,
      ).toMatch(advice);
    }
    expect(said).not.toContain('4711');
    const again = run(machine, 'wrong 4711', 'backup', '--json', '--verbose');
    expect(outcomesOf(again)).toEqual({ ...every('failed'), sqlite_notes: 'passed' });
    expect(again.stdout + again.stderr).not.toContain('4711');
    expect(tool('sh', '-c', `grep -rl 4711 '${machine.folder}' || true`)).toBe('');
    await expectNothingLeft(machine);
    expect(machine.json(0, 'list').points.map(({ outcome }: Json) => outcome)).toEqual(['partial', 'partial']);
    const [{ checks }] = machine.json(0, 'verify', 'shop').points;
    expect(checks[0].detail).toContain(
      'failed when it was made: postgres_shop, mariadb_shop, redis, couchdb_shop, ldap',
    );
    expect(machine.json(1, 'restore', 'shop', '--to', 'out').error.code).toBe('PointNotFound');
  }, 60_000);

  test('whose password is missing are a mistake in the configuration, unless something else could be stored', () => {
    const machine = machineOf();
    const part = run(machine, '', 'backup', '--json');
    expect(part.exitCode).toBe(3);
    expect(outcomesOf(part)).toMatchObject({ redis: 'failed', ldap: 'passed', sqlite_notes: 'passed' });
    const cache = JSON.stringify({ redis: { socket: redis.socket, password: { env: 'WORD' } } });
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { cache: { sources: { cache: ${cache} } } }`);
    const nothing = run(machine, '', 'backup', '--json');
    expect(nothing.exitCode).toBe(78);
    expect(JSON.parse(nothing.stdout).error).toMatchObject({
      code: 'SecretMissing',
      hint: expect.stringContaining('config'),
    });
  }, 60_000);

  test.runIf(canMount())(
    'which the repository has no room for fail by themselves, and are whole once there is room',
    async () => {
      using disk = temporaryDisk(48);
      const machine = machineOf(`${disk.path}/r`);
      const ballast = join(disk.path, 'ballast');
      tool('sh', '-c', `dd if=/dev/zero of='${ballast}' bs=1M 2>/dev/null || true; truncate -s -1M '${ballast}'`);
      // one after the other: side by side, what fails may have the last room while a small one is written
      const ended = run(machine, WORD, 'backup', '--jobs', '1', '--json');
      expect(ended.exitCode, ended.stderr).toBe(3);
      expect(outcomesOf(ended)).toEqual({ ...every('failed'), ldap_config: 'passed', sqlite_notes: 'passed' });
      for (const { name, outcome, error } of JSON.parse(ended.stdout).points[0].items)
        if (outcome === 'failed') expect(error, name).toMatch(/no space left|bytes are expected/i);
      const folder = pointFolderIn(join(disk.path, 'r/shop'));
      expect(readdirSync(folder).filter((name) => /^(?:postgres|mariadb|redis|couchdb|ldap\.)/.test(name))).toEqual([]);
      tool('sh', '-c', `cd '${folder}' && sha256sum -c --quiet SHA256SUMS`);
      await expectNothingLeft(machine);
      rmSync(ballast);
      const whole = run(machine, WORD, 'backup', '--json');
      expect(outcomesOf(whole)).toEqual({ ...every('passed'), sqlite_notes: 'passed' });
      expect(run(machine, WORD, 'verify', 'shop').exitCode).toBe(0);
      const [{ id }] = JSON.parse(whole.stdout).points;
      const modes = ['find', `${disk.path}/r/shop`, '-perm', '/077', '-not', '-name', 'restore.sh'] as const;
      expect(tool(...modes)).toBe('');

      using small = temporaryDisk(1);
      for (const name of ITEMS.filter((each) => each !== 'ldap_config')) {
        const refused = run(machine, WORD, 'restore', id, '--item', name, '--to', `${small.path}/out`, '--json');
        expect(JSON.parse(refused.stdout).error, name).toMatchObject({
          code: 'NoSpace',
          hint: expect.stringContaining('Free'),
        });
        expect(readdirSync(small.path), name).toEqual([]);
      }
    },
    120_000,
  );
});
