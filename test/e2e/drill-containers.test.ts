import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { bundled } from '../services/bundled.ts';
import { couchdbAvailable, couchdbServer } from '../services/couchdb.ts';
import { type DockerEngine, dockerEngine, pauseContainer, until } from '../services/docker.ts';
import { type Directory, directory, SUFFIX } from '../services/ldap.ts';
import { mariadbAvailable } from '../services/mariadb.ts';
import { importPostgres, postgresImageAvailable, startPostgresContainer } from '../services/postgres-image.ts';
import { importPrograms } from '../services/programs-image.ts';
import { TOP } from '../sources/ldap-contents.ts';
import { aMachine, type Json, type Machine } from './holdfast.ts';
import { drillProcesses } from './marked.ts';

const SOCKET = '/run/mysqld/mysqld.sock';
const LIVE = ['cache', 'maria', 'people', 'pg'] as const;
const [SLAPD, MODULES] = ['/usr/sbin/slapd', '/usr/lib/ldap'];
const MARIADB = ['/usr/bin/mariadb', '/usr/bin/mariadb-dump', '/usr/bin/my_print_defaults', '/usr/bin/resolveip'];

const possible = (): boolean =>
  postgresImageAvailable() && mariadbAvailable() && couchdbAvailable() && ['redis-server', 'slapd'].every(available);

