import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { composeUnit } from '../src/adapters/units/compose/index.ts';
import { parseNeeds } from '../src/adapters/units/compose/order.ts';
import { containerUnit } from '../src/adapters/units/container/index.ts';
import { inOrder } from '../src/domain/start-order.ts';
import type { Unit } from '../src/ports/unit.ts';
import { type ImagesFixture, type UnitFixture, unitContract } from './contracts/unit.ts';
import { available } from './services/available.ts';
import {
  type DockerEngine,
  dockerAvailable,
  dockerEngine,
  importBusybox,
  pidOf,
  startContainer,
  until,
} from './services/docker.ts';

const never = (): AbortSignal => new AbortController().signal;

test('services start after what they need, in whatever way they say it', () => {
  const needs = parseNeeds(`services:
  web: { depends_on: [api] }
  api: { depends_on: { db: { condition: service_healthy } }, links: ['cache:redis'] }
  backup: { volumes_from: ['db:ro'] }
  sidecar: { network_mode: 'service:web' }
  cache: {}
  db: {}
`);
  const rows = ['sidecar', 'backup', 'web', 'api', 'db', 'db', 'cache', 'orphan'];
  const order = inOrder(rows, (row) => row, needs);
  expect(order.toSorted()).toEqual(rows.toSorted());
  const before = [
    ['db', 'api'],
    ['cache', 'api'],
    ['api', 'web'],
    ['web', 'sidecar'],
    ['db', 'backup'],
  ] as const;
  for (const [first, second] of before) expect(order.lastIndexOf(first), first).toBeLessThan(order.indexOf(second));
});

