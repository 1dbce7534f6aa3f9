import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { available } from '../services/available.ts';
import { type DockerEngine, dockerAvailable, dockerEngine, startContainer, until } from '../services/docker.ts';
import { directory, SUFFIX, settingsOf } from '../services/ldap.ts';
import { canMount, temporaryDisk } from '../services/loop-disk.ts';
import { importPrograms } from '../services/programs-image.ts';
import { childOf, HOSTILE as ENTRIES, fillBelow, SUFFIXES } from '../sources/ldap-contents.ts';
import { contentsOf, fill, HOSTILE } from '../sources/redis-contents.ts';
import { aMachine, type Machine, tool } from './holdfast.ts';

const MODULES = '/usr/lib/ldap';
const needed = ['redis-server', 'redis-cli', 'slapd', 'slapcat', 'slapadd', 'ldapadd', 'ldd'];

/** The units are containers; with `--pid=host` and its folder under the same name, a server is as one of this machine. */
const AS_ON_THE_HOST = ['--pid', 'host'];

/** Settings of a Redis that works in a folder and listens on a socket there alone. */
const redisIn = (folder: string): readonly string[] => [
  ...['--unixsocket', `${folder}/redis.sock`, '--port', '0', '--dir', folder, '--repl-diskless-sync-delay', '0'],
];

