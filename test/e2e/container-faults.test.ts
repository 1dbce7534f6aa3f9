import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type DockerEngine,
  dockerAvailable,
  dockerEngine,
  importBusybox,
  startContainer,
  until,
} from '../services/docker.ts';
import { aMachine } from './holdfast.ts';
import { LOOP, STOPS } from './stopped-containers.ts';

describe.runIf(dockerAvailable())('what goes wrong with containers around a backup', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importBusybox(engine);
  }, 120_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  const start = (name: string, script: string, ...options: readonly string[]): Promise<void> =>
    startContainer(engine, name, ...options, 'busybox', 'sh', '-c', script);
  const stateOf = (name: string): Promise<string> => engine.docker('inspect', '--format', '{{.State.Status}}', name);

  test('an engine that dies while it is read through leaves no point, and its container starts once it is back', async () => {
    // only the engine can read what it mounts itself; a second container keeps it mounted
    await engine.docker('volume', 'create', '--opt', 'type=tmpfs', '--opt', 'device=tmpfs', 'memory');
    await start('keeper', LOOP, '--volume', 'memory:/data');
    await start('app', LOOP, ...STOPS, '--volume', 'memory:/data');
    await engine.docker('exec', 'keeper', 'dd', 'if=/dev/urandom', 'of=/data/random', 'bs=1M', 'count=400');
    const machine = aMachine();
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services:
  app: { sources: { data: { volume: memory } } }
`);
    const { environment } = engine;
    expect(machine.run(['repository', 'init', 'disk'])).toMatchObject({ exitCode: 0 });
    const running = machine.start(['backup', '--json'], { environment });
    await until(async () => (await stateOf('app')) === 'exited', 'that it was stopped');
    await engine.kill();
    const ended = await running.ended;
    expect(ended, ended.stderr).toMatchObject({ exitCode: 1 });
    expect(ended.stdout + ended.stderr).toContain('volume_data');
    expect(readdirSync(machine.path('disk', 'app')).filter((name) => /^\d/.test(name))).toEqual([]);
    expect(machine.run(['list'], { environment }).stderr).toContain('left open steps');
    // away still, it is told, and nothing is forgotten
    expect(machine.run(['unlock'], { environment })).toMatchObject({ exitCode: 1 });

    await engine.revive();
    expect(await stateOf('app')).toBe('exited');
    const repaired = machine.run(['unlock'], { environment });
    expect(repaired, repaired.stderr).toMatchObject({ exitCode: 0 });
    expect(await stateOf('app')).toBe('running');
    expect(machine.run(['list'], { environment }).stderr).not.toContain('left open steps');

    // when nobody else keeps it mounted, its stop would empty it
    await engine.docker('rm', '--force', 'keeper');
    const refused = machine.run(['backup'], { environment });
    expect(refused).toMatchObject({ exitCode: 78, stderr: expect.stringContaining('Volume memory is in memory') });
    expect(await stateOf('app')).toBe('running');
  }, 120_000);

  test('a container that dies a moment after its start is told, and the point stays', async () => {
    await engine.docker('volume', 'create', 'mortal');
    const script = `[ -e /data/second ] && { sleep 0.4; exit 4; }; touch /data/second; ${LOOP}`;
    await start('mortal', script, ...STOPS, '--volume', 'mortal:/data');
    await until(
      async () => (await engine.docker('exec', 'mortal', 'ls', '/data')).includes('second'),
      'that it ran once',
    );
    const machine = aMachine();
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services:
  app: { sources: { data: { volume: mortal } } }
`);
    const { environment } = engine;
    expect(machine.run(['repository', 'init', 'disk'])).toMatchObject({ exitCode: 0 });
    const ended = machine.run(['backup', '--json'], { environment });
    expect(ended, ended.stderr).toMatchObject({ exitCode: 3 });
    const report = JSON.parse(ended.stdout);
    expect(report).toMatchObject({ outcome: 'partial', points: [{ outcome: 'passed' }] });
    expect(report.failures).toMatchObject([
      { code: 'UnitFailed', message: expect.stringContaining('container mortal is down after the backup') },
    ]);
  }, 60_000);
});
