import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Json, Running } from '../e2e/holdfast.ts';
import { available } from '../services/available.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import {
  composeFile,
  type DockerEngine,
  dockerAvailable,
  dockerEngine,
  importBusybox,
  startContainer,
  until,
} from '../services/docker.ts';
import { aMachineOn, type PoolMachine } from '../services/pool-machine.ts';

const QUICK = 'guard: { settle: 1s, steady: 1s }\n';
/** Ends at once with TERM, as a program does that handles it: a first process has no default. */
const WAITS = 'trap "exit 0" TERM; sleep 600 & wait';
/** Does not start without a version that it knows, and keeps its data open. */
const APP = `grep -q good /data/version || exit 9; exec 3< /data/version; ${WAITS}`;

describe.runIf(hasBtrfs() && dockerAvailable())('a deployment of a container', () => {
  let engine: DockerEngine;
  let pool: BtrfsPool;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importBusybox(engine);
    pool = btrfsPool();
  }, 120_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    pool?.[Symbol.dispose]();
  }, 120_000);

  const docker = (...words: readonly string[]): Promise<string> => engine.docker(...words);
  const remove = (...names: readonly string[]): void =>
    onTestFinished(async () => void (await docker('rm', '--force', ...names)));
  const state = (name: string): Promise<string> => docker('inspect', '--format', '{{.State.Status}}', name);
  /** What the program in the container reads: the data that it has mounted, which are not always those at the path. */
  const seenBy = (name: string): Promise<string> => docker('exec', name, 'cat', '/data/version');

  const on = (subvolume: string, definition: string, more = QUICK): PoolMachine =>
    aMachineOn(pool, subvolume, definition, more, engine.environment);
  /** A container with a subvolume of its name at /data, and a machine that has it as its unit. */
  async function deployed(
    name: string,
    { script = APP, options = [], more = QUICK, units = `{ container: ${name} }`, checks = '' }: Deployment = {},
  ): Promise<PoolMachine> {
    const made = on(name, `{ units: [${units}], checks: [${checks}] }`, more);
    made.write('version', 'good 1\n');
    const mount = ['--volume', `${join(pool.path, name)}:/data`];
    await startContainer(engine, name, ...mount, ...options, 'busybox', 'sh', '-c', script);
    remove(name);
    return made;
  }
  interface Deployment {
    readonly script?: string;
    readonly options?: readonly string[];
    readonly more?: string;
    readonly units?: string;
    readonly checks?: string;
  }

  const words = (name: string, line: string, ...options: readonly string[]): readonly string[] => [
    ...['guard', '--subvolume', name, '--operation', 'deploy', ...options, '--command', line],
  ];
  function guarded(made: PoolMachine, exitCode: number, name: string, line: string, ...options: string[]): Json {
    return made.machine.json(exitCode, ...words(name, line, ...options));
  }
  const version = (name: string): string => readFileSync(join(pool.path, name, 'version'), 'utf8').trim();
  const keptVersions = (name: string): readonly string[] =>
    readdirSync(pool.path)
      .filter((each) => each.startsWith(`${name}.recovery-backup-`))
      .map(version);
  const change = (name: string, to: string, then: string): string =>
    `echo ${to} > ${join(pool.path, name, 'version')}; ${then}`;

  test('that works stays; one whose container does not come up is taken back, with the container on the old data', async () => {
    const made = await deployed('app', { checks: '{ command: [docker, exec, app, grep, -q, good, /data/version] }' });
    const good = guarded(made, 0, 'app', change('app', 'good 2', 'docker restart app'), '--auto-rollback');
    expect(good).toMatchObject({ outcome: 'success', rolledBack: false, validation: { outcome: 'valid' } });
    expect(good.validation.checks.map(({ outcome }: { readonly outcome: string }) => outcome)).not.toContain('warning');
    expect([await seenBy('app'), keptVersions('app')]).toEqual(['good 2', []]);

    const bad = guarded(made, 2, 'app', change('app', 'bad', 'docker restart app'), '--auto-rollback');
    expect(bad).toMatchObject({ outcome: 'rolled_back', commandExit: 0, rollback: { problems: [] } });
    expect([await state('app'), await seenBy('app'), version('app')]).toEqual(['running', 'good 2', 'good 2']);
    expect(keptVersions('app')).toEqual(['bad']);
    expect(made.machine.json(0, 'diff', good.snapshot_name)).toMatchObject({ totals: { modified: 1 } });
    expect(made.machine.json(0, 'diff', good.snapshot_name, bad.snapshot_name).changes).toEqual([
      { change: 'modified', path: 'version', bytes: 7 },
    ]);
    const { snapshots, recoveries, figures } = made.machine.json(0, 'history');
    expect(snapshots).toMatchObject([
      { outcome: 'rolled_back', operation: 'deploy', type: 'pre-operation', commandExit: 0, rolledBack: true },
      { outcome: 'success', commandExit: 0, rolledBack: false },
    ]);
    expect(recoveries).toMatchObject([{ reason: 'validation-failed', outcome: 'success', subvolume: 'app' }]);
    expect(figures).toMatchObject({
      deployments: { total: 2, guarded: 2, ratio: 1 },
      recoveries: { total: 1, succeeded: 1, ratio: 1, worstSeconds: recoveries[0].duration_seconds },
    });
  });

  test('that is killed half-way leaves its snapshot open, and the next command says the way back, which works', async () => {
    const made = await deployed('half');
    const { machine } = made;
    const witness = machine.path('witness');
    const line = change('half', 'bad', `echo $$ > ${witness}~; mv ${witness}~ ${witness}; exec sleep 600`);
    const running: Running = machine.start(words('half', line, '--auto-rollback'));
    await until(async () => existsSync(witness), 'the command');
    running.kill('SIGKILL');
    process.kill(Number(readFileSync(witness, 'utf8')), 'SIGKILL');
    await running.ended;

    const looked = machine.run(['history']);
    expect(looked.stderr).toContain('cut short');
    const { snapshots } = machine.json(0, 'history');
    expect(snapshots).toMatchObject([{ outcome: 'pending', commandExit: null }]);
    const told = machine.run(['unlock']);
    const way = /holdfast (rollback --snapshot \S+);/.exec(told.stderr + told.stdout)?.[1] ?? '';
    expect(way, told.stderr + told.stdout).toBe(`rollback --snapshot ${snapshots[0].snapshot_name}`);
    expect([version('half'), await state('half')]).toEqual(['bad', 'running']);
    machine.json(0, ...way.split(' '), '--auto-confirm');
    expect([await seenBy('half'), keptVersions('half')]).toEqual(['good 1', ['bad']]);
  });

  test('that fails leaves running what ran, also what the command stopped, and down what was down', async () => {
    const units = '{ container: web }, { container: down }';
    const made = await deployed('web', { units });
    await docker('create', '--network', 'none', '--name', 'down', 'busybox', 'sh', '-c', WAITS);
    remove('down');
    const line = change('web', 'bad', 'docker stop web; docker start down; exit 5');
    expect(guarded(made, 2, 'web', line, '--auto-rollback')).toMatchObject({ outcome: 'rolled_back', commandExit: 5 });
    expect([await state('web'), await seenBy('web')]).toEqual(['running', 'good 1']);
    expect(['created', 'exited']).toContain(await state('down'));
  });

  test('that removes its container is taken back all the same, told as 3 with what to do by hand', async () => {
    const made = await deployed('gone');
    const line = change('gone', 'bad', 'docker rm --force gone; exit 5');
    const report = guarded(made, 3, 'gone', line, '--auto-rollback');
    expect(report).toMatchObject({ outcome: 'rollback_failed', rolledBack: true });
    expect(report.rollback.problems).toEqual([
      expect.stringMatching(/does not know container gone: No such container: gone\. By hand: make it again/),
    ]);
    expect([version('gone'), keptVersions('gone')]).toEqual(['good 1', ['bad']]);
    expect(made.machine.json(0, 'history')).toMatchObject({
      snapshots: [{ outcome: 'rollback_failed' }],
      recoveries: [{ outcome: 'failed' }],
    });
  });

  test('that makes its container for the first time is a success', async () => {
    const made = on('first', '{ units: [{ container: first }] }');
    made.write('version', 'good 1\n');
    remove('first');
    const run = `docker run --detach --network none --name first --volume ${pool.path}/first:/data busybox sh -c '${APP}'`;
    expect(guarded(made, 0, 'first', run, '--auto-rollback')).toMatchObject({ outcome: 'success' });
    expect(await seenBy('first')).toBe('good 1');
  });

  test('is no reason for a rollback when its container was unhealthy or down before', async () => {
    const health = ['--health-cmd', 'false', '--health-interval', '100ms', '--health-retries', '1'];
    const made = await deployed('sick', { options: health, units: '{ container: sick }, { container: off }' });
    await docker('create', '--network', 'none', '--name', 'off', 'busybox', 'sh', '-c', WAITS);
    remove('off');
    const sick = (): Promise<string> => docker('inspect', '--format', '{{.State.Health.Status}}', 'sick');
    await until(async () => (await sick()) === 'unhealthy', 'unhealthy');
    const report = guarded(made, 0, 'sick', change('sick', 'good 2', 'true'), '--auto-rollback');
    expect(report).toMatchObject({ outcome: 'success', validation: { outcome: 'valid' } });
    expect([version('sick'), await state('off')]).toEqual(['good 2', 'created']);
  });

  /** Healthy once it has run for 3 s, which is longer than the time to settle. */
  const slow = ['--health-cmd', 'test -e /tmp/ready', '--health-interval', '200ms', '--health-start-period', '1h'];

  test('is waited for while its container is starting, and taken back only when that takes longer than the limit', async () => {
    const script = `rm -f /tmp/ready; (sleep 3; touch /tmp/ready) & ${WAITS}`;
    const made = await deployed('slow', { script, options: slow });
    expect(guarded(made, 0, 'slow', change('slow', 'good 2', 'docker restart slow'))).toMatchObject({
      outcome: 'success',
      validation: { checks: [expect.objectContaining({ name: 'unit container slow', outcome: 'passed' })] },
    });
    made.machine.configure(
      `pools: { main: { path: ${pool.path}, subvolumes: { slow: { units: [{ container: slow }] } } } }\nguard: { settle: 1s, steady: 1s, limit: 2s }\n`,
    );
    const stuck = guarded(made, 2, 'slow', change('slow', 'good 3', 'docker restart slow'));
    expect(stuck).toMatchObject({ outcome: 'validation_failed', rolledBack: false });
    expect(stuck.validation.checks[0].detail).toContain('is still starting');
  });

  test('whose engine does not answer afterwards is inconclusive: 5, nothing is taken back, the outcome stays open', async () => {
    const made = await deployed('blind');
    const { machine } = made;
    const socket = machine.path('engine.sock');
    symlinkSync(engine.environment.DOCKER_HOST.replace('unix://', ''), socket);
    const line = change('blind', 'good 2', `rm ${socket}`);
    const environment = { DOCKER_HOST: `unix://${socket}` };
    const ended = machine.run(['--json', ...words('blind', line, '--auto-rollback')], { environment });
    expect(ended.exitCode, ended.stderr + ended.stdout).toBe(5);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      ...{ outcome: 'pending', rolledBack: false, exitCode: 5, validation: { outcome: 'inconclusive' } },
    });
    expect(version('blind')).toBe('good 2');
    expect(machine.json(0, 'history').snapshots).toMatchObject([{ outcome: 'pending' }]);
  });

  const compose = test.runIf(available('docker-compose'));
  compose('of a Compose project that is taken down is made again as it ran', { timeout: 180_000 }, async () => {
    const file = join(pool.beside, 'compose.yaml');
    const made = on('shop', `{ units: [{ compose: ${file} }] }`);
    const service = `image: busybox, network_mode: none, volumes: ['${pool.path}/shop:/data'], command: [sh, -c, '${APP}']`;
    writeFileSync(
      file,
      `version: "3"\nservices:\n  web: { ${service}, depends_on: [db] }\n  db: { ${service} }\n  job: { ${service} }\n`,
    );
    const names = async (): Promise<readonly string[]> =>
      (await docker('ps', '--format', '{{.Names}}', '--filter', 'label=com.docker.compose.project'))
        .split('\n')
        .toSorted();
    onTestFinished(async () => {
      const all = await docker('ps', '--all', '--quiet', '--filter', 'label=com.docker.compose.project');
      await docker('rm', '--force', ...all.split('\n'));
    });
    const up = change('shop', 'good 1', `docker-compose --file ${file} up --detach`);
    expect(guarded(made, 0, 'shop', up, '--auto-rollback')).toMatchObject({ outcome: 'success' });
    await docker('stop', 'beside_job_1');
    const down = change('shop', 'bad', `docker-compose --file ${file} down --timeout 1; exit 5`);
    expect(guarded(made, 2, 'shop', down, '--auto-rollback')).toMatchObject({ outcome: 'rolled_back' });
    expect([await names(), version('shop')]).toEqual([['beside_db_1', 'beside_web_1'], 'good 1']);
    expect(await docker('exec', 'beside_web_1', 'cat', '/data/version')).toBe('good 1');
  });

  compose(
    'of a Compose project whose file lies with the data runs as before after whatever was done to it',
    { timeout: 180_000 },
    async () => {
      const file = join(pool.path, 'wiki', 'compose.yaml');
      const made = on('wiki', `{ units: [{ compose: ${file} }] }`);
      const text = (script: string): string =>
        `version: "3"\nservices:\n  web:\n    image: busybox\n    network_mode: none\n    volumes: ['${pool.path}/wiki:/data']\n    command: [sh, -c, '${script}']\n`;
      made.write('version', 'good 1\n');
      made.write('compose.yaml', text(APP));
      await composeFile(engine, file, 'up', '--detach');
      remove('wiki_web_1');
      const asBefore = async (): Promise<void> => {
        expect([await seenBy('wiki_web_1'), readFileSync(file, 'utf8')]).toEqual(['good 1', text(APP)]);
        expect(await docker('inspect', '--format', '{{index .Config.Cmd 2}}', 'wiki_web_1')).toBe(APP);
      };
      const bad = made.machine.write('bad.yaml', text('exit 3'));
      const up = change('wiki', 'bad', `cp ${bad} ${file}; docker-compose --file ${file} up --detach`);
      expect(guarded(made, 2, 'wiki', up, '--auto-rollback')).toMatchObject({ outcome: 'rolled_back', commandExit: 0 });
      await asBefore();
      const id = await docker('inspect', '--format', '{{.Id}}', 'wiki_web_1');
      const gone = `rm -r ${join(pool.path, 'wiki')}/*; exit 1`;
      expect(guarded(made, 2, 'wiki', gone, '--auto-rollback')).toMatchObject({ outcome: 'rolled_back' });
      await asBefore();
      const broken = `echo 'services: [' > ${file}; exit 1`;
      expect(guarded(made, 2, 'wiki', broken, '--auto-rollback')).toMatchObject({ outcome: 'rolled_back' });
      await asBefore();
      // what the command did not make is not made anew
      expect(await docker('inspect', '--format', '{{.Id}}', 'wiki_web_1')).toBe(id);
    },
  );

  test('is not started while a container that no unit owns has the data mounted: 4, by name; nor is a rollback: 1', async () => {
    const made = await deployed('shared', { units: '' });
    const witness = made.machine.path('witness');
    const refused = guarded(made, 4, 'shared', `touch ${witness}`, '--auto-rollback');
    const pid = await docker('inspect', '--format', '{{.State.Pid}}', 'shared');
    expect(refused).toMatchObject({
      error: { code: 'TargetBusy', exitCode: 4, message: expect.stringContaining(pid) },
    });
    expect([existsSync(witness), made.machine.json(0, 'history').snapshots]).toEqual([false, []]);
    const { snapshot_name: name } = guarded(made, 0, 'shared', change('shared', 'good 2', 'true'));
    expect(made.machine.json(1, 'rollback', '--snapshot', name, '--auto-confirm')).toMatchObject({
      error: { code: 'TargetBusy', message: expect.stringContaining(pid) },
    });
    expect([version('shared'), await state('shared'), keptVersions('shared')]).toEqual(['good 2', 'running', []]);
  });
});