describe.runIf(dockerAvailable() && needed.every(available))('a server that must be down', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
    const modules = readdirSync(MODULES).filter((name) => name.startsWith('back_mdb') && name.endsWith('.so'));
    await importPrograms(engine, {
      name: 'servers',
      binaries: [
        ...['/usr/bin/redis-server', '/usr/bin/redis-cli', '/usr/sbin/slapd', '/usr/sbin/slapcat', '/usr/sbin/slapadd'],
        ...modules.map((name) => join(MODULES, name)),
      ],
      folders: [MODULES, '/etc/ldap'],
    });
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  let made = 0;
  /** A container in which a server runs over a folder of this machine. */
  async function running(folder: string, inside: string, options: readonly string[], ...server: readonly string[]) {
    const name = `server${++made}`;
    const volume = ['--volume', `${folder}:${inside}`];
    await startContainer(engine, name, ...options, ...volume, 'servers', ...server);
    return name;
  }

  function machineWith(source: object, container: string | null, stoppedForBackups = false): Machine {
    const machine = aMachine(engine.environment);
    const units = container === null ? '' : `units: [{ container: ${container} }], `;
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
guard: { settle: 1s, steady: 1s }
services:
  one: { ${units}stopDuring: { backup: ${stoppedForBackups}, restore: true }, sources: { own: ${JSON.stringify(source)} } }`);
    machine.passes('repository', 'init', 'disk');
    return machine;
  }

  async function folderOf(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-served-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  /** What a client sees of a Redis whose socket is in a folder. */
  const clientOf = (folder: string) => {
    const socket = join(folder, 'redis.sock');
    const cli = async (...args: readonly string[]): Promise<string> =>
      tool('redis-cli', '-e', '-s', socket, ...args).replace(/\n$/, '');
    const answers = async (): Promise<boolean> => (await cli('ping').catch(() => '')) === 'PONG';
    return { socket, cli, answers, up: () => until(answers, 'redis') };
  };

  test.each([
    ['its RDB', []],
    ['its append-only file', ['--appendonly', 'yes']],
  ])(
    'Redis comes back in place through %s, and its present state is kept',
    async (_, settings) => {
      const folder = await folderOf();
      const container = await running(folder, folder, AS_ON_THE_HOST, 'redis-server', ...redisIn(folder), ...settings);
      const client = clientOf(folder);
      await client.up();
      await fill(client, HOSTILE);
      const before = await contentsOf(client);
      const machine = machineWith({ redis: { socket: client.socket } }, container);
      machine.passes('backup');
      await client.cli('flushall');
      await client.cli('set', 'newer', '1');
      const report = machine.json(0, 'restore', 'one', '--in-place', '--yes');
      await client.up();
      expect(await contentsOf(client)).toEqual(before);
      const kept = report.kept.map(({ path }: { readonly path: string }) => path.replace(folder, '')) as string[];
      expect(kept.join()).toContain(
        settings.length === 0 ? '/dump.rdb.recovery-backup-' : '/appendonlydir.recovery-backup-',
      );
      machine.passes('restore', report.safetyPoint, '--to', 'then');
      expect(tool('redis-check-rdb', machine.path('then/redis.rdb'))).toContain('1 keys read');
      await engine.docker('stop', '--time', '5', container);
      await engine.docker('start', container);
      await client.up();
      expect(await contentsOf(client)).toEqual(before);
    },
    120_000,
  );

  test('OpenLDAP comes back in place, entries and configuration, under the account that owns its files', async () => {
    await using made = await directory(ENTRIES);
    const { folder, config, data } = made;
    tool('chmod', '755', folder);
    tool('chown', '-R', 'openldap:openldap', config, data);
    const address = `ldapi://${encodeURIComponent(join(folder, 'ldapi'))}`;
    const server = ['slapd', '-F', config, '-h', address, '-d', '0'];
    const container = await running(folder, folder, AS_ON_THE_HOST, ...server);
    const login = ['-x', '-H', address, '-D', `cn=admin,${SUFFIX}`, '-w', 'directory'];
    const answers = (): Promise<boolean> => made.tool('ldapwhoami', ...login).then(Boolean, () => false);
    const up = (): Promise<void> => until(answers, 'slapd');
    await up();
    const contents = async (): Promise<readonly string[]> => [
      await made.tool('slapcat', '-F', config, '-b', SUFFIX),
      await made.tool('slapcat', '-F', config, '-n', '0'),
    ];
    const before = await contents();
    const machine = machineWith({ ldap: { config, suffix: SUFFIX, runAs: 'openldap' } }, container);
    machine.passes('backup');
    const late = machine.write('late.ldif', `dn: ou=late,${SUFFIX}\nobjectClass: organizationalUnit\nou: late\n`);
    await made.tool('ldapadd', ...login, '-f', late);
    await made.tool('ldapdelete', ...login, `cn=ends,${SUFFIX}`);
    expect(await contents()).not.toEqual(before);
    const undeclared = machineWith({ ldap: { config, suffix: SUFFIX } }, null);
    undeclared.passes('backup');
    const refused = undeclared.json(1, 'restore', 'one', '--in-place', '--yes');
    expect(refused.error).toMatchObject({ code: 'Refused', hint: expect.stringContaining('units') });
    const report = machine.json(0, 'restore', 'one', '--in-place', '--yes');
    await up();
    expect(await contents()).toEqual(before);
    const kept = report.kept.map(({ original }: { readonly original: string }) => original);
    expect(kept.toSorted()).toEqual([data, config]);
    for (const path of [data, config, join(data, 'data.mdb'), join(config, 'cn=config.ldif')])
      expect(tool('stat', '--format', '%U', path), path).toBe('openldap\n');
    machine.passes('restore', report.safetyPoint, '--to', 'then');
    expect(tool('grep', '--count', '^dn: ou=late', machine.path('then/ldap.ldif'))).toBe('1\n');
    await made.tool('ldapadd', ...login, '-f', late);
    machine.passes('restore', 'one', '--in-place', '--yes', '--item', 'ldap');
    await up();
    expect(await contents()).toEqual(before);
    await engine.docker('stop', '--time', '1', container);
    for (const name of readdirSync(join(config, 'cn=config')))
      if (name.startsWith('olcDatabase={1}')) rmSync(join(config, 'cn=config', name));
    machine.passes('restore', 'one', '--in-place', '--yes', '--item', 'ldap_config');
    expect(await contents()).toEqual(before);
  }, 120_000);

  test('a directory comes back in place however its suffix is written, and never without its entries', async () => {
    const unit = await running(await folderOf(), '/data', [], 'redis-server', '--dir', '/data');
    for (const { suffix, stored, top } of SUFFIXES) {
      await using made = await directory('', settingsOf(stored));
      const { config, tool: run } = made;
      await fillBelow(made, stored, top);
      const contents = (): Promise<string> => run('slapcat', '-F', config, '-b', stored);
      const before = await contents();
      const machine = machineWith({ ldap: { config, suffix } }, unit);
      machine.passes('backup');
      const change = `dn:: ${Buffer.from(childOf(stored)).toString('base64')}\nchangetype: delete\n`;
      await run('slapmodify', '-F', config, '-b', stored, '-l', machine.write('gone.ldif', change));
      expect(await contents()).not.toBe(before);
      expect(machine.json(0, 'restore', 'one', '--in-place', '--yes').kept).toHaveLength(2);
      expect(await contents()).toBe(before);
      if (suffix !== SUFFIXES[0].suffix) continue;
      rmSync(join(config, 'cn=config/olcDatabase={1}mdb.ldif'));
      const { error } = machine.json(1, 'restore', 'one', '--in-place', '--yes');
      expect(error).toMatchObject({ code: 'Refused', message: expect.stringContaining('Where ldap belongs') });
      for (const item of ['ldap_config', 'ldap'])
        machine.passes('restore', 'one', '--item', item, '--in-place', '--yes');
      expect(await contents()).toBe(before);
    }
  }, 120_000);

  test.runIf(canMount())(
    'a server whose disk has no room for what comes back is told so, and goes on as it was',
    async () => {
      using disk = temporaryDisk(32);
      const folder = join(disk.path, 'redis');
      mkdirSync(folder);
      const container = await running(folder, folder, AS_ON_THE_HOST, 'redis-server', ...redisIn(folder));
      const client = clientOf(folder);
      await client.up();
      await client.cli('eval', "for n = 1, 60000 do redis.call('set', n, redis.sha1hex(n)) end", '0');
      const machine = machineWith({ redis: { socket: client.socket } }, container);
      machine.passes('backup');
      await client.cli('flushall');
      await client.cli('set', 'newer', '1');
      const ballast = join(disk.path, 'ballast');
      tool('sh', '-c', `dd if=/dev/zero of='${ballast}' bs=1M 2>/dev/null || true; truncate -s -1M '${ballast}'`);
      const names = readdirSync(folder);
      const { error } = machine.json(1, 'restore', 'one', '--in-place', '--yes');
      expect(error).toMatchObject({ code: 'NoSpace', hint: expect.stringContaining('Free space') });
      expect(await client.cli('keys', '*')).toBe('newer');
      expect(readdirSync(folder)).toEqual(names);

      await using made = await directory(ENTRIES);
      const own = join(disk.path, 'directory');
      tool('cp', '-a', made.folder, own);
      const config = join(own, 'slapd.d');
      await made.tool(
        'sed',
        '-i',
        `s#^olcDbDirectory:.*#olcDbDirectory: ${own}/data#`,
        `${config}/cn=config/olcDatabase={1}mdb.ldif`,
      );
      const people = machineWith({ ldap: { config, suffix: SUFFIX } }, container);
      people.passes('backup');
      const before = await made.tool('slapcat', '-F', config, '-b', SUFFIX);
      const listed = tool('find', own);
      tool('sh', '-c', `dd if=/dev/zero of='${ballast}-2' bs=4K 2>/dev/null || true; truncate -s -400K '${ballast}-2'`);
      const full = people.json(1, 'restore', 'one', '--in-place', '--yes');
      expect(full.error, full.error.message).toMatchObject({ code: 'NoSpace', hint: expect.stringContaining('Free') });
      expect(await made.tool('slapcat', '-F', config, '-b', SUFFIX)).toBe(before);
      expect(tool('find', own)).toBe(listed);
    },
    120_000,
  );

  test('servers in containers are taken back through their volumes, by guard too, and never through what only looks like one', async () => {
    const folder = await folderOf();
    const words = ['--unixsocket', '/data/redis.sock', '--dir', '/data', '--repl-diskless-sync-delay', '0'];
    const cache = await running(folder, '/data', [], 'redis-server', ...words);
    const client = clientOf(folder);
    await client.up();
    await fill(client, HOSTILE);
    const before = await contentsOf(client);
    const machine = machineWith({ redis: { container: cache } }, cache, true);
    machine.passes('backup');
    const guarded = ['guard', '--service', 'one', '--operation', 'update', '--auto-rollback', '--command'];
    const ended = machine.run([...guarded, `redis-cli -s ${client.socket} flushall; exit 7`]);
    expect(ended.exitCode, ended.stderr).toBe(2);
    await client.up();
    expect(await contentsOf(client)).toEqual(before);
    const bare = await running(await folderOf(), '/elsewhere', [], 'redis-server', '--dir', '/tmp');
    const unsafe = machineWith({ redis: { container: bare } }, bare);
    await until(async () => unsafe.run(['backup']).exitCode === 0, 'a backup');
    const refused = unsafe.json(1, 'restore', 'one', '--in-place', '--yes');
    expect(refused.error).toMatchObject({ code: 'Refused', message: expect.stringContaining('lies in no volume') });

    await using made = await directory(ENTRIES);
    const { config } = made;
    const people = await running(
      made.folder,
      made.folder,
      [],
      ...['slapd', '-F', config, '-h', 'ldapi://%2Frun%2Fldapi', '-d', '0'],
    );
    const contents = async (): Promise<string> => await made.tool('slapcat', '-F', config, '-b', SUFFIX);
    const entries = await contents();
    const own = machineWith({ ldap: { container: people, config, suffix: SUFFIX } }, people, true);
    own.passes('backup');
    await engine.docker('stop', '--time', '1', people);
    await made.tool(
      'slapmodify',
      '-F',
      config,
      '-b',
      SUFFIX,
      '-l',
      own.write('late.ldif', `dn: cn=ends,${SUFFIX}\nchangetype: delete\n`),
    );
    await engine.docker('start', people);
    expect(await contents()).not.toBe(entries);
    own.passes('restore', 'one', '--in-place', '--yes');
    expect(await contents()).toBe(entries);
    expect(readdirSync(made.folder).filter((name) => name.startsWith('data.recovery-backup-'))).toHaveLength(1);
  }, 120_000);
});
