import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { available } from '../services/available.ts';
import {
  composeFile,
  type DockerEngine,
  dockerAvailable,
  dockerEngine,
  importBusybox,
  until,
} from '../services/docker.ts';
import { directory, SUFFIX, startDirectory } from '../services/ldap.ts';
import { mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { postgresAvailable, postgresServer } from '../services/postgres.ts';
import { importPostgres, postgresImageAvailable, postgresInCompose } from '../services/postgres-image.ts';
import { redisServer } from '../services/redis.ts';
import { aMachine, type Json, type Machine, tool } from './holdfast.ts';

/** The services of a proposal that speak of one of these places; the machine may have others. */
function servicesAbout(proposed: Json, places: readonly string[]): Readonly<Record<string, Json>> {
  const about = (service: Json): boolean => places.some((place) => JSON.stringify(service).includes(place));
  return Object.fromEntries(Object.entries(proposed.services).filter(([, service]) => about(service)));
}

/** Backs up these services of a proposal, and proves it; the repository of the proposal is not this test's to fill. */
function backedUp(machine: Machine, services: object): Json {
  machine.configure(stringify({ repositories: { local: { engine: 'archive', path: './disk' } }, services }));
  machine.passes('repository', 'init', 'local');
  const report = machine.json(0, 'backup');
  machine.passes('verify');
  return report;
}

test('podman, which leaves folders behind whatever it is asked, is asked only where one of its containers runs', () => {
  const machine = aMachine();
  for (const program of ['docker', 'podman'])
    chmodSync(machine.write(`bin/${program}`, `#!/bin/sh\necho "${program} $*" >> ${machine.path('asked')}\n`), 0o755);
  const environment = { PATH: `${machine.path('bin')}:${machine.environment.PATH}` };
  const asked = (): string => {
    writeFileSync(machine.path('asked'), '');
    expect(machine.run(['init', '--output', '-'], { environment }).exitCode).toBe(0);
    return readFileSync(machine.path('asked'), 'utf8');
  };
  expect(asked()).toMatch(/^docker ps/);
  expect(asked()).not.toContain('podman');
  tool('cp', '/bin/sleep', machine.path('bin/conmon'));
  const monitor = spawn(machine.path('bin/conmon'), ['600'], { stdio: 'ignore' });
  onTestFinished(() => void monitor.kill('SIGKILL'));
  expect(asked()).toContain('podman ps');
});

const servers = [postgresAvailable, mariadbAvailable, () => ['redis-server', 'slapd'].every(available)];

describe.runIf(servers.every((there) => there()))('needs PostgreSQL, MariaDB, Redis and OpenLDAP', () => {
  test('servers that listen are proposed as they can be dumped, and the first backup of them passes', async () => {
    await using postgres = await postgresServer();
    await using mariadb = await mariadbServer();
    await using redis = await redisServer();
    await using locked = await redisServer({}, 'a password that nobody told');
    const entry = `dn: ${SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: home\ndc: home\n`;
    await using ldap = await directory(entry);
    await using _ = await startDirectory(ldap);
    await postgres.sql('postgres', 'create table t (x) as values (1), (2)');
    await mariadb.sql(null, 'create database wiki; create table wiki.t (x int) engine=InnoDB');
    await redis.cli('set', 'a', '1');
    const machine = aMachine();
    const { configuration } = machine.json(0, 'init', '--output', 'proposed.yaml');
    expect(readFileSync(machine.path('proposed.yaml'), 'utf8')).toBe(configuration);
    machine.passes('--config', machine.path('proposed.yaml'), 'config', 'check');
    const places = [postgres.socket, mariadb.socket, redis.socket, ldap.config];
    const services = servicesAbout(parse(configuration), places);
    const sources = Object.values(services).map(({ sources: { db } }) => db);
    const byText = (list: readonly Json[]): string[] => list.map((one) => JSON.stringify(one)).toSorted();
    expect(byText(sources)).toEqual(
      byText([
        { postgres: { socket: postgres.socket, runAs: 'postgres', databases: 'all', globals: true } },
        { mariadb: { socket: mariadb.socket, databases: 'all' } },
        { redis: { socket: redis.socket } },
        { ldap: { config: ldap.config, suffix: SUFFIX } },
      ]),
    );
    expect(configuration).toMatch(
      new RegExp(`# db: \\{ redis: \\{ socket: ${locked.socket} \\} \\}\n.*as it stands: .*NOAUTH`),
    );
    const { points } = backedUp(machine, services);
    expect(points.flatMap(({ items }: Json) => items.map(({ name }: Json) => name)).toSorted()).toEqual(
      ['ldap', 'ldap_config', 'mariadb_wiki', 'postgres_globals', 'postgres_postgres', 'redis'].toSorted(),
    );
  }, 120_000);
});

describe.runIf(dockerAvailable() && postgresImageAvailable() && available('docker-compose'))('needs Docker', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importBusybox(engine);
    await importPostgres(engine);
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  /** A database that starts as an image of PostgreSQL does, a page that it keeps beside it, and a job. */
  const COMPOSE = `version: '3.7'
services:
  db: ${postgresInCompose('keeper')}
    environment: { POSTGRES_USER: keeper, POSTGRES_PASSWORD: "never to be seen" }
    volumes: [ "./pgdata:/var/lib/postgresql/data:rw" ]
  app:
    image: busybox
    network_mode: none
    volumes: [ "pages:/pages", "./uploads:/uploads" ]
    labels: { docker-volume-backup.stop-during-backup: "true" }
    command: sh -c 'trap "exit 0" TERM; echo page > /pages/one; while :; do sleep 0.1; done'
volumes: { pages: {} }
`;

  test('a Compose project is proposed as a service of its volumes, files and databases, without a password', async () => {
    const machine = aMachine(engine.environment);
    const folder = machine.path('wiki');
    for (const name of ['pgdata', 'uploads']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'docker-compose.yml'), COMPOSE);
    writeFileSync(join(folder, 'uploads/picture'), 'picture\n');
    writeFileSync(join(folder, 'pgdata/PG_VERSION'), '15\n');
    tool('sqlite3', join(folder, 'notes.sqlite'), 'create table notes (x); insert into notes values (1)');
    const compose = (...words: readonly string[]): Promise<void> =>
      composeFile(engine, join(folder, 'docker-compose.yml'), ...words);
    await compose('up', '--detach');
    try {
      const psql = ['exec', 'wiki_db_1', 'psql', '-U', 'keeper', '-d', 'postgres', '-Atc'];
      const asked = (sql: string): Promise<string> => engine.docker(...psql, sql).catch(() => '');
      await until(async () => (await asked('select 1')) === '1', 'the server in the container');
      await asked('create table t as select 1');
      const { configuration } = machine.json(0, 'init', '--output', 'proposed.yaml');
      expect(configuration).not.toContain('never to be seen');
      machine.passes('--config', machine.path('proposed.yaml'), 'config', 'check');
      const services = servicesAbout(parse(configuration), [folder]);
      expect(services).toEqual({
        wiki: {
          units: [{ container: 'wiki_app_1' }],
          stopDuring: { backup: true, restore: true },
          sources: {
            db: { postgres: { container: 'wiki_db_1', user: 'keeper', databases: 'all', globals: true } },
            pages: { volume: 'wiki_pages' },
            files: { files: [folder], exclude: [`${folder}/notes.sqlite*`, `${folder}/pgdata`] },
            'db-2': { sqlite: `${folder}/notes.sqlite` },
          },
        },
      });
      const { points } = backedUp(machine, services);
      expect(points[0].items.map(({ name, outcome }: Json) => [name, outcome])).toEqual(
        ['postgres_globals', 'postgres_postgres', 'volume_pages', 'files_files', 'sqlite_db-2'].map((name) => [
          name,
          'passed',
        ]),
      );
      const listed = machine.passes('ls', points[0].id, 'files_files');
      expect(listed).toContain('uploads/picture');
      expect(listed).not.toContain('PG_VERSION');
      expect(await engine.docker('ps', '--format', '{{.Names}}')).toContain('wiki_app_1');
    } finally {
      await compose('down', '--timeout', '1');
    }
  }, 120_000);
});