describe.runIf(dockerAvailable() && available('docker-compose'))('needs a Docker Engine', () => {
  let engine: DockerEngine;
  let folder: string;
  const host = localHost();
  beforeAll(async () => {
    engine = await dockerEngine();
    await importBusybox(engine);
    await engine.docker('create', '--name', 'seed', 'busybox', 'true');
    await release();
    folder = await mkdtemp(join(tmpdir(), 'holdfast-compose-'));
  }, 120_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }, 120_000);

  const containerOf = (container: string): Unit =>
    containerUnit({ kind: 'container', host: 'local', container }, host, engine.environment);
  const running = async (...filter: readonly string[]): Promise<readonly string[]> =>
    (await engine.docker('ps', '--format', '{{.Names}}', ...filter))
      .split('\n')
      .filter((name) => name !== '')
      .toSorted();
  const run = (name: string, ...words: readonly string[]): Promise<void> => startContainer(engine, name, ...words);
  const remove = async (...names: readonly string[]): Promise<void> =>
    void (await engine.docker('rm', '--force', ...names));
  /** Ends at once with TERM, as a program does that handles it: a first process has no default. */
  const SLEEP = ['busybox', 'sh', '-c', 'trap "exit 0" TERM; sleep 600 & wait'];

  let releases = 0;
  /** A new image under the name `app`, which the one before loses. */
  const release = async (): Promise<void> =>
    void (await engine.docker('commit', '--change', `LABEL release=${++releases}`, 'seed', 'app:latest'));
  const imagesOf = (change: () => Promise<void>, anew: boolean): ImagesFixture => ({
    anew,
    change: async () => {
      await release();
      await change();
    },
    prune: async () => void (await engine.docker('image', 'prune', '--force')),
    has: async (identity) =>
      (await engine.docker('image', 'ls', '--all', '--quiet', '--no-trunc')).split('\n').includes(identity),
  });

  async function containerFixture(): Promise<UnitFixture> {
    const start = async (): Promise<void> =>
      await run('web', '--health-cmd', 'true', '--health-interval', '1s', 'app', ...SLEEP.slice(1));
    await start();
    const healthy = async (): Promise<boolean> =>
      (await engine.docker('inspect', '--format', '{{.State.Health.Status}}', 'web')) === 'healthy';
    await until(healthy, 'health');
    const unit = containerOf('web');
    return {
      // a container is `starting` until its check ran for the first time
      unit: {
        ...unit,
        health: async (signal) => {
          await until(async () => (await unit.health(signal)) !== 'starting', 'a look');
          return unit.health(signal);
        },
      },
      missing: containerOf('nobody'),
      ...{ up: ['web'], down: [], health: 'healthy' },
      images: imagesOf(async () => {
        await remove('web');
        await start();
      }, false),
      seen: () => running(),
      [Symbol.asyncDispose]: () => remove('web'),
    };
  }
  unitContract('container', containerFixture);

  test('the health of a container is what its own check says, and undeclared without one', async () => {
    await run('bad', '--health-cmd', 'false', '--health-interval', '1s', '--health-retries', '1', ...SLEEP);
    await run('plain', ...SLEEP);
    await run('slow', '--health-cmd', 'false', '--health-interval', '1s', '--health-start-period', '1h', ...SLEEP);
    await until(async () => (await containerOf('bad').health(never())) === 'unhealthy', 'unhealthy');
    expect(await containerOf('plain').health(never())).toBe('undeclared');
    expect(await containerOf('slow').health(never())).toBe('starting');
    expect(await containerOf('slow').state(never())).toBe('active');
    await remove('bad', 'plain', 'slow');
  });

  test('a container that is started again and again is restarting', async () => {
    await run('loop', '--restart', 'always', 'busybox', 'sh', '-c', 'sleep 0.2; exit 1');
    const unit = containerOf('loop');
    await unit.health(never());
    await until(async () => (await unit.health(never())) === 'restarting', 'restarting');
    expect(await unit.running(never())).toEqual(['loop']);
    await unit.stop(never());
    expect(await unit.state(never())).toBe('inactive');
    // nobody else started it: its last end is not that of the stop
    await unit.start(['loop'], never());
    await until(async () => (await unit.health(never())) === 'restarting', 'restarting once more');
    expect(await unit.downMs(['loop'], never())).toBeNull();
    await remove('loop');
  });

  test('a container that ends without what it needs is started again once that is healthy', async () => {
    const shared = join(folder, 'needs');
    await mkdir(shared);
    const member = (service: string, needs: string): readonly string[] =>
      Object.entries({ project: 'needs', service, depends_on: needs }).flatMap(([key, value]) => [
        ...['--label', `com.docker.compose.${key}=${value}`],
      ]);
    const sees = ['--volume', `${shared}:/shared`];
    const app = 'test -e /shared/ready || exit 7; trap "exit 0" TERM; sleep 600 & wait';
    const options = [
      '--name',
      'needs-app',
      '--network',
      'none',
      ...member('app', 'store:service_healthy:false'),
      ...sees,
    ];
    await engine.docker('create', ...options, 'busybox', 'sh', '-c', app);
    const start = (): Promise<unknown> =>
      containerOf('needs-app')
        .start(null, never())
        .then(() => null, String);
    // Beside a load the engine may be asked before the container has come to its end.
    await expect.poll(start).toMatch(/ended with 7/);
    const store = 'sleep 1; touch /shared/ready; trap "exit 0" TERM; sleep 600 & wait';
    const check = ['--health-cmd', 'test -e /shared/ready', '--health-interval', '1s', '--health-start-period', '1h'];
    await run('needs-store', ...member('store', ''), ...sees, ...check, 'busybox', 'sh', '-c', store);
    const both = ['needs-app', 'needs-store'];
    do expect(await start()).toBeNull();
    while ((await running('--filter', 'name=needs')).length < both.length);
    expect(await running('--filter', 'name=needs')).toEqual(both);
    await remove(...both);
  });

  test('the processes of a container are told by the numbers that this machine gives them', async () => {
    await run('family', 'busybox', 'sh', '-c', 'sleep 603 & wait');
    const first = await pidOf(engine, 'family');
    const processes = await containerOf('family').processes(never());
    expect(processes).toHaveLength(2);
    expect(processes).toContain(first);
    await remove('family');
  });

  test('a container that cannot be started is UnitFailed, and its image is told by identity', async () => {
    await engine.docker('create', '--name', 'broken', '--network', 'none', 'busybox', '/no/such/program');
    const unit = containerOf('broken');
    await expect(unit.start(null, never())).rejects.toMatchObject({ code: 'UnitFailed', subject: 'container broken' });
    expect(await unit.state(never())).toBe('failed');
    const image = await engine.docker('image', 'inspect', '--format', '{{.Id}}', 'busybox');
    expect(await unit.images(never())).toEqual({ broken: { identity: image, reference: 'busybox', member: 'broken' } });
    await remove('broken');
  });

  test('a container is given the time to stop that it asks for', async () => {
    await run('patient', '--stop-timeout', '1', 'busybox', 'sh', '-c', 'trap "" TERM; while :; do sleep 1; done');
    await containerOf('patient').stop(never());
    expect(await engine.docker('inspect', '--format', '{{.State.ExitCode}}', 'patient')).toBe('137');
    await run('careful', 'busybox', 'sh', '-c', 'trap "sleep 11; exit 7" TERM; sleep 600 & wait');
    await containerOf('careful').stop(never());
    // the engine's own 10 s would have killed it in the middle of its work
    expect(await engine.docker('inspect', '--format', '{{.State.ExitCode}}', 'careful')).toBe('7');
    await remove('patient', 'careful');
  });

  test('an engine that does not answer is told as such, not as a missing container', async () => {
    const environment = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    const unit = containerUnit({ kind: 'container', host: 'local', container: 'web' }, host, environment);
    await expect(unit.state(never())).rejects.toMatchObject({
      code: 'ProcessFailed',
      hint: expect.stringContaining('DOCKER_HOST'),
    });
  });

  /** A project of its own: a database, two that need it, and one that is down. */
  async function project(name: string): Promise<string> {
    const file = join(folder, name, 'docker-compose.yml');
    const sleeps = 'image: app, network_mode: none, command: [sh, -c, "trap \\"exit 0\\" TERM; sleep 600 & wait"]';
    await mkdir(join(folder, name));
    await writeFile(
      file,
      `version: '3'\nservices:\n  web: { ${sleeps}, depends_on: [db] }\n  db: { ${sleeps} }\n  job: { ${sleeps}, depends_on: [db] }\n`,
    );
    await writeFile(
      join(folder, name, 'docker-compose.override.yml'),
      `version: '3'\nservices:\n  extra: { ${sleeps} }\n`,
    );
    await compose(file, 'up', '--detach');
    await engine.docker('stop', `${name}_job_1`); // Compose takes a second or two for each word that it is told
    return file;
  }
  const compose = async (file: string, ...words: readonly string[]): Promise<void> => {
    const command = {
      program: 'docker-compose',
      args: words,
      environment: engine.environment,
      workingFolder: join(file, '..'),
    };
    await host.run(command, { signal: never() });
  };
  const composeOf = (file: string): Unit =>
    composeUnit({ kind: 'compose', host: 'local', file }, host, engine.environment);
  async function clear(name: string): Promise<void> {
    const all = await engine.docker('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${name}`);
    await remove(...all.split('\n'));
    await rm(join(folder, name), { recursive: true });
  }

  let shared: string | null = null;
  /** One project for all tests of the suite, since Compose needs seconds to make and to remove one. */
  async function composeFixture(): Promise<UnitFixture> {
    shared ??= await project('fixture');
    const file = shared;
    await engine.docker('start', 'fixture_db_1', 'fixture_extra_1', 'fixture_web_1');
    await engine.docker('stop', 'fixture_job_1');
    return {
      unit: composeOf(file),
      missing: composeOf(join(folder, 'nobody.yml')),
      up: ['fixture_db_1', 'fixture_extra_1', 'fixture_web_1'],
      ...{ down: ['fixture_job_1'], health: 'undeclared' },
      images: imagesOf(async () => {
        await compose(file, 'up', '--detach');
        await engine.docker('stop', 'fixture_job_1');
      }, true),
      seen: () => running('--filter', 'name=fixture'),
      [Symbol.asyncDispose]: async () => {},
    };
  }
  unitContract('compose', composeFixture);

  test('a project is stopped with what others need last, and started with it first', async () => {
    const { unit } = await composeFixture();
    const since = `${Math.floor(Date.now() / 1000)}`;
    const members = await unit.running(never());
    await unit.stop(never());
    await unit.start(members, never());
    const events = await engine.docker(
      ...['events', '--since', since, '--until', `${Math.floor(Date.now() / 1000) + 1}`, '--filter', 'type=container'],
      ...['--format', '{{.Action}} {{.Actor.Attributes.name}}'],
    );
    const lines = events.split('\n');
    expect(lines.indexOf('die fixture_web_1')).toBeLessThan(lines.indexOf('die fixture_db_1'));
    expect(lines.lastIndexOf('start fixture_db_1')).toBeLessThan(lines.lastIndexOf('start fixture_web_1'));
  });

  test('what compose down removed is made again, and only what ran is started, or all of the project', async () => {
    const file = await project('removed');
    const unit = composeOf(file);
    const ran = await unit.running(never());
    await compose(file, 'down', '--timeout', '1');
    await unit.start(ran, never());
    expect(await running('--filter', 'name=removed')).toEqual(['removed_db_1', 'removed_extra_1', 'removed_web_1']);
    await compose(file, 'down', '--timeout', '1');
    expect(await unit.state(never())).toBe('inactive');
    await unit.start(null, never());
    expect(await running('--filter', 'name=removed')).toEqual([
      'removed_db_1',
      'removed_extra_1',
      'removed_job_1',
      'removed_web_1',
    ]);
    expect(Object.keys(await unit.images(never())).toSorted()).toEqual(await running('--filter', 'name=removed'));
    await compose(file, 'down', '--timeout', '1');
    await unit.start(['removed-db-1'], never()); // as Compose 2 would have called it
    expect(await running('--filter', 'name=removed')).toEqual(['removed_db_1']);
    await clear('removed');
  });

  test('a project of another name and of several files is found by its file, and made again of all of them', async () => {
    const at = join(folder, 'several');
    const [file, more] = [join(at, 'docker-compose.yml'), join(at, 'prod.yml')];
    const sleeps = 'image: app, network_mode: none, command: [sh, -c, "trap \\"exit 0\\" TERM; sleep 600 & wait"]';
    await mkdir(at);
    await writeFile(file, `version: '3'\nservices: { web: { ${sleeps} } }\n`);
    await writeFile(more, `version: '3'\nservices: { web: { environment: { STAGE: prod } } }\n`);
    await compose(file, '--project-name', 'live', '--file', file, '--file', more, 'up', '--detach');
    const unit = composeOf(file);
    expect(await unit.running(never())).toEqual(['live_web_1']);
    await unit.stop(never());
    expect(await running('--filter', 'name=live')).toEqual([]);
    await engine.docker('rm', 'live_web_1');
    await unit.start(['live_web_1'], never());
    expect(await engine.docker('inspect', '--format', '{{.Config.Env}}', 'live_web_1')).toContain('STAGE=prod');

    const labels = { project: 'twin', 'project.config_files': file };
    const said = Object.entries(labels).flatMap(([key, value]) => ['--label', `com.docker.compose.${key}=${value}`]);
    await run('twin_web_1', ...said, ...SLEEP);
    await expect(composeOf(file).running(never())).rejects.toMatchObject({
      ...{
        code: 'UnitFailed',
        message: expect.stringMatching(/Several projects of compose .* run: (live, twin|twin, live)\./),
      },
    });
    await engine.docker('stop', 'twin_web_1');
    expect(await composeOf(file).running(never())).toEqual(['live_web_1']);
    await remove('live_web_1', 'twin_web_1');
    await rm(at, { recursive: true });
  });

  test('a compose file that names another image by now does not keep the old one from running again', async () => {
    const file = await project('edited');
    const unit = composeOf(file);
    const [before, members] = [await unit.images(never()), await unit.running(never())];
    await unit.keepImages('edited', before, never());
    await engine.docker('tag', 'busybox', 'app:2');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('web: { image: app,', 'web: { image: "app:2",'));
    await compose(file, 'up', '--detach');
    await unit.stop(never());
    await unit.takeImagesBack('edited', before, never());
    expect(await unit.images(never())).toMatchObject(
      Object.fromEntries(Object.entries(before).map(([name, { identity }]) => [name, { identity }])),
    );
    await unit.start(members, never());
    expect(await running('--filter', 'name=edited')).toEqual(['edited_db_1', 'edited_extra_1', 'edited_web_1']);
    await expect(unit.releaseImages('edited', never())).resolves.toBeUndefined();
    await clear('edited');
  });

  test('what compose down removed runs of its images of then again', async () => {
    const file = await project('gone');
    const unit = composeOf(file);
    const [before, members] = [await unit.images(never()), await unit.running(never())];
    await unit.keepImages('gone', before, never());
    await compose(file, 'down', '--timeout', '1');
    await release();
    await unit.takeImagesBack('gone', before, never());
    await unit.start(members, never());
    expect(await unit.images(never())).toEqual(before);
    await clear('gone');
  });

  test('what runs of a compose file that is gone or broken by now is stopped, and started when it is back', async () => {
    const file = await project('wrecked');
    const text = await readFile(file, 'utf8');
    const members = ['wrecked_db_1', 'wrecked_extra_1', 'wrecked_web_1'];
    for (const wreck of [() => rm(file), () => writeFile(file, 'services: [')]) {
      await wreck();
      const unit = composeOf(file);
      expect((await unit.running(never())).toSorted()).toEqual(members);
      expect(await unit.processes(never())).not.toEqual([]);
      expect(await unit.starters(never())).toEqual([]);
      await unit.stop(never());
      expect(await running('--filter', 'name=wrecked')).toEqual([]);
      await writeFile(file, text);
      await unit.start(members, never());
      expect(await running('--filter', 'name=wrecked')).toEqual(members);
    }
    await rm(file);
    await expect(composeOf(file).health(never())).rejects.toMatchObject({ code: 'UnitMissing' });
    await clear('wrecked');
  });

  test('a compose file that Compose cannot read is told with its reason', async () => {
    const file = join(folder, 'broken.yml');
    await writeFile(file, 'services: [');
    await expect(composeOf(file).state(never())).rejects.toMatchObject({
      code: 'ProcessFailed',
      subject: `compose ${file}`,
    });
  });
});
