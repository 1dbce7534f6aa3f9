import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../e2e/holdfast.ts';
import { type DockerEngine, dockerEngine, until } from '../services/docker.ts';
import { postgresAvailable, postgresPrograms } from '../services/postgres.ts';
import { PROGRAM } from '../services/program.ts';
import { importDebian, type SystemdMachine, systemdAvailable, systemdMachine } from '../services/systemd.ts';

const [node, bundle] = PROGRAM;
/** As Debian has it: a unit that only stands for the clusters, which stop with it. */
const UNITS = {
  'postgresql.service': '[Service]\nType=oneshot\nExecStart=true\nRemainAfterExit=yes\n',
  'postgresql@main.service': `[Unit]
PartOf=postgresql.service
[Service]
User=postgres
RuntimeDirectory=postgresql
ExecStart=/pg/postgres -D /var/lib/main -c fsync=off -c listen_addresses= -c unix_socket_directories=/run/postgresql
`,
  'wiki.service': '[Unit]\nRequires=postgresql.service\n[Service]\nExecStart=sleep 6000\n',
};
const CONFIGURATION = `version: 1
repositories: { disk: { engine: archive, path: /var/lib/disk } }
guard: { settle: 1s, steady: 1s }
services:
  wiki:
    units: [{ systemd: postgresql.service }, { systemd: wiki.service }]
    stopDuring: { backup: true, restore: true }
    sources: { db: { postgres: { runAs: postgres, database: wiki } } }
`;

describe.runIf(systemdAvailable() && postgresAvailable())('a unit that is the server of the databases', () => {
  let engine: DockerEngine;
  let machine: SystemdMachine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importDebian(engine);
    const libraries = ['x86_64', 'aarch64'].map((name) => `/usr/lib/${name}-linux-gnu`).find(existsSync) ?? '';
    const programs = postgresPrograms() ?? '';
    const mounts = {
      ...{ [dirname(bundle)]: '/holdfast', [node]: '/usr/local/bin/node', [libraries]: '/opt/lib' },
      ...{ '/usr/lib/postgresql': '/usr/lib/postgresql', '/usr/share/postgresql': '/usr/share/postgresql' },
    };
    const volumes = Object.entries(mounts).flatMap(([from, to]) => ['--volume', `${from}:${to}:ro`]);
    // root of a machine may look at every process; that of a container may not
    machine = await systemdMachine(engine, ['--cap-add', 'SYS_PTRACE', ...volumes]);
    for (const [name, text] of Object.entries(UNITS))
      await machine.sh(`printf '%s' '${text}' > '/etc/systemd/system/${name}'`);
    await machine.sh(`echo /opt/lib > /etc/ld.so.conf.d/zz.conf; ldconfig; ln -s ${programs} /pg
      for name in psql pg_dump pg_dumpall pg_restore; do ln -s /pg/$name /usr/bin/$name; done
      useradd --create-home postgres; install -d -o postgres /var/lib/main
      runuser -u postgres -- /pg/initdb -D /var/lib/main -A peer --no-sync --locale=C.UTF-8 > /dev/null
      printf '%s' '${CONFIGURATION}' > /etc/wiki.yaml
      systemctl daemon-reload; systemctl start postgresql.service postgresql@main.service wiki.service`);
    await until(async () => (await sql('select 1', 'postgres').catch(() => '')) === '1', 'PostgreSQL in the machine');
    await sql('create database wiki', 'postgres');
    await sql('create table t as select 1 as x');
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  const sql = (text: string, database = 'wiki'): Promise<string> =>
    machine.sh(`cd /; runuser -u postgres -- /pg/psql -X -Atq -d ${database} -c "${text}"`);
  const property = (unit: string, name: string): Promise<string> =>
    machine.sh(`systemctl show --property ${name} --value ${unit}`);
  async function json(exitCode: number, ...args: readonly string[]): Promise<Json> {
    const words = args.map((word) => `'${word}'`).join(' ');
    const printed = await machine.sh(`export STATE_DIRECTORY=/var/lib/state HOLDFAST_CONFIG=/etc/wiki.yaml
      set +e; node /holdfast/${basename(bundle)} --json ${words} 2> /tmp/said; code=$?; echo; echo $code`);
    const [stdout = '', code = ''] = printed.split(/\n(?=\d+$)/);
    expect(Number(code), stdout + (await machine.sh('cat /tmp/said'))).toBe(exitCode);
    return JSON.parse(stdout);
  }

  test('goes on while they are dumped, restored in place and taken back, and the application stops meanwhile', async () => {
    await json(0, 'repository', 'init', 'disk');
    const server = await property('postgresql@main.service', 'MainPID');
    let application = await property('wiki.service', 'InvocationID');
    const expectRestarted = async (): Promise<void> => {
      expect(await property('postgresql@main.service', 'MainPID')).toBe(server);
      const now = await property('wiki.service', 'InvocationID');
      expect(now).not.toBe(application);
      application = now;
      expect(await machine.sh('systemctl is-active postgresql.service wiki.service')).toBe('active\nactive');
    };
    await json(0, 'backup');
    await expectRestarted();
    await sql('insert into t values (2)');
    const { steps } = await json(0, 'restore', 'wiki', '--in-place', '--dry-run');
    expect(steps).toContain('Leave postgresql.service up: its databases are exchanged');
    expect(steps).toContain('Stop wiki.service, if it runs');
    const restored = await json(0, 'restore', 'wiki', '--in-place', '--yes');
    await expectRestarted();
    expect(await sql('select string_agg(x::text, chr(32)) from t')).toBe('1');
    await json(0, 'rollback', '--snapshot', restored.kept[0].path, '--auto-confirm');
    await expectRestarted();
    expect(await sql('select count(*) from t')).toBe('2');
    const command = 'runuser -u postgres -- /pg/psql -X -q -d wiki -c "drop table t"; exit 7';
    const guarded = await json(
      2,
      'guard',
      '--service',
      'wiki',
      '--operation',
      'x',
      '--auto-rollback',
      '--command',
      command,
    );
    expect(guarded).toMatchObject({ outcome: 'rolled_back', commandExit: 7 });
    expect(await property('postgresql@main.service', 'MainPID')).toBe(server);
    expect(await sql('select count(*) from t')).toBe('2');
  }, 120_000);
});
