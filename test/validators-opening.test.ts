import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { source as sqliteSource } from '../src/adapters/sources/sqlite/index.ts';
import type { ServiceDefinition } from '../src/domain/definitions.ts';
import { DEFAULT_OBJECTIVES } from '../src/domain/objectives.ts';
import { machineValidators, serviceChecks, subvolumeValidators } from '../src/validators.ts';
import { memoryUnit } from './fakes/unit.ts';

const ENGINE = { DOCKER_HOST: 'unix:///run/engine.sock' };

const never = (): AbortSignal => new AbortController().signal;
const host = localHost();

const wiki = (checks: readonly unknown[]): ServiceDefinition => ({
  ...{ name: 'wiki', host: 'local', tier: 'critical', objectives: DEFAULT_OBJECTIVES, units: [], checks },
  sources: [{ name: 'db', kind: 'sqlite', settings: {} }],
  stopDuring: { backup: false, restore: true },
});

test('the checks of a service are opened in their order, are told its name, and reach its sources', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-checks-'));
  try {
    const path = join(folder, 'db');
    const writer = new DatabaseSync(path);
    writer.exec('CREATE TABLE users (name TEXT); INSERT INTO users VALUES (1)');
    writer.close();
    const checks = [
      { sql: { source: 'db', query: 'SELECT count(*) FROM users' } },
      { command: ['sh', '-c', 'test "$HOLDFAST_SERVICE" = wiki'] },
      { http: 'http://127.0.0.1:9/' },
    ];
    const source = async () => sqliteSource('db', { sqlite: path }, host);
    const opened = await serviceChecks(wiki(checks), host, ENGINE, source);
    expect(opened.map(({ name }) => name)).toEqual([
      'sql db: SELECT count(*) FROM users',
      'command sh -c test "$HOLDFAST_SERVICE" = wiki',
      'http http://127.0.0.1:9/',
    ]);
    for (const check of opened.slice(0, 2)) expect(await check.baseline(never())).toMatchObject({ good: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a source that the service does not have is refused before anything is looked at', async () => {
  const source = () => Promise.reject(new Error('It was asked for a source.'));
  const opened = serviceChecks(wiki([{ sql: { source: 'bd', query: 'SELECT 1' } }]), host, ENGINE, source);
  await expect(opened).rejects.toMatchObject({ code: 'ConfigurationInvalid', subject: 'bd' });
});

test('a subvolume has its units before its checks, which are told its name and the engine, and no source to be asked', async () => {
  const command = {
    command: ['sh', '-c', 'test "$HOLDFAST_SUBVOLUME $DOCKER_HOST" = "@home unix:///run/engine.sock"'],
  };
  const [unit, check] = await subvolumeValidators('@home', [memoryUnit()], [command], host, ENGINE);
  expect(unit?.name).toBe('unit mealie.service');
  expect(await check?.baseline(never())).toMatchObject({ good: true });
  const refused = subvolumeValidators('@home', [], [{ sql: { source: 'db', query: 'SELECT 1' } }], host, ENGINE);
  await expect(refused).rejects.toMatchObject({ code: 'ConfigurationInvalid' });
});

test('what is of another machine is not looked at on this one', async () => {
  expect(await machineValidators({ ...host, name: 'media', capabilities: { localPaths: false } })).toEqual([]);
});
