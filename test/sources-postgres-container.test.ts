import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerHost } from '../src/adapters/hosts/docker/index.ts';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { format, source } from '../src/adapters/sources/postgres/index.ts';
import { Secret } from '../src/domain/secret.ts';
import type { SourceTools } from '../src/ports/source.ts';
import { type DockerEngine, dockerEngine } from './services/docker.ts';
import { importPostgres, postgresImageAvailable, startPostgresContainer } from './services/postgres-image.ts';
import { bytesOf, contextIn, temporaryFolder, writeBytes } from './sources/support.ts';

const never = (): AbortSignal => new AbortController().signal;

describe.runIf(postgresImageAvailable())('needs a Docker Engine and PostgreSQL', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importPostgres(engine);
    await startPostgresContainer(engine);
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  const psql = (database: string, sql: string): Promise<string> =>
    engine.docker('exec', 'pg', 'psql', '-U', 'postgres', '-AtXq', '-d', database, '-c', sql);

  test('a database in a container is dumped, proved, and filled anew, and nothing of it stays inside', async () => {
    await using folder = await temporaryFolder();
    await engine.docker('exec', 'pg', 'createdb', '-U', 'postgres', 'wi ki');
    await psql('wi ki', "create table t as select g, 'row ' || g as text from generate_series(1, 20000) g");
    const tools: SourceTools = {
      secret: async () => new Secret('never asked for'),
      container: (name) => dockerHost(name, localHost(), engine.environment, never()),
      engineEnvironment: engine.environment,
    };
    const inside = (): Promise<string> => engine.docker('exec', 'pg', 'ls', '-A', '/tmp', '/', '/run/postgresql');
    const before = await inside();
    const opened = source('pg', { postgres: { container: 'pg', databases: 'all', globals: true } }, localHost(), tools);
    await using capture = await opened.capture(contextIn(folder.path), never());
    expect(capture.items.map(({ name }) => name)).toEqual([
      ...['postgres_globals', 'postgres_postgres', 'postgres_wi%20ki'],
    ]);
    for (const item of capture.items) {
      await writeBytes(bytesOf(item, never()), join(folder.path, item.name));
      const bytes = await readFile(join(folder.path, item.name));
      async function* once() {
        yield bytes;
      }
      const findings = await format.inspect(once(), item.completed().facts, folder.path, never());
      expect(findings.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    }
    const dump = await readFile(join(folder.path, 'postgres_wi%20ki'));
    async function* bytes() {
      yield dump;
    }
    expect(await opened.databases?.fill('anew', bytes, never())).toEqual([]);
    const sum = 'select count(*), sum(g), md5(string_agg(text, $$,$$ order by g)) from t';
    expect(await psql('anew', sum)).toBe(await psql('wi ki', sum));
    expect(await inside()).toBe(before);
    const running = await engine.docker('exec', 'pg', 'sh', '-c', 'cat /proc/[0-9]*/comm');
    expect(running).not.toMatch(/psql|pg_dump|pg_restore/);
  }, 120_000);
});
