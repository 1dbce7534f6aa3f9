import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { aMachine, type Machine } from '../e2e/holdfast.ts';
import { available } from '../services/available.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { composeFile, type DockerEngine, dockerAvailable, dockerEngine, importBusybox } from '../services/docker.ts';

/** Runs only on data of its own release, and keeps them open. */
const APP = 'grep -q "^$RELEASE$" /data/version || exit 9; exec 3< /data/version; trap "exit 0" TERM; sleep 600 & wait';

interface Deployment {
  readonly machine: Machine;
  readonly data: string;
  readonly file: string;
  readonly container: string;
  /** The identity of the image that its first container was made of. */
  readonly first: string;
}

describe.runIf(hasBtrfs() && dockerAvailable() && available('docker-compose'))(
  'a service of containers',
  { timeout: 240_000 },
  () => {
    let engine: DockerEngine;
    let pool: BtrfsPool;
    beforeAll(async () => {
      engine = await dockerEngine();
      await importBusybox(engine);
      await engine.docker('create', '--name', 'seed', 'busybox', 'true');
      pool = btrfsPool();
    }, 120_000);
    afterAll(async () => {
      await engine?.[Symbol.asyncDispose]();
      pool?.[Symbol.dispose]();
    }, 120_000);

    /** An image of a release under a name, which the one before loses. */
    const release = (name: string, number: number): Promise<string> =>
      engine.docker('commit', '--change', `ENV RELEASE=${number}`, 'seed', name);
    const inspect = (container: string, format: string): Promise<string> =>
      engine.docker('inspect', '--format', format, container);
    const runs = async ({ container }: Deployment): Promise<string> =>
      `${await inspect(container, '{{.State.Status}} {{.Image}}')} ${await engine.docker('exec', container, 'cat', '/data/version')}`;
    const kept = async (): Promise<readonly string[]> =>
      (await engine.docker('image', 'ls', '--format', '{{.Tag}}', 'holdfast-kept'))
        .split('\n')
        .filter((tag) => tag !== '');

    /** A Compose project whose data lie in a subvolume, as a service. @param inside the compose file lies there, too */
    async function deployed(name: string, more = '', inside = false): Promise<Deployment> {
      const machine = aMachine(engine.environment);
      const data = join(pool.path, name);
      execFileSync('btrfs', ['-q', 'subvolume', 'create', data]);
      writeFileSync(join(data, 'version'), '1\n');
      const image = `${name}:latest`;
      await release(image, 1);
      mkdirSync(machine.path(name));
      const file = inside ? join(data, 'docker-compose.yml') : machine.path(name, 'docker-compose.yml');
      writeFileSync(
        file,
        `version: '3'
services:
  app: { image: '${image}', network_mode: none, volumes: ['${data}:/data'], command: ${JSON.stringify(['sh', '-c', APP.replaceAll('$', '$$$$')])} }
`,
      );
      machine.configure(`services:
  app: { sources: { data: { files: [${data}] } }, units: [{ compose: ${file} }] }
guard: { settle: 2s, steady: 1s${more} }
`);
      await composeFile(engine, file, 'up', '--detach');
      onTestFinished(() => composeFile(engine, file, 'down', '--timeout', '1'));
      const container = `${name}_app_1`;
      return { machine, data, file, container, first: await inspect(container, '{{.Image}}') };
    }
    const guarded = (line: string, ...options: readonly string[]): readonly string[] => [
      ...['guard', '--service', 'app', '--operation', 'deploy', ...options, '--command', line],
    ];
    const upgrade = ({ data, file }: Deployment, version: string): string =>
      `echo ${version} > ${data}/version; docker-compose --file ${file} up --detach`;

    test('that does not run of a new image runs of the old one on the old data again', async () => {
      const made = await deployed('bad');
      await release('bad:latest', 2);
      // the release wants data of its own, which the upgrade does not make
      const report = made.machine.json(2, ...guarded(upgrade(made, 'broken'), '--auto-rollback'));
      expect(report).toMatchObject({ outcome: 'rolled_back', commandExit: 0, rolledBack: true });
      expect(report.point).toMatchObject({
        repository: null,
        images: [{ container: made.container, identity: made.first, reference: 'bad:latest' }],
      });
      expect(await runs(made)).toBe(`running ${made.first} 1`);
      expect(readFileSync(join(report.rollback.kept[0].path, 'version'), 'utf8')).toBe('broken\n');
      await composeFile(engine, made.file, 'up', '--detach'); // which finds nothing to do: the name leads to the old image again
      expect(await inspect(made.container, '{{.Image}}')).toBe(made.first);
    });

    test('that runs of a new image stays so, and is taken back by hand after a clean-up of the engine', async () => {
      const made = await deployed('good');
      const second = await release('good:latest', 2);
      const report = made.machine.json(0, ...guarded(upgrade(made, '2'), '--auto-rollback'));
      expect(report).toMatchObject({ outcome: 'success', rolledBack: false });
      expect(await runs(made)).toBe(`running ${second} 2`);
      await engine.docker('image', 'prune', '--force');
      const preview = made.machine.json(0, 'rollback', '--service', 'app', '--dry-run');
      expect(preview).toMatchObject({
        units: [{ name: `compose ${made.file}`, running: true }],
        images: [{ container: made.container, image: 'good:latest' }],
      });
      const done = made.machine.json(0, 'rollback', '--service', 'app', '--auto-confirm');
      expect(done).toMatchObject({ outcome: 'success', problem: null });
      expect(await runs(made)).toBe(`running ${made.first} 1`);
    });

    test('that compose down took away is made and started again', async () => {
      const made = await deployed('down');
      const line = `docker-compose --file ${made.file} down --timeout 1; echo 2 > ${made.data}/version; exit 1`;
      expect(made.machine.json(2, ...guarded(line, '--auto-rollback'))).toMatchObject({ outcome: 'rolled_back' });
      expect(await runs(made)).toBe(`running ${made.first} 1`);
    });

    test('whose compose file lies with its data runs as before after whatever was done to both', async () => {
      const made = await deployed('own', '', true);
      const { file, data, container, first } = made;
      const text = readFileSync(file, 'utf8');
      const takenBack = async (line: string): Promise<void> => {
        expect(made.machine.json(2, ...guarded(line, '--auto-rollback'))).toMatchObject({ outcome: 'rolled_back' });
        expect(await runs(made)).toBe(`running ${first} 1`);
        expect(await inspect(container, '{{index .Config.Cmd 2}}')).toBe(APP);
      };
      await takenBack(`docker-compose --file ${file} down --timeout 1; rm -r ${data}/*; exit 1`);
      expect(readFileSync(file, 'utf8')).toBe(text);
      // the name of a new image that was written before the guard is in the point, and was not what ran
      await release('own:next', 2);
      writeFileSync(file, text.replace('own:latest', 'own:next'));
      const bad = made.machine.write('bad.yml', text.replace(/command: .*/, 'command: [sh, -c, "exit 3"] }'));
      await takenBack(`cp ${bad} ${file}; docker-compose --file ${file} up --detach`);
    });

    test('that was down before stays down', async () => {
      const made = await deployed('idle');
      await composeFile(engine, made.file, 'stop', '--timeout', '1');
      const line = `echo 2 > ${made.data}/version; exit 1`;
      expect(made.machine.json(2, ...guarded(line, '--auto-rollback'))).toMatchObject({ outcome: 'rolled_back' });
      expect(await inspect(made.container, '{{.State.Status}}')).toBe('exited');
      expect(readFileSync(join(made.data, 'version'), 'utf8')).toBe('1\n');
    });

    test('keeps the images of its points, and lets go of them with these', async () => {
      const made = await deployed('kept', ', keep: { latest: 1, within: 1s }');
      const before = await kept();
      const point = (): string => made.machine.json(0, ...guarded('true')).point.id.toLowerCase();
      const [first, second] = [point(), point()];
      const left = (await kept()).filter((tag) => !before.includes(tag));
      expect(left.map((tag) => tag.slice(0, 26))).toEqual([second]);
      expect(left[0]?.startsWith(first)).toBe(false);
    });
  },
);
