import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerHost } from '../src/adapters/hosts/docker/index.ts';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import * as couchdb from '../src/adapters/sources/couchdb/index.ts';
import * as ldap from '../src/adapters/sources/ldap/index.ts';
import * as redis from '../src/adapters/sources/redis/index.ts';
import type { Facts } from '../src/domain/facts.ts';
import { Secret } from '../src/domain/secret.ts';
import type { ItemFormat, Source, SourceTools } from '../src/ports/source.ts';
import { available } from './services/available.ts';
import { couchdbAvailable, couchdbServer } from './services/couchdb.ts';
import { type DockerEngine, dockerAvailable, dockerEngine, pidOf, startContainer, until } from './services/docker.ts';
import { directory, SUFFIX } from './services/ldap.ts';
import { importPrograms } from './services/programs-image.ts';
import { HOSTILE } from './sources/ldap-contents.ts';
import { bytesOf, contextIn, temporaryFolder, writeBytes } from './sources/support.ts';

const execute = promisify(execFile);
const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'pa"ss w\'örd\\ 4711-secret';
const needed = ['redis-server', 'redis-cli', 'redis-check-rdb', 'slapd', 'slapcat', 'ldd'];
const MODULES = '/usr/lib/ldap';

describe.runIf(dockerAvailable() && needed.every(available))('needs a Docker Engine, Redis and OpenLDAP', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importPrograms(engine, { name: 'redis', binaries: ['/usr/bin/redis-server', '/usr/bin/redis-cli'] });
    const modules = readdirSync(MODULES).filter((name) => name.startsWith('back_mdb') && name.endsWith('.so'));
    await importPrograms(engine, {
      name: 'openldap',
      binaries: ['/usr/sbin/slapd', '/usr/sbin/slapcat', ...modules.map((name) => join(MODULES, name))],
      folders: [MODULES, '/etc/ldap'],
    });
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  const tools: SourceTools = {
    secret: async () => new Secret(PASSWORD),
    container: (name) => dockerHost(name, localHost(), engine.environment, never()),
    engineEnvironment: {},
  };

  /** Stores every item, proves it, and answers with the facts. */
  async function proved(source: Source, format: ItemFormat, folder: string): Promise<Readonly<Record<string, Facts>>> {
    const facts: Record<string, Facts> = {};
    await using capture = await source.capture(contextIn(folder), never());
    for (const item of capture.items) {
      await writeBytes(bytesOf(item, never()), join(folder, item.name));
      const bytes = await readFile(join(folder, item.name));
      async function* once() {
        yield bytes;
      }
      facts[item.name] = item.completed().facts;
      const findings = await format.inspect(once(), item.completed().facts, folder, never());
      expect(findings.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    }
    return facts;
  }
  const inside = (container: string): Promise<string> =>
    engine.docker('exec', container, 'ls', '-A', '/', '/tmp', '/run', '/etc');

  test('a Redis in a container is dumped by its own redis-cli, and nothing of it stays inside', async () => {
    await using folder = await temporaryFolder();
    const server = ['redis-server', '--save', '', '--requirepass', PASSWORD, '--repl-diskless-sync-delay', '0'];
    await startContainer(engine, 'cache', 'redis', ...server);
    const cli = (...words: readonly string[]): Promise<string> =>
      engine.docker('exec', '--env', `REDISCLI_AUTH=${PASSWORD}`, 'cache', 'redis-cli', ...words);
    await until(async () => (await cli('ping').catch(() => '')) === 'PONG', 'redis');
    await cli('mset', 'a', '1', 'b', '2');
    await cli('hset', 'h', 'f', 'v');
    const before = await inside('cache');
    const source = redis.source('cache', { redis: { container: 'cache', password: { env: 'X' } } }, localHost(), tools);
    expect(await proved(source, redis.format, folder.path)).toEqual({
      redis: { keys: 3, keyTypes: { hash: 1, string: 2 } },
    });
    expect(await inside('cache')).toBe(before);
    await engine.docker('stop', '--time', '1', 'cache');
    await expect(proved(source, redis.format, folder.path)).rejects.toMatchObject({ code: 'SourceMissing' });
  });

  test.runIf(couchdbAvailable())(
    'a CouchDB that only its container reaches is dumped and filled through it, and nothing stays inside',
    async () => {
      await using folder = await temporaryFolder();
      await importPrograms(engine, { name: 'couch', binaries: ['/usr/bin/bash'] });
      // its first process reaps nothing, as that of many images
      await engine.docker('run', '--detach', '--network', 'none', '--name', 'couch', 'couch', 'sleep', '3600');
      const within = ['nsenter', `--net=/proc/${await pidOf(engine, 'couch')}/ns/net`];
      await using outer = await couchdbServer();
      await using inner = await couchdbServer(`admin:${PASSWORD}`, within);
      await outer.ask('PUT', '/vault');
      const picture = { content_type: 'image/jpeg', data: Buffer.alloc(2_000_000, 7).toString('base64') };
      await outer.ask('PUT', '/vault/picture', { _attachments: { 'soup.jpg': picture } });
      const reached = couchdb.source('vault', { couchdb: { url: outer.url } }, localHost(), tools);
      const facts = { documents: { vault: 1 }, deleted: 0, designDocuments: 0, revisions: 1, attachments: 1 };
      expect(await proved(reached, couchdb.format, folder.path)).toEqual({ couchdb_vault: facts });
      const dump = await readFile(join(folder.path, 'couchdb_vault'));
      const settings = { container: 'couch', port: inner.port, user: 'admin', password: { env: 'X' } };
      const source = couchdb.source('vault', { couchdb: { ...settings, database: 'vault' } }, localHost(), tools);
      await source.databases?.fill(
        'vault',
        async function* () {
          yield dump;
        },
        never(),
      );
      expect(await source.databases?.facts('vault', never())).toEqual(facts);
      expect(await proved(source, couchdb.format, folder.path)).toEqual({ couchdb_vault: facts });
      const picked = await execute(
        within[0] ?? '',
        [...within.slice(1), ...['curl', '-sS', '--user', `admin:${PASSWORD}`, `${inner.url}/vault/picture/soup.jpg`]],
        { encoding: 'buffer', maxBuffer: 2 ** 22 },
      );
      expect(picked.stdout.equals(Buffer.alloc(2_000_000, 7))).toBe(true);
      const running = await engine.docker('exec', 'couch', 'sh', '-c', 'cat /proc/[0-9]*/comm');
      expect(running).not.toMatch(/bash/);
    },
    60_000,
  );

  test('an OpenLDAP in a container is dumped by its own slapcat, and nothing of it stays inside', async () => {
    await using folder = await temporaryFolder();
    await using made = await directory(HOSTILE);
    const volumes = ['--volume', `${made.folder}:${made.folder}`];
    const server = ['slapd', '-F', made.config, '-h', 'ldapi://%2Frun%2Fldapi', '-d', '0'];
    await startContainer(engine, 'people', ...volumes, 'openldap', ...server);
    await until(async () => (await inside('people')).includes('ldapi'), 'slapd');
    const before = await inside('people');
    const settings = { ldap: { container: 'people', config: made.config, suffix: SUFFIX } };
    const source = ldap.source('people', settings, localHost(), tools);
    const facts = await proved(source, ldap.format, folder.path);
    expect(facts.ldap).toEqual({ entries: 10 });
    expect(facts.ldap_config?.entries).toBeGreaterThan(3);
    expect(await inside('people')).toBe(before);
    const elsewhere = ldap.source('people', { ldap: { container: 'cellar', suffix: SUFFIX } }, localHost(), tools);
    await expect(proved(elsewhere, ldap.format, folder.path)).rejects.toMatchObject({
      code: expect.stringMatching(/Missing$/),
    });
  });
});
