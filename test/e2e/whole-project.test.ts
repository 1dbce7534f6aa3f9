import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { composeFile, type DockerEngine, dockerEngine, importBusybox, until } from '../services/docker.ts';
import { importPostgres, postgresImageAvailable, postgresInCompose } from '../services/postgres-image.ts';
import { aMachine, type Json, type Machine } from './holdfast.ts';

/** A database, and an application with its files. */
const COMPOSE = `version: '3.7'
services:
  db: ${postgresInCompose('postgres')}
  app:
    image: busybox
    network_mode: none
    depends_on: [ db ]
    volumes: [ "./uploads:/uploads" ]
    command: sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
`;

async function project(engine: DockerEngine, machine: Machine): Promise<(sql: string) => Promise<string>> {
  const folder = machine.path('wiki');
  mkdirSync(join(folder, 'uploads'), { recursive: true });
  writeFileSync(join(folder, 'uploads/picture'), 'then\n');
  writeFileSync(join(folder, 'compose.yaml'), COMPOSE);
  await composeFile(engine, join(folder, 'compose.yaml'), 'up', '--detach');
  const psql = ['exec', 'wiki_db_1', 'psql', '-U', 'postgres', '-Atqc'];
  const asked = (sql: string): Promise<string> => engine.docker(...psql, sql).catch((error: Error) => error.message);
  await until(async () => (await asked('select 1')) === '1', 'the server in the container');
  machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
guard: { settle: 1s, steady: 1s }
services:
  wiki:
    units: [{ compose: ./wiki/compose.yaml }]
    stopDuring: { backup: true, restore: true }
    sources:
      uploads: { files: [./wiki/uploads] }
      db: { postgres: { container: wiki_db_1, database: postgres, user: postgres } }`);
  return asked;
}

test.runIf(postgresImageAvailable() && available('docker-compose'))(
  'a Compose project stops around its own database, which goes on and is dumped and taken back',
  async () => {
    await using engine = await dockerEngine();
    await importBusybox(engine);
    await importPostgres(engine);
    const machine = aMachine(engine.environment);
    const asked = await project(engine, machine);
    const startedAt = (name: string): Promise<string> => engine.docker('inspect', '-f', '{{.State.StartedAt}}', name);
    await asked('create table pages as select generate_series(1, 3) as page');
    const [server, before] = [await startedAt('wiki_db_1'), await startedAt('wiki_app_1')];
    machine.json(0, 'repository', 'init', 'disk');
    expect(machine.json(0, 'backup').points[0].items.map((item: Json) => item.outcome)).toEqual(['passed', 'passed']);
    const again = await startedAt('wiki_app_1');
    expect(again).not.toBe(before);

    const drop = `echo now > wiki/uploads/picture; docker exec wiki_db_1 psql -U postgres -qc 'drop table pages'; exit 7`;
    const guarded = ['guard', '--service', 'wiki', '--operation', 'upgrade', '--auto-rollback', '--command', drop];
    expect(machine.json(2, ...guarded)).toMatchObject({ outcome: 'rolled_back', commandExit: 7, rollbackError: null });
    expect(await asked('select sum(page) from pages')).toBe('6');
    expect(readFileSync(machine.path('wiki/uploads/picture'), 'utf8')).toBe('then\n');
    expect(await startedAt('wiki_app_1')).not.toBe(again);
    expect(await startedAt('wiki_db_1')).toBe(server);
    expect(await engine.docker('ps', '--format', '{{.Names}}')).toContain('wiki_app_1');
  },
  300_000,
);
