import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type DockerEngine,
  dockerAvailable,
  dockerEngine,
  importBusybox,
  pauseContainer,
  startContainer,
  until,
} from '../services/docker.ts';
import { PROGRAM } from '../services/program.ts';
import { aMachine, type Machine } from './holdfast.ts';
import { LOOP, lookAt, STOPS, sh } from './stopped-containers.ts';

describe.runIf(dockerAvailable())('containers', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importBusybox(engine);
  }, 120_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  let made = 0;
  /** A service of two volumes, `data` and `cache`, with what the volumes are called and where they are. */
  async function runner(
    yaml = '',
    service = '',
  ): Promise<{
    readonly machine: Machine;
    readonly data: string;
    readonly cache: string;
    readonly at: (volume: string) => string;
  }> {
    const number = ++made;
    const [data, cache] = [`runner${number}_data`, `runner${number}_cache`];
    const folders = new Map<string, string>();
    for (const name of [data, cache]) {
      await engine.docker('volume', 'create', name);
      folders.set(name, await engine.docker('volume', 'inspect', '--format', '{{.Mountpoint}}', name));
    }
    const machine = aMachine(engine.environment);
    machine.configure(`repositories:
  volumes: { engine: archive, path: ./backups, layout: single, filename: 'claude-backup-%Y%m%d-%H%M%S.tar.gz', compression: { format: gzip, level: 6 }, adopt: true }
services:
  runner:
    sources: { data: { volume: ${data} }, cache: { volume: ${cache} } }
    ${service}
plans:
  nightly: { services: [runner], repositories: [volumes], timezone: UTC, retention: { within: 7d, leeway: 1m } }
${yaml}`);
    machine.passes('repository', 'init', 'volumes');
    return { machine, data, cache, at: (volume) => folders.get(volume) ?? '' };
  }

  const container = async (name: string, options: readonly string[], script = LOOP): Promise<string> => {
    await startContainer(engine, name, ...options, 'busybox', 'sh', '-c', script);
    return name;
  };
  const stateOf = (name: string): Promise<string> =>
    engine.docker('inspect', '--format', '{{.State.Status}} {{.State.StartedAt}}', name);

  test('the whole story: fill, back up, break, restore one volume, restore all, and old archives go', async () => {
    const { machine, data, cache, at } = await runner();
    const volumes = ['--volume', `${data}:/data`, '--volume', `${cache}:/cache`];
    const app = await container('story-app', [...volumes, ...STOPS]);
    const fill = `mkdir -p /data/deep/er && echo words > /data/deep/er/text && ln -s text /data/deep/er/link &&
      ln /data/deep/er/text /data/again && chown -R 1000:100 /data && chmod 750 /data && chmod 4755 /data/again &&
      i=0; while [ $i -lt 10000 ]; do echo $i > /cache/$i; i=$((i+1)); done`;
    await engine.docker('exec', app, 'sh', '-c', fill);
    const down = await container('story-down', [...volumes, ...STOPS], 'exit 0');
    await until(async () => (await stateOf(down)).startsWith('exited'), 'that it ended');
    const [downBefore, dataBefore, cacheBefore] = [await stateOf(down), lookAt(at(data)), lookAt(at(cache))];

    const stranger = machine.write('backups/notes.txt', 'somebody else\n');
    const days = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11];
    const old = days.map((age) => {
      const time = new Date(Date.now() - age * 86_400_000);
      const stamp = time.toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '').replace('T', '-');
      const path = machine.path('backups', `claude-backup-${stamp}.tar.gz`);
      sh('echo old > "$1/f" && tar -czf "$2" -C "$1" f', machine.folder, path);
      return path;
    });
    const report = machine.json(0, 'backup', '--plan', 'nightly');
    expect(report).toMatchObject({ outcome: 'passed', stops: [{ service: 'runner', units: [`container ${app}`] }] });
    expect(await stateOf(app)).toMatch(/^running /);
    expect(await stateOf(down)).toBe(downBefore);

    // stock tools read it, and it is what the volumes were
    const archive = machine.path(
      'backups',
      report.points[0].location ??
        readdirSync(machine.path('backups'))
          .filter((name) => name.endsWith('.tar.gz'))
          .toSorted()
          .at(-1),
    );
    const unpacked = machine.path('unpacked');
    sh('mkdir "$2" && tar --numeric-owner -xpzf "$1" -C "$2"', archive, unpacked);
    expect(lookAt(join(unpacked, 'backup/data'))).toBe(dataBefore);
    expect(lookAt(join(unpacked, 'backup/cache'))).toBe(cacheBefore);

    const removed = machine.json(0, 'prune', '--plan', 'nightly', '--yes');
    expect(removed.outcome).toBe('passed');
    expect(old.map((path) => existsSync(path))).toEqual(days.map((age) => age < 7));
    expect([existsSync(archive), readFileSync(stranger, 'utf8')]).toEqual([true, 'somebody else\n']);

    // one volume comes back, and the other stays as it is by then
    await engine.docker(
      'exec',
      app,
      'sh',
      '-c',
      'rm -r /data/deep; echo evil > /data/again; rm /cache/7; echo new > /cache/new',
    );
    const [brokenData, newCache] = [lookAt(at(data)), lookAt(at(cache))];
    const partial = machine.json(0, 'restore', report.points[0].id, '--in-place', '--item', 'volume_data', '--yes');
    expect([lookAt(at(data)), lookAt(at(cache))]).toEqual([dataBefore, newCache]);
    expect(await stateOf(app)).toMatch(/^running /);
    expect(await engine.docker('exec', app, 'cat', '/data/deep/er/text')).toBe('words');

    // what was there before is a recovery point like any other, and lies beside the volume
    expect(lookAt(partial.kept[0].path).split('\n').slice(1)).toEqual(brokenData.split('\n').slice(1));
    machine.passes('restore', partial.safetyPoint, '--to', 'safety');
    expect(lookAt(machine.path('safety/backup/data'))).toBe(brokenData);

    // all of it, although a volume is gone altogether
    await engine.docker('rm', '--force', app, down);
    await engine.docker('volume', 'rm', cache);
    machine.passes('restore', report.points[0].id, '--in-place', '--yes');
    expect([lookAt(at(data)), lookAt(at(cache))]).toEqual([dataBefore, cacheBefore]);
    expect(await engine.docker('run', '--rm', '--network', 'none', ...volumes, 'busybox', 'cat', '/cache/7')).toBe('7');
  }, 120_000);

  /** Nothing is read before `go`: the `tar` of this environment waits for it. */
  function heldReading(machine: Machine) {
    const hold = machine.path('hold');
    const wait = `case "$*" in *--version*) ;; *) while [ -e '${hold}' ]; do sleep 0.05; done ;; esac`;
    machine.write('hold', '');
    machine.write('bin/tar', `#!/bin/sh\n${wait}\nPATH='${machine.environment.PATH}' exec tar "$@"\n`);
    chmodSync(machine.path('bin/tar'), 0o755);
    const environment = { PATH: `${machine.path('bin')}:${machine.environment.PATH}` };
    return { environment, go: () => rmSync(hold) };
  }

  test('whatever happens to containers while they are down, the point is made, and those that are there run again', async () => {
    const { machine, data } = await runner();
    const [volume, bound] = [['--volume', `${data}:/data`], machine.path('bound')];
    mkdirSync(bound);
    const bind = ['--mount', `type=bind,source=${bound},target=/bound`];
    const well = await container('fault-well', [...volume, ...STOPS]);
    const unbound = await container('fault-unbound', [...volume, ...STOPS, ...bind]);
    const removed = await container('fault-removed', [...volume, ...STOPS]);
    const renamed = await container('fault-renamed', [...volume, ...STOPS]);
    const anew = await container('fault-anew', [...volume, ...STOPS]);
    // KILL ends what does not end in its time
    const deaf = await container(
      'fault-deaf',
      [...volume, ...STOPS, '--stop-timeout', '1'],
      'trap "" TERM; while :; do sleep 0.05; done',
    );
    await engine.docker('exec', well, 'touch', '/data/file');
    const { environment, go } = heldReading(machine);

    const running = machine.start(['backup', '--json'], { environment });
    await until(async () => (await stateOf(well)).startsWith('exited'), 'that it was stopped');
    await engine.docker('rm', '--force', removed);
    await engine.docker('rename', renamed, 'fault-other');
    await engine.docker('rm', '--force', anew);
    await container(anew, [...volume, ...STOPS]);
    rmSync(bound, { recursive: true });
    go();
    const ended = await running.ended;
    expect(ended, ended.stderr).toMatchObject({ exitCode: 3 });
    const report = JSON.parse(ended.stdout);
    expect(report.points).toMatchObject([{ outcome: 'passed' }]);
    const said = report.failures.map(({ message }: { readonly message: string }) => message).join('\n');
    expect(said).toContain(removed);
    expect([await stateOf(well), await stateOf(deaf)].map((state) => state.split(' ')[0])).toEqual([
      'running',
      'running',
    ]);
    expect(await stateOf(unbound)).toMatch(/^exited/);
    expect(await stateOf('fault-other')).toMatch(/^running/);
    expect(said).not.toContain(renamed);
    expect(said).toContain(`container ${anew} was started by somebody while runner was read`);

    // it is started again as soon as it can be, and nothing stays open for the one that is gone
    expect(machine.run(['list']).stderr).toContain('left open steps');
    mkdirSync(bound);
    machine.passes('unlock');
    expect(await stateOf(unbound)).toMatch(/^running/);
    expect(machine.run(['list']).stderr).not.toContain('left open steps');
    await engine.docker('rm', '--force', well, unbound, deaf, anew, 'fault-other');
  }, 120_000);

  test('a backup that is killed while containers are down is repaired by the next command that writes', async () => {
    const { machine, data } = await runner();
    const app = await container('killed-app', ['--volume', `${data}:/data`, ...STOPS]);
    await engine.docker('exec', app, 'touch', '/data/file');
    const { environment, go } = heldReading(machine);
    const running = machine.start(['backup'], { environment });
    await until(async () => (await stateOf(app)).startsWith('exited'), 'that it was stopped');
    running.kill('SIGKILL');
    await running.ended;
    go();
    expect(await stateOf(app)).toMatch(/^exited/);
    const ended = machine.run(['prune', '--plan', 'nightly', '--yes']);
    expect(ended, ended.stderr).toMatchObject({ exitCode: 0 });
    expect(ended.stderr).toContain('cut short earlier');
    expect(await stateOf(app)).toMatch(/^running/);
    expect(readdirSync(machine.path('backups')).filter((name) => name.endsWith('.gz'))).toEqual([]);
    await engine.docker('rm', '--force', app);
  }, 120_000);

  test('a database that a container goes on writing to fails, and what is paused or would be gone is not stopped', async () => {
    const { machine, data, cache } = await runner();
    const volume = ['--volume', `${data}:/data`];
    const app = await container('goes-app', [...volume, ...STOPS]);
    const writes = 'i=0; while :; do i=$((i+1)); echo $i >> /cache/dump.aof; done';
    const database = await container('goes-db', ['--volume', `${cache}:/cache`, '--stop-timeout', '0'], writes);
    const frozen = await container('goes-paused', [...volume, ...STOPS]);
    await pauseContainer(engine, frozen);
    const report = machine.json(3, 'backup');
    expect(report).toMatchObject({ stops: [{ units: [`container ${app}`] }] });
    expect(report.points[0].items).toMatchObject([
      { name: 'volume_data', outcome: 'passed' },
      { name: 'volume_cache', outcome: 'failed', error: expect.stringMatching(/dump\.aof changed while the tree/) },
    ]);
    expect(await stateOf(frozen)).toMatch(/^paused/);

    const shell = await container('goes-shell', ['--rm', ...volume, ...STOPS]);
    const told = machine.json(3, 'backup');
    expect(told.failures.map(({ message }: { readonly message: string }) => message)).toContainEqual(
      expect.stringContaining(`Container ${shell} is removed by its engine when it stops`),
    );
    const before = await stateOf(app);
    const restore = machine.run(['restore', report.points[0].id, '--in-place', '--item', 'volume_data', '--yes']);
    expect(restore, restore.stderr).toMatchObject({ exitCode: 1 });
    expect(restore.stderr).toContain(`Container ${shell} is removed by its engine when it stops`);
    expect([await stateOf(app), (await stateOf(shell)).split(' ')[0]]).toEqual([before, 'running']);
    await engine.docker('rm', '--force', app, database, frozen, shell);
  }, 120_000);

  test('what cannot be read is named: a volume that is not there, an engine that is away, a socket of another group', async () => {
    const { machine } = await runner();
    const configuration = readFileSync(machine.configuration, 'utf8');
    writeFileSync(machine.configuration, configuration.replaceAll(/volume: runner\d+_data/g, 'volume: nowhere'));
    expect(machine.json(3, 'backup').points[0].items).toMatchObject([
      { name: 'volume_data', outcome: 'failed', error: 'The engine has no volume nowhere.' },
      { name: 'volume_cache', outcome: 'passed' },
    ]);
    writeFileSync(
      machine.configuration,
      configuration.replaceAll(/volume: runner\d+_(?:data|cache)/g, 'volume: nowhere'),
    );
    const missing = machine.run(['backup']);
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr + missing.stdout).toContain('The engine has no volume nowhere.');

    const away = machine.run(['backup'], { environment: { DOCKER_HOST: 'unix:///nowhere/docker.sock' } });
    expect(away.exitCode).toBe(1);
    expect(away.stderr + away.stdout).toContain('does not reach its engine');

    const socket = engine.environment.DOCKER_HOST.replace('unix://', '');
    sh(
      'chgrp games "$1" && chmod 660 "$1" && chmod 755 "$(dirname "$1")" && chmod -R a+rwX "$2"',
      socket,
      machine.folder,
    );
    const nobody = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', ...PROGRAM, 'backup'];
    const ended = spawnSync('setpriv', nobody, { env: machine.environment, cwd: machine.folder, encoding: 'utf8' });
    expect(ended.status).toBe(1);
    expect(ended.stderr + ended.stdout).toContain(
      `may not use the socket of docker, ${socket}: it belongs to the group games`,
    );
    expect(ended.stderr + ended.stdout).toContain('usermod -aG games');
  }, 120_000);
});
