import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canMount, temporaryDisk } from '../services/loop-disk.ts';
import { type MariadbServer, mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { contentsOf, HOSTILE } from '../sources/mariadb-contents.ts';
import { aMachine, type Machine, tool } from './holdfast.ts';
import { pointFolderIn, storeRehashed } from './rehashed.ts';

describe.runIf(mariadbAvailable())('MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await mariadbServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  let made = 0;
  async function database(contents: string): Promise<string> {
    const name = `wi ki-${++made}`;
    await server.sql(null, `create database \`${name}\``);
    await server.sql(name, contents);
    return name;
  }

  /** A machine whose service `wiki` has these databases in its source `db`. */
  function machineWith(settings: object, compression = 'zstd'): Machine {
    const machine = aMachine();
    machine.configure(`repositories:
  disk: { engine: archive, path: ./disk, compression: { format: ${compression} } }
services:
  wiki: { sources: { db: ${JSON.stringify({ mariadb: { socket: server.socket, ...settings } })} } }`);
    machine.passes('repository', 'init', 'disk');
    return machine;
  }

  test('a database comes back under another name and as a script, row by row, and never over the present one', async () => {
    const name = await database(HOSTILE);
    const machine = machineWith({ database: name });
    machine.passes('backup');
    machine.passes('verify', 'wiki');
    const report = machine.json(0, 'restore', 'wiki', '--database', '-new `one');
    expect(report).toMatchObject({ outcome: 'passed', target: { kind: 'database', name: '-new `one' }, warnings: [] });
    expect(report.items[0].proof).toMatch(/^hashes and \d+ rows in \d+ tables are equal$/);
    expect(await contentsOf(server, '-new `one')).toBe(await contentsOf(server, name));
    expect(machine.json(1, 'restore', 'wiki', '--database', name).error).toMatchObject({ code: 'TargetExists' });
    machine.passes('restore', 'wiki', '--to', 'out');
    await server.sql(null, 'create database by_hand');
    const script = readFileSync(machine.path('out', readdirSync(machine.path('out'))[0] ?? ''), 'utf8');
    await server.sql('by_hand', script.replaceAll(`nextval(\`${name}\`.`, 'nextval(`by_hand`.'));
    expect(await contentsOf(server, 'by_hand')).toBe(await contentsOf(server, name));
  }, 120_000);

  test('a name that no database can have, or that means another, is refused before anything is made', async () => {
    const name = await database('create table t (x int); insert into t values (1)');
    const machine = machineWith({ database: name });
    machine.passes('backup');
    for (const wanted of ['x'.repeat(65), 'ends with a space ', 'emoji 😀'])
      expect(machine.json(64, 'restore', 'wiki', '--database', wanted).error).toMatchObject({ code: 'Usage' });
    await using small = await mariadbServer('--lower-case-table-names=1');
    await small.sql(null, 'create database wiki; create table wiki.t (x int); insert into wiki.t values (7)');
    const lowered = aMachine();
    lowered.configure(`repositories: { disk: { engine: archive, path: '${machine.path('disk')}', share: true } }
services:
  wiki: { sources: { db: ${JSON.stringify({ mariadb: { socket: small.socket, database: 'wiki' } })} } }`);
    const [{ id }] = lowered.json(0, 'list').points;
    expect(lowered.json(64, 'restore', id, '--database', 'WIKI').error).toMatchObject({ code: 'Usage' });
    expect(await small.sql('wiki', 'select x from t')).toBe('7');
    lowered.passes('restore', id, '--database', 'wiki_2');
    expect(await small.sql('wiki_2', 'select x from t')).toBe('1');
  }, 120_000);

  test('in place: all of a database comes back, and the present one keeps its rows under another name', async () => {
    const name = await database(HOSTILE);
    await server.sql(name, 'alter event later enable');
    const machine = machineWith({ database: name });
    machine.passes('backup');
    const before = await contentsOf(server, name);
    await server.sql(name, 'drop view totals; drop trigger noted; drop procedure odd_mode; drop event later');
    await server.sql(
      name,
      'create table newer (x int); insert into newer values (7); insert into log values ("since")',
    );
    const planned = machine.json(0, 'restore', 'wiki', '--in-place', '--dry-run');
    expect(planned.steps.join('\n')).toContain(`${name}_recovery_backup_`);
    const report = machine.json(0, 'restore', 'wiki', '--in-place', '--yes');
    expect(await contentsOf(server, name)).toBe(before);
    expect(report.kept).toMatchObject([{ kind: 'database', original: name, until: expect.stringMatching(/^20/) }]);
    expect(await server.sql(report.kept[0].path, 'select x from newer; select w from log')).toBe('7\nsince');
    const back = machine.json(0, 'rollback', '--snapshot', report.kept[0].path, '--auto-confirm');
    expect(await server.sql(name, 'select x from newer; select w from log')).toBe('7\nsince');
    machine.passes('rollback', '--snapshot', back.kept[0].path, '--auto-confirm');
    expect(await contentsOf(server, name)).toBe(before);
    machine.passes('restore', report.safetyPoint, '--database', 'of the safety point');
    expect(await server.sql('of the safety point', 'select x from newer')).toBe('7');
    await server.sql(null, `drop database \`${name}\``);
    machine.passes('restore', 'wiki', '--in-place', '--yes');
    expect(await contentsOf(server, name)).toBe(before);
    expect(await server.sql(null, "show databases like 'holdfast%'")).toBe('');
  }, 180_000);

  test('in place goes on where a view reads a table that is gone, once nothing more is asked to be kept', async () => {
    const name = await database('create table t (x int); insert into t values (1); create view v as select x from t');
    const machine = machineWith({ database: name });
    machine.passes('backup');
    await server.sql(name, 'drop table t');
    expect(machine.json(1, 'restore', 'wiki', '--in-place', '--yes').error.hint).toContain('--without-safety');
    const report = machine.json(0, 'restore', 'wiki', '--in-place', '--yes', '--without-safety');
    expect(await server.sql(name, 'select x from v')).toBe('1');
    const words = `select script from holdfast_exchanged where part = 'present broken'`;
    expect(await server.sql(report.kept[0].path, words)).toContain('VIEW `wi ki');
  }, 60_000);

  test('a row that is larger than the server takes comes back, and the server takes no more afterwards', async () => {
    const name = await database(
      "create table t (x int, b longblob); insert into t values (1, repeat(unhex('00ff27'), 3000000)), (2, 'small')",
    );
    const packet = 'select @@global.max_allowed_packet';
    expect(await server.sql(null, packet)).toBe(`${16 * 1024 ** 2}`);
    const machine = machineWith({ database: name });
    machine.passes('backup');
    machine.passes('restore', 'wiki', '--in-place', '--yes');
    expect(await server.sql(name, 'select x, md5(b) from t order by x')).toBe(
      `1\t${await server.sql(null, "select md5(repeat(unhex('00ff27'), 3000000))")}\n2\t${await server.sql(null, "select md5('small')")}`,
    );
    expect(await server.sql(null, packet)).toBe(`${16 * 1024 ** 2}`);
    await server.sql(
      null,
      `create user small; grant all on \`look\`.* to small; grant select, show view, trigger, event on *.* to small`,
    );
    const limited = machineWith({ database: name, user: 'small' });
    limited.passes('backup');
    const { error } = limited.json(1, 'restore', 'wiki', '--database', 'look');
    expect(error).toMatchObject({
      code: 'SourceFailed',
      hint: expect.stringContaining('SET GLOBAL max_allowed_packet'),
    });
    expect(await server.sql(null, "show databases like 'look'")).toBe('');
  }, 60_000);

  test('a database whose name is longer than its item may be comes back beside itself and in place', async () => {
    const name = '長'.repeat(50);
    await server.sql(
      null,
      `create database \`${name}\`; create table \`${name}\`.t (x int); insert into \`${name}\`.t values (1)`,
    );
    const machine = machineWith({ databases: [name] });
    machine.passes('backup');
    await server.sql(name, 'insert into t values (2)');
    machine.passes('restore', 'wiki', '--database', 'short');
    expect(await server.sql('short', 'select x from t')).toBe('1');
    const report = machine.json(0, 'restore', 'wiki', '--in-place', '--yes');
    expect(await server.sql(name, 'select x from t')).toBe('1');
    expect(await server.sql(report.kept[0].path, 'select count(*) from t')).toBe('2');
    await server.sql(null, `drop database short; drop database \`${name}\`; drop database \`${report.kept[0].path}\``);
  }, 60_000);

  test('databases whose views read each other come back one after the other, and which is first is told', async () => {
    const [tables, views] = [await database('create table t (x int); insert into t values (1)'), await database('')];
    await server.sql(views, `create view v as select x from \`${tables}\`.t`);
    const machine = machineWith({ databases: [tables, views] });
    machine.passes('backup');
    await server.sql(tables, 'drop table t');
    const inPlace = ['--in-place', '--yes', '--without-safety'];
    const { error } = machine.json(1, 'restore', 'wiki', ...inPlace);
    expect(error).toMatchObject({
      message: expect.stringContaining(`Table '${tables}.t'`),
      hint: expect.stringContaining('--item'),
    });
    for (const name of [tables, views])
      machine.passes('restore', 'wiki', '--item', `mariadb_${name.replaceAll(' ', '%20')}`, ...inPlace);
    expect(await server.sql(views, 'select x from v')).toBe('1');
    expect(await server.sql(null, "show databases like 'holdfast%'")).toBe('');
  }, 60_000);

  test('in place is refused where foreign keys of another database point into it, and the way by hand that is told works', async () => {
    const name = await database('create table p (id int primary key); insert into p values (1), (2)');
    const other = await database('');
    await server.sql(
      other,
      `create table c (p int, foreign key (p) references \`${name}\`.p (id)); insert into c values (2)`,
    );
    const machine = machineWith({ database: name });
    const [point] = machine.json(0, 'backup').points;
    await server.sql(name, 'insert into p values (3)');
    const { error } = machine.json(1, 'restore', point.id, '--in-place', '--yes');
    expect(error).toMatchObject({
      code: 'Refused',
      message: expect.stringContaining(`Foreign keys of database ${other}`),
    });
    expect(error.hint).toContain('back it up, drop it, and restore it by its own name: --database');
    expect(await server.sql(name, 'select count(*) from p')).toBe('3');
    machine.passes('backup');
    await server.sql(null, `set foreign_key_checks = 0; drop database \`${name}\``);
    machine.passes('restore', point.id, '--database', name);
    expect(await server.sql(name, 'select count(*) from p')).toBe('2');
    await expect(server.sql(other, 'insert into c values (3)')).rejects.toThrow('foreign key constraint fails');
    await server.sql(null, `drop database \`${other}\`; drop database \`${name}\``);
  }, 60_000);

  test('a password is in nothing that is printed or stored, and what is stored is for its owner alone', async () => {
    const name = await database('create table t (x int); insert into t values (1)');
    await server.sql(null, "create user keeper identified by 'a word 4711'; grant all on *.* to keeper");
    const machine = machineWith({ database: name, user: 'keeper', password: { env: 'WORD' } });
    const said = (word: string, ...args: readonly string[]) => machine.run(args, { environment: { WORD: word } });
    const ended = [
      said('a word 4711', 'backup', '--verbose'),
      said('a word 4711', 'restore', 'wiki', '--in-place', '--yes', '--verbose', '--json'),
      said('wrong 4711', 'backup', '--verbose'),
    ];
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0, 1]);
    expect(ended[2]?.stderr).toContain("Access denied for user 'keeper'");
    expect(ended[2]?.stderr).toContain('next: Look at `user` (keeper) and `password` of the source');
    for (const { stdout, stderr } of ended) expect(stdout + stderr).not.toContain('4711');
    expect(tool('sh', '-c', `grep -rl 4711 '${machine.folder}' || true`)).toBe('');
    expect(tool('find', machine.path('disk'), '-type', 'f', '-perm', '/077', '-not', '-name', 'restore.sh')).toBe('');
  }, 60_000);

  test('guard takes a database back after a command that failed', async () => {
    const name = await database(HOSTILE);
    const machine = machineWith({ database: name });
    const before = await contentsOf(server, name);
    const sql = `drop table \`parts\`; create table wrong (x int)`;
    const client = ['mariadb', '--no-defaults', `--socket=${server.socket}`, '--user=root', name];
    const command = `echo '${sql}' | '${client.join("' '")}'; exit 7`;
    const ended = machine.run([
      'guard',
      '--service',
      'wiki',
      '--operation',
      'update',
      '--auto-rollback',
      '--command',
      command,
    ]);
    expect(ended.exitCode, ended.stderr).toBe(2);
    expect(await contentsOf(server, name)).toBe(before);
  }, 60_000);

  test('a database that fails stops no other: the point is partial, and its row says why', async () => {
    const name = await database('create table t (x int)');
    const [point] = machineWith({ databases: [name, 'not there'] }).json(3, 'backup').points;
    expect(point.items).toMatchObject([
      { outcome: 'passed' },
      { name: 'mariadb_not%20there', outcome: 'failed', error: 'The server has no database not there.' },
    ]);
  }, 60_000);

  test('a server that is away leaves no point and no draft', () => {
    const machine = machineWith({ database: 'any', socket: '/nowhere' });
    const ended = machine.run(['backup']);
    expect(ended).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Can't connect") });
    expect(existsSync(machine.path('disk/wiki')) ? readdirSync(machine.path('disk/wiki')) : []).toEqual([]);
  }, 60_000);

  test.runIf(canMount())(
    'a repository that is full while a database is dumped has no point of it, and says so',
    async () => {
      const name = await database(
        'create table t (x text); insert into t select concat(md5(seq), md5(seq + 0.5), sha2(seq, 512)) from seq_1_to_60000',
      );
      using disk = temporaryDisk();
      const machine = machineWith({ database: name });
      machine.configure(
        readFileSync(machine.configuration, 'utf8').replace('path: ./disk', `path: ${disk.path}/r`).slice(11),
      );
      machine.passes('repository', 'init', 'disk');
      const ballast = `${disk.path}/ballast`;
      tool('sh', '-c', `dd if=/dev/zero of='${ballast}' bs=1M 2>/dev/null || true; truncate -s -2M '${ballast}'`);
      const ended = machine.run(['backup']);
      expect(ended.exitCode).toBe(1);
      expect(ended.stderr).toMatch(/space|bytes are expected/);
      expect(machine.json(0, 'list').points).toEqual([]);
      expect(await server.sql(null, 'select count(*) from information_schema.processlist where db is not null')).toBe(
        '0',
      );
    },
    120_000,
  );

  const DAMAGES: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    truncated: (bytes) => bytes.subarray(0, bytes.length >> 1),
    'cut before its last line': (bytes) => bytes.subarray(0, bytes.lastIndexOf('-- Dump completed')),
    emptied: () => Buffer.alloc(0),
    flipped: (bytes) => {
      const damaged = Buffer.from(bytes);
      const place = damaged.indexOf("'),\n(", damaged.length >> 1);
      damaged[place] = (damaged[place] ?? 0) ^ 0x10;
      return damaged;
    },
  };

  test('an item that was damaged is found out, also when its hash was written anew', async () => {
    const name = await database(
      'create table t (x int, y text); insert into t select seq, md5(seq) from seq_1_to_2000',
    );
    const machine = machineWith({ database: name }, 'none');
    machine.passes('backup');
    const folder = pointFolderIn(machine.path('disk/wiki'));
    const [file = ''] = readdirSync(folder).filter((each) => each.startsWith('mariadb_'));
    const whole = readFileSync(join(folder, file));
    for (const [what, damage] of Object.entries(DAMAGES)) {
      writeFileSync(join(folder, file), damage(whole));
      expect(machine.json(1, 'verify', 'wiki').outcome, what).toBe('failed');
      writeFileSync(join(folder, file), whole);
      storeRehashed(folder, file, damage(whole));
      expect(machine.json(1, 'verify', 'wiki').outcome, `${what}, hashed anew`).toBe('failed');
      storeRehashed(folder, file, whole);
      expect(machine.json(0, 'verify', 'wiki').outcome, what).toBe('passed');
    }
    rmSync(join(folder, file));
    expect(machine.json(1, 'verify', 'wiki').outcome).toBe('failed');
  }, 120_000);
});
