import { spawnSync } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { directory, SUFFIX, startDirectory } from '../services/ldap.ts';
import { canMount, temporaryDisk } from '../services/loop-disk.ts';
import { mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { redisServer } from '../services/redis.ts';
import { TOP } from '../sources/ldap-contents.ts';
import { HOSTILE as MARIADB } from '../sources/mariadb-contents.ts';
import { fill, HOSTILE as REDIS } from '../sources/redis-contents.ts';
import { aMachine, type Json, type Machine, tool } from './holdfast.ts';
import { drillProcess, drillProcesses } from './marked.ts';
import { pointFolderIn, storeRehashed } from './rehashed.ts';

const programs = ['redis-server', 'redis-cli', 'slapd', 'slapadd', 'ldapsearch', 'sqlite3'];

/** One key whose value only the module of a name in its 64 bits can read; the checksum is off. */
const OF_A_MODULE = Buffer.concat([
  Buffer.from('REDIS0010'),
  Buffer.from([0xfe, 0, 7, 1, 0x6b, 0x81, 0x24, 0x51, 0x0a, 0x2c, 0x5d, 0x80, 0x0c, 0x03, 0, 0xff]),
  Buffer.alloc(8),
]);

describe.runIf(mariadbAvailable() && programs.every(available))('a drill of a whole service', () => {
  function isClean(machine: Machine): void {
    expect(readdirSync(machine.path('scratch'))).toEqual([]);
    expect(drillProcesses(machine.path('scratch'))).toEqual([]);
  }

  test('restores databases, a directory, a cache and files together, without any of their servers', async () => {
    const machine = aMachine();
    const maria = await mariadbServer();
    await maria.sql(null, 'create database `wi ki`');
    const apart = machine.path('apart');
    mkdirSync(apart);
    tool('chown', 'mysql', apart);
    chmodSync(machine.folder, 0o711); // for the accounts of the servers
    const there = `data directory = '${apart}'`;
    await maria.sql(
      'wi ki',
      `${MARIADB}\nalter event later enable;
      create table apart (n int) ${there}; insert into apart values (1), (2);
      create table old (n int) engine = myisam ${there}; insert into old values (1);
      create table parted (n int) partition by range (n) (partition low values less than (9) ${there})`,
    );
    const stored = readdirSync(apart, { recursive: true });
    expect(stored.length).toBeGreaterThan(3);
    const redis = await redisServer();
    await fill(redis, REDIS);
    const entries = await directory(TOP);
    const slapd = await startDirectory(entries);
    const servers = [maria, redis, slapd, entries];
    machine.write('data/soup.txt', 'soup\n');
    machine.write('db/.keep', '');
    tool('sqlite3', machine.path('db/notes.db'), "create table notes (text); insert into notes values ('then')");
    const sources = {
      data: { files: ['./data'] },
      notes: { sqlite: './db/notes.db' },
      wiki: { mariadb: { socket: maria.socket, database: 'wi ki' } },
      cache: { redis: { socket: redis.socket } },
      people: { ldap: { config: entries.config, suffix: SUFFIX } },
    };
    const search = `ldapsearch -x -LLL -H "$HOLDFAST_PEOPLE_URL" -b '${SUFFIX}' -s base dn 2>&1 | grep -q 'dn: \\|No such object'`;
    const checks = [
      { sql: { source: 'wiki', query: 'select count(*) = 500 from `we``ird \'tå"ble, (x)`' } },
      {
        command: ['sh', '-c', 'redis-cli -s "$(echo "$HOLDFAST_CACHE_URL" | sed s,unix://,,)" dbsize | grep -q [1-9]'],
      },
      { command: ['sh', '-c', search] },
      { command: ['sh', '-c', `test "$(cat ".${machine.path('data/soup.txt')}")" = soup`] },
    ];
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk, compression: { format: none } } }
services: { home: { sources: ${JSON.stringify(sources)}, checks: ${JSON.stringify(checks)} } }`);
    machine.passes('repository', 'init', 'disk');
    machine.passes('backup');
    mkdirSync(machine.path('scratch'));
    for (const server of servers) await server[Symbol.asyncDispose](); // a drill asks none of them

    const report = machine.json(0, 'drill', 'home', '--scratch', machine.path('scratch'));
    isClean(machine);
    expect(readdirSync(apart, { recursive: true })).toEqual(stored);
    expect(report.facts.actual['mariadb_wi%20ki'].tables).toMatchObject({ 'wi ki.apart': 2, 'wi ki.old': 1 });
    expect(report.items.map(({ name, outcome }: Json) => [name, outcome])).toEqual(
      ['files_data', 'sqlite_notes', 'mariadb_wi%20ki', 'redis', 'ldap', 'ldap_config'].map((name) => [name, 'passed']),
    );
    expect(report).toMatchObject({ outcome: 'passed', evidence: 'restored', isolated: true, facts: { equal: true } });
    expect(report.facts.actual).toEqual(report.facts.expected);
    expect(report.checks.map(({ outcome, detail }: Json) => [outcome, detail])).toEqual([
      ['passed', 'answers 1'],
      ...Array(3).fill(['passed', 'ended with 0']),
    ]);

    const folder = pointFolderIn(machine.path('disk/home'));
    const dump = readFileSync(join(folder, 'mariadb_wi%20ki.sql'), 'utf8');
    storeRehashed(
      folder,
      'mariadb_wi%20ki.sql',
      Buffer.from(dump.replace('INSERT INTO `parts`', 'INSERT INTO `party`')),
    );
    const rdb = readFileSync(join(folder, 'redis.rdb'));
    writeFileSync(machine.path('broken.rdb'), rdb.fill(0xee, 12, 40));
    storeRehashed(folder, 'redis.rdb', readFileSync(machine.path('broken.rdb')));
    const bad = machine.json(1, 'drill', 'home', '--scratch', machine.path('scratch'));
    isClean(machine);
    const details = new Map(bad.items.map(({ name, outcome, detail }: Json) => [name, `${outcome}: ${detail}`]));
    expect(details.get('mariadb_wi%20ki')).toMatch(/^failed: .*Table 'wi ki\.party' doesn't exist/);
    expect(details.get('redis')).toMatch(/^failed: Redis does not load it: /);
    expect(details.get('ldap')).toMatch(/^passed: /);
    storeRehashed(folder, 'redis.rdb', OF_A_MODULE);
    const lacking = machine.json(5, 'drill', bad.point, '--item', 'cache', '--scratch', machine.path('scratch'));
    expect(lacking.items[0].detail).toBe('The scratch server lacks the module of "JFEKLF2AD" values.');
    const alone = machine.json(5, 'drill', bad.point, '--item', 'ldap', '--scratch', machine.path('scratch'));
    expect(alone.items[0].detail).toBe('Without ldap_config there is no schema for the entries.');
  }, 180_000);

  test.runIf(canMount())(
    'what ends a scratch server in the middle, or fills its disk, tells nothing of the point',
    async () => {
      const machine = aMachine();
      await using maria = await mariadbServer();
      await maria.sql(null, 'create database large; create table large.t (n int primary key, b longblob)');
      await maria.sql('large', "insert into t select seq, repeat('x', 20000) from seq_1_to_3000");
      machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { home: { sources: { db: { mariadb: { socket: ${maria.socket}, database: large } } } } }`);
      machine.passes('repository', 'init', 'disk');
      machine.passes('backup');
      chmodSync(machine.folder, 0o711);
      using disk = temporaryDisk(700);
      chmodSync(dirname(disk.path), 0o711);
      const scratch = join(disk.path, 'scratch');
      mkdirSync(scratch);
      const isLoading = (): boolean => globSync(`${scratch}/*/1/data/large/t.ibd`).length > 0;
      const hog = join(disk.path, 'hog');
      const faults = {
        'The scratch server (MariaDB ': () => process.kill(drillProcess(scratch, 'mariadbd'), 'SIGKILL'),
        'There is no space left for the scratch instances.': () =>
          void spawnSync('dd', ['if=/dev/zero', `of=${hog}`, 'bs=1M']),
      };
      for (const [words, fault] of Object.entries(faults)) {
        const running = machine.start(['drill', 'home', '--scratch', scratch, '--json']);
        await expect.poll(isLoading, { timeout: 30_000, interval: 5 }).toBe(true);
        fault();
        const { exitCode, stdout } = await running.ended;
        expect(exitCode, stdout).toBe(5);
        const report = JSON.parse(stdout);
        expect(report).toMatchObject({ outcome: 'inconclusive', evidence: 'stored' });
        expect(report.items[0].detail).toContain(words);
        rmSync(hog, { force: true });
        expect(readdirSync(scratch)).toEqual([]);
        expect(drillProcesses(scratch)).toEqual([]);
      }
    },
    120_000,
  );
});