describe.runIf(possible())('a drill of servers in containers', () => {
  const program = bundled(new URL('killed.child.ts', import.meta.url));
  let engine: DockerEngine;
  let people: Directory;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importPostgres(engine);
    const modules = readdirSync(MODULES).filter((name) => name.startsWith('back_mdb') && name.endsWith('.so'));
    await importPrograms(engine, {
      name: 'directory',
      binaries: [SLAPD, ...modules.map((name) => join(MODULES, name))],
      folders: [MODULES, '/etc/ldap'],
      links: { 'usr/sbin/slapadd': SLAPD, 'usr/sbin/slapcat': SLAPD },
      account: { passwd: 'openldap:x:803:803::/:/bin/sh\n', group: 'openldap:x:803:\n' },
    });
    people = await directory(TOP);
    await importPrograms(engine, {
      name: 'servers',
      binaries: ['/usr/sbin/mariadbd', ...MARIADB, '/usr/bin/redis-server', '/usr/bin/redis-cli'],
      folders: ['/usr/bin/mariadb-install-db', '/usr/share/mysql'],
      account: {
        passwd: 'mysql:x:801:801::/:/bin/sh\nredis:x:802:802::/:/bin/sh\n',
        group: 'mysql:x:801:\nredis:x:802:\n',
      },
    });
    const run = ['run', '--detach', '--network', 'none', '--name'];
    const install = 'mariadb-install-db --no-defaults --datadir=/data --auth-root-authentication-method=normal';
    const serve = `exec mariadbd --no-defaults --datadir=/data --socket=${SOCKET} --skip-networking --user=root`;
    const script = `mkdir -p /run/mysqld && ${install} --user=root >/dev/null && ${serve}`;
    await engine.docker(...run, 'maria', 'servers', 'sh', '-c', script);
    await engine.docker(...run, 'cache', 'servers', 'redis-server', '--repl-diskless-sync-delay', '0');
    const volume = ['--volume', `${people.folder}:${people.folder}`];
    const listen = ['-h', 'ldapi://%2Frun%2Fldapi', '-d', '0'];
    await engine.docker(...run, 'people', ...volume, 'directory', SLAPD, '-F', people.config, ...listen);
    await startPostgresContainer(engine);
    await until(async () => (await sql('select 1').catch(() => '')) === '1', 'MariaDB');
    await until(async () => (await cli('ping').catch(() => '')) === 'PONG', 'Redis');
    await psql('create table kept as select g from generate_series(1, 500) g');
    await sql(`create database wiki; create table wiki.pages (n int); insert into wiki.pages
      with recursive r as (select 1 as n union all select n + 1 from r where n < 90) select n from r`);
    await cli('mset', 'a', '1', 'b', '2');
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    await people?.[Symbol.asyncDispose]();
  }, 60_000);

  const psql = (text: string): Promise<string> =>
    engine.docker('exec', 'pg', 'psql', '-U', 'postgres', '-AtXq', '-c', text);
  const sql = (text: string): Promise<string> =>
    engine.docker('exec', 'maria', 'mariadb', '--no-defaults', `--socket=${SOCKET}`, '-BN', '-e', text);
  const cli = (...words: readonly string[]): Promise<string> => engine.docker('exec', 'cache', 'redis-cli', ...words);
  const containers = async (): Promise<readonly string[]> =>
    (await engine.docker('ps', '--all', '--format', '{{.Names}}'))
      .split('\n')
      .filter((name) => name !== '')
      .toSorted();

  function machineWith(sources: object, checks: readonly object[] = []): Machine {
    const machine = aMachine();
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { home: { sources: ${JSON.stringify(sources)}, checks: ${JSON.stringify(checks)} } }`);
    mkdirSync(machine.path('scratch'));
    chmodSync(machine.folder, 0o711); // for the accounts of scratch servers
    const environment = { ...machine.environment, ...engine.environment };
    const run: Machine['run'] = (args, options = {}) =>
      machine.run(args, { ...options, environment: { ...engine.environment, ...options.environment } });
    const start: Machine['start'] = (args, options = {}) =>
      machine.start(args, { ...options, environment: { ...engine.environment, ...options.environment } });
    return { ...machine, environment, run, start };
  }
  /** The report of a drill, and how it ended. */
  const drill = (machine: Machine): { readonly exitCode: number | null; readonly report: Json } => {
    const { exitCode, stdout } = machine.run(['drill', 'home', '--scratch', machine.path('scratch'), '--json']);
    return { exitCode, report: JSON.parse(stdout) };
  };
  const passes = (machine: Machine, ...args: readonly string[]): void => {
    const ended = machine.run(args);
    expect(ended, ended.stderr).toMatchObject({ exitCode: 0 });
  };
  async function isClean(machine: Machine): Promise<void> {
    expect(readdirSync(machine.path('scratch'))).toEqual([]);
    expect(drillProcesses(machine.path('scratch'))).toEqual([]);
    expect(await containers()).toEqual([...LIVE]);
    expect(await engine.docker('volume', 'ls', '--quiet')).toBe('');
  }

  test('takes the image of each, without a network, and asks none of those that run', async () => {
    const machine = machineWith(
      {
        pg: { postgres: { container: 'pg', database: 'postgres', globals: true } },
        maria: { mariadb: { container: 'maria', database: 'wiki' } },
        cache: { redis: { container: 'cache' } },
        people: { ldap: { container: 'people', config: people.config, suffix: SUFFIX } },
      },
      [
        { command: ['sh', '-c', 'test "$(psql -XAtc "select count(*) from kept" "$HOLDFAST_PG_URL")" = 500'] },
        { sql: { source: 'maria', query: 'select count(*) = 90 from pages' } },
        { command: ['sh', '-c', `ldapsearch -x -LLL -H "$HOLDFAST_PEOPLE_URL" -b '${SUFFIX}' -s base dn`] },
      ],
    );
    passes(machine, 'repository', 'init', 'disk');
    passes(machine, 'backup');
    const databases = await psql('select string_agg(datname, $$ $$ order by datname) from pg_database');
    for (const name of LIVE) await pauseContainer(engine, name); // a program in one, or a connection to it, would wait
    try {
      const running = machine.start(['drill', 'home', '--scratch', machine.path('scratch'), '--json']);
      const seen = new Map<string, Json>();
      await expect
        .poll(
          async () => {
            for (const name of await containers())
              if (name.startsWith('holdfast-drill-') && !seen.has(name))
                await engine.docker('inspect', name).then(
                  (printed) => seen.set(name, JSON.parse(printed)[0]),
                  () => undefined, // it is gone
                );
            return seen.size;
          },
          { timeout: 60_000, interval: 50 },
        )
        .toBe(4);
      for (const { HostConfig, Mounts, Config } of seen.values()) {
        expect(HostConfig.NetworkMode).toBe('none');
        expect(['postgres', 'servers', 'directory']).toContain(await imageNameOf(Config.Image));
        expect(Mounts.map(({ Type, Source }: Json) => [Type, Source.startsWith(machine.path('scratch'))])).toEqual([
          ['bind', true],
        ]);
      }
      const { exitCode, stdout, stderr } = await running.ended;
      expect(exitCode, stdout + stderr).toBe(0);
      const report = JSON.parse(stdout);
      expect(report).toMatchObject({ outcome: 'passed', evidence: 'restored', isolated: true, facts: { equal: true } });
      expect(report.items.map(({ name, restoredBy }: Json) => [name, restoredBy.name])).toEqual([
        ['postgres_globals', 'PostgreSQL (image postgres)'],
        ['postgres_postgres', 'PostgreSQL (image postgres)'],
        ['mariadb_wiki', 'MariaDB (image servers)'],
        ['redis', 'Redis (image servers)'],
        ['ldap', 'OpenLDAP (image directory)'],
        ['ldap_config', 'OpenLDAP (image directory)'],
      ]);
      expect(report.checks.map(({ outcome }: Json) => outcome)).toEqual(['passed', 'passed', 'passed']);
    } finally {
      for (const name of LIVE) await engine.docker('unpause', name);
    }
    await isClean(machine);
    expect(await psql('select string_agg(datname, $$ $$ order by datname) from pg_database')).toBe(databases);
  }, 120_000);

  const imageNameOf = async (id: string): Promise<string> =>
    (await engine.docker('image', 'inspect', '--format', '{{index .RepoTags 0}}', id)).replace(':latest', '');

  test('takes the programs of this machine where the container is gone, and says what its image lacks', async () => {
    const machine = machineWith({ cache: { redis: { container: 'once' } } });
    passes(machine, 'repository', 'init', 'disk');
    const run = ['run', '--detach', '--network', 'none', '--name', 'once'];
    await engine.docker(...run, 'servers', 'redis-server', '--repl-diskless-sync-delay', '0');
    await until(
      async () => (await engine.docker('exec', 'once', 'redis-cli', 'set', 'a', '1').catch(() => '')) === 'OK',
      'Redis',
    );
    passes(machine, 'backup');
    await engine.docker('rm', '--force', 'once');
    chmodSync(machine.folder, 0o700);
    const closed = drill(machine);
    chmodSync(machine.folder, 0o711);
    expect(closed).toMatchObject({ exitCode: 5, report: { outcome: 'inconclusive', evidence: 'stored' } });
    expect(closed.report.items[0].detail).toMatch(/^The account redis may not pass through to /);
    const gone = drill(machine);
    expect(gone).toMatchObject({ exitCode: 0, report: { outcome: 'passed', evidence: 'restored' } });
    expect(gone.report.items[0].restoredBy.name).toBe('Redis');
    await engine.docker(...run, 'postgres', 'sleep', '600');
    const other = drill(machine);
    await engine.docker('rm', '--force', 'once');
    expect(other).toMatchObject({ exitCode: 5, report: { outcome: 'inconclusive', evidence: 'restored' } });
    expect(other.report.items[0].detail).toMatch(/^The server of Redis is not in container holdfast-drill-/);
    await isClean(machine);
  }, 60_000);

  test('of a drill that is killed at any write of its journal nothing is left once the next command has begun', async () => {
    await using couch = await couchdbServer();
    await couch.ask('PUT', '/vault');
    await couch.ask('PUT', '/vault/soup', { text: 'soup' });
    const machine = machineWith({
      cache: { redis: { container: 'cache' } },
      vault: { couchdb: { url: couch.url, database: 'vault', scratch: true } },
    });
    passes(machine, 'repository', 'init', 'disk');
    passes(machine, 'backup');
    const found = new Set<string>();
    /** Whether it was killed; if so, what was there before and after the next command. */
    async function killed(moment: string): Promise<boolean> {
      const holdfast = (...args: readonly string[]): SpawnSyncReturns<string> =>
        spawnSync(process.execPath, [program, ...args], {
          ...{ cwd: machine.folder, encoding: 'utf8' },
          env: { ...machine.environment, HOLDFAST_TEST_KILL: args[0] === 'drill' ? moment : '' },
        });
      const ended = holdfast('drill', 'home', '--scratch', machine.path('scratch'));
      if (ended.status === 0) return false;
      expect(ended.signal, `${moment}: ${ended.stderr}`).toBe('SIGKILL');
      const [running, databases] = [await containers(), await couch.ask('GET', '/_all_dbs')];
      const folders = readdirSync(machine.path('scratch'));
      found.add([running.length - LIVE.length, databases.length - 1, folders.length].join(' '));
      const next = holdfast('unlock');
      expect(next.status, `${moment}: ${next.stderr}`).toBe(0);
      await isClean(machine);
      expect(await couch.ask('GET', '/_all_dbs'), moment).toEqual(['vault']);
      return true;
    }
    for (const moment of ['said verify', 'said clean up', 'spawned create', 'spawned start', 'spawned rm'])
      expect(await killed(moment), moment).toBe(true);
    let writes = 0;
    while (await killed(`after ${writes + 1}`)) writes += 1;
    expect(writes).toBeGreaterThan(6);
    // in the second half each step is taken back, and then forgotten: here it is taken back once more
    for (let number = writes / 2 + 1; number < writes; number += 1) expect(await killed(`before ${number}`)).toBe(true);
    // containers, databases and folders that it left: with all, some and none of them
    expect([...found].toSorted()).toEqual(['0 0 0', '0 0 1', '1 0 1', '1 1 1']);
    expect(drill(machine)).toMatchObject({ exitCode: 0, report: { evidence: 'restored' } });
  }, 300_000);
});
