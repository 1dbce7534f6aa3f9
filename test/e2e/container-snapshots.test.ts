import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import {
  type DockerEngine,
  dockerAvailable,
  dockerEngine,
  importBusybox,
  startContainer,
  until,
} from '../services/docker.ts';
import { loopDisk, run } from '../services/loop-disk.ts';
import { aMachine, type Json, type Machine, tool } from './holdfast.ts';
import { LOOP, lookAt as lookAtTree, STOPS, sh } from './stopped-containers.ts';

/** With times. */
const lookAt = (folder: string): string => lookAtTree(folder, ' %T@');

/** Says in its volume that it was started, and ends at once when it is told to. */
const TELLS = `echo started >> /sub/starts; ${LOOP}`;

describe.runIf(dockerAvailable() && hasBtrfs() && available('mkfs.xfs') && available('sqlite3'))(
  'a stop that is as short as a snapshot',
  () => {
    let engine: DockerEngine;
    beforeAll(async () => {
      engine = await dockerEngine();
      await importBusybox(engine);
    }, 120_000);
    afterAll(async () => {
      await engine?.[Symbol.asyncDispose]();
    }, 60_000);

    let made = 0;
    const bound = async (folder: string): Promise<string> => {
      const name = `bound${++made}`;
      await engine.docker(
        'volume',
        'create',
        '--opt',
        'type=none',
        '--opt',
        'o=bind',
        '--opt',
        `device=${folder}`,
        name,
      );
      return name;
    };
    const container = async (script: string, ...options: readonly string[]): Promise<string> => {
      const name = `app${++made}`;
      await startContainer(engine, name, ...STOPS, ...options, 'busybox', 'sh', '-c', script);
      return name;
    };
    const stateOf = (name: string): Promise<string> => engine.docker('inspect', '--format', '{{.State.Status}}', name);

    /** The program with a service `app`, in this engine. */
    function machineOf(sources: string, service = ''): Machine {
      const machine = aMachine();
      machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services:
  app: { sources: ${sources}${service} }
`);
      const own = (options: { readonly environment?: Readonly<Record<string, string>> } = {}) => ({
        ...options,
        environment: { ...engine.environment, ...options.environment },
      });
      const inEngine: Machine = {
        ...machine,
        run: (args, options) => machine.run(args, own(options)),
        start: (args, options) => machine.start(args, own(options)),
        json: (exitCode, ...args) => {
          const ended = inEngine.run([...args, '--json']);
          expect(ended, ended.stderr + ended.stdout).toMatchObject({ exitCode });
          return JSON.parse(ended.stdout);
        },
      };
      expect(inEngine.run(['repository', 'init', 'disk'])).toMatchObject({ exitCode: 0 });
      return inEngine;
    }
    const manifestOf = (machine: Machine, report: Json): Json =>
      JSON.parse(readFileSync(machine.path('disk', report.points[0].location, 'backup-manifest.json'), 'utf8'));

    function fill(folder: string): void {
      mkdirSync(join(folder, 'deep/er'), { recursive: true });
      writeFileSync(join(folder, 'deep/er/text'), 'words\n');
      writeFileSync(join(folder, 'left.log'), 'not this one\n');
      sh(
        'cd "$1" && ln deep/er/text again && ln -s deep/er/text link && chown -h 1000:100 link again && chmod 750 deep',
        folder,
      );
      sh('dd if=/dev/urandom of="$1/random" bs=1M count=30 status=none && truncate -s 5M "$1/holes"', folder);
    }

    test('what lies on BTRFS, a subvolume, a folder or a file, is as it was while the container was down', async () => {
      using pool = btrfsPool();
      const [sub, plain] = [pool.makeSubvolume('sub'), join(pool.path, 'more/plain')];
      for (const folder of [sub, plain]) {
        mkdirSync(folder, { recursive: true });
        fill(folder);
      }
      // in WAL mode, as a killed application leaves it
      sh(
        `sqlite3 "$1/notes.db" "pragma journal_mode = wal; create table t (x); insert into t values (1)" >&2
       sqlite3 "$1/notes.db" ".dbconfig no_ckpt_on_close on" "insert into t values (2)"`,
        plain,
      );
      mkdirSync(join(pool.path, 'own'));
      writeFileSync(join(pool.path, 'own/.env'), 'A=1\n');
      const volumes = [await bound(sub), await bound(plain)];
      const app = await container(TELLS, '--volume', `${volumes[0]}:/sub`, '--volume', `${volumes[1]}:/plain`);
      await until(async () => existsSync(join(sub, 'starts')), 'that it started');
      const machine = machineOf(
        `{ sub: { volume: ${volumes[0]}, exclude: ['*.log'] }, plain: { volume: ${volumes[1]}, exclude: [left.log] }, own: { files: [${pool.path}/own/.env] } }`,
      );
      sh('cp -a "$1" "$2" && rm "$2/left.log"', sub, machine.path('sub'));

      const report = machine.json(0, 'backup');
      expect(report.stops).toMatchObject([{ service: 'app', units: [`container ${app}`] }]);
      expect(report.stops[0].readings).toEqual(
        ['sub', 'plain', 'own'].map((source) => ({ source, snapshot: 'btrfs', why: null })),
      );
      expect(report.points).toMatchObject([{ outcome: 'passed' }]);
      expect(manifestOf(machine, report).items.flatMap((item: Json) => item.warnings)).toEqual([]);
      expect(await stateOf(app)).toBe('running');
      await until(
        async () => readFileSync(join(sub, 'starts'), 'utf8') === 'started\nstarted\n',
        'that it started again',
      );

      // stock tools find the names and contents of the volumes, as of the stop, and nothing of the snapshot
      const folder = machine.path('disk', report.points[0].location);
      const unpacked = machine.path('unpacked');
      mkdirSync(unpacked);
      for (const name of readdirSync(folder).filter((one) => one.endsWith('.tar.zst')))
        sh('zstd -dc "$1" | tar --numeric-owner -xpf - -C "$2"', join(folder, name), unpacked);
      expect(sh('zstd -dcq "$1"/*.tar.zst | strings | grep PaxHeaders | grep holdfast || true', folder)).toBe('');
      const [first = '', second = ''] = volumes;
      const withoutRoot = (text: string): string => text.replace(/^ d .*$/m, ''); // what is left out changed its time
      expect(withoutRoot(lookAt(join(unpacked, first)))).toBe(withoutRoot(lookAt(machine.path('sub'))));
      expect(readFileSync(join(unpacked, first, 'starts'), 'utf8')).toBe('started\n');
      expect(readFileSync(join(unpacked, pool.path, 'own/.env'), 'utf8')).toBe('A=1\n');
      expect(tool('sqlite3', join(unpacked, second, 'notes.db'), 'select count(*) from t')).toBe('2\n');

      // nothing of it stays on the file system, and the report says it in words
      expect(run('btrfs', 'subvolume', 'list', pool.path).split('\n')).toHaveLength(1);
      expect(readdirSync(pool.path).toSorted()).toEqual(['more', 'own', 'snapshots', 'sub']);
      expect(machine.run(['backup']).stdout).toMatch(/down for [\d.]+ s\n {2}sub was read from a snapshot \(btrfs\)/);
      await engine.docker('rm', '--force', app);
    }, 120_000);

    test('what did not change is not stored again, whether it is read from a snapshot or where it is', async () => {
      using pool = btrfsPool();
      using disk = loopDisk('xfs', 400);
      const sub = pool.makeSubvolume('sub');
      const [plain, copied] = [join(pool.path, 'plain'), join(disk.path, 'copied')];
      for (const folder of [sub, plain, copied]) {
        mkdirSync(folder, { recursive: true });
        fill(folder);
      }
      const volumes = [await bound(sub), await bound(plain), await bound(copied)];
      const mounts = volumes.flatMap((volume, index) => ['--volume', `${volume}:/v${index}`]);
      const machine = machineOf(
        `{ sub: { volume: ${volumes[0]} }, plain: { volume: ${volumes[1]} }, copied: { volume: ${volumes[2]} } }`,
      );
      const first = machine.json(0, 'backup');
      expect(first.stops).toEqual([]);
      const app = await container(LOOP, ...mounts);
      const second = machine.json(0, 'backup');
      expect(second.stops[0].readings).toEqual([
        { source: 'sub', snapshot: 'btrfs', why: null },
        { source: 'plain', snapshot: 'btrfs', why: null },
        { source: 'copied', snapshot: 'reflink', why: null },
      ]);
      const told = (report: Json): Json =>
        manifestOf(machine, report).items.map(({ name, sha256, facts, readAt, fingerprint, roots, outcome }: Json) => {
          return { name, sha256, facts, readAt, fingerprint, roots, outcome };
        });
      expect(told(second)).toEqual(told(first));

      // read again, it is the same but for the time at which it was read
      sh('for one; do touch "$one/new"; done', sub, plain, copied);
      const [third, judged] = [machine.json(0, 'backup'), machine.path('judged')];
      expect(third.stops[0].readings).toEqual(second.stops[0].readings);
      await engine.docker('rm', '--force', app);
      const fourth = machine.json(0, 'backup');
      expect(told(fourth)).toEqual(told(third));
      mkdirSync(judged);
      const folder = machine.path('disk', third.points[0].location);
      for (const name of readdirSync(folder).filter((one) => one.endsWith('.tar.zst')))
        sh('zstd -dc "$1" | tar --numeric-owner -xpf - -C "$2"', join(folder, name), judged);
      for (const [index, live] of [sub, plain, copied].entries())
        expect(lookAt(join(judged, volumes[index] ?? ''))).toBe(lookAt(live));
      expect([readdirSync(disk.path), readdirSync(pool.path).toSorted()]).toEqual([
        ['copied'],
        ['plain', 'snapshots', 'sub'],
      ]);
    }, 120_000);

    test('after a kill the next command leaves neither a stopped container nor a snapshot', async () => {
      using pool = btrfsPool();
      using disk = loopDisk('xfs', 400);
      const [plain, copied] = [join(pool.path, 'plain'), join(disk.path, 'copied')];
      for (const folder of [plain, copied]) {
        mkdirSync(folder);
        sh('dd if=/dev/urandom of="$1/random" bs=1M count=80 status=none', folder);
      }
      const volumes = [await bound(plain), await bound(copied)];
      const mounts = volumes.flatMap((volume, index) => ['--volume', `${volume}:/v${index}`]);
      const app = await container(LOOP, ...mounts);
      const machine = machineOf(`{ plain: { volume: ${volumes[0]} }, copied: { volume: ${volumes[1]} } }`);
      const snapshots = (): readonly string[] =>
        [pool.path, disk.path].flatMap((path) => {
          const folder = join(path, '.holdfast-snapshots');
          return existsSync(folder) ? readdirSync(folder) : [];
        });
      const moments = {
        stop: (said: string) => said.includes(`container ${app}: stop`),
        snapshot: (said: string) => said.includes('copied: snapshot'),
        start: (said: string) => said.includes(`container ${app}: start`),
        reading: () => snapshots().length > 1,
      };
      for (const [moment, isReached] of Object.entries(moments)) {
        const running = machine.start(['backup']);
        await until(async () => isReached(running.printed().stderr), moment);
        running.kill('SIGKILL');
        await running.ended;
        const repaired = machine.run(['unlock']);
        expect(repaired, repaired.stderr).toMatchObject({ exitCode: 0 });
        expect(await stateOf(app)).toBe('running');
        expect(snapshots()).toEqual([]);
        expect(run('btrfs', 'subvolume', 'list', pool.path)).toBe('');
      }
      expect(machine.json(0, 'backup').outcome).toBe('passed');
      await engine.docker('rm', '--force', app);
    }, 120_000);

    test('where a snapshot cannot be had the container stays down while it is read, and the report says why', async () => {
      using pool = btrfsPool();
      const holder = join(pool.path, 'holder');
      mkdirSync(holder);
      writeFileSync(join(holder, 'text'), 'words\n');
      run('btrfs', '-q', 'subvolume', 'create', join(holder, 'inner'));
      const volumes = [await bound(holder), await bound(pool.path)];
      const mounts = volumes.flatMap((volume, index) => ['--volume', `${volume}:/v${index}`]);
      const app = await container(LOOP, ...mounts);
      const machine = machineOf(`{ holder: { volume: ${volumes[0]}, exclude: [inner] } }`);
      const report = machine.json(0, 'backup');
      expect(report.stops[0].readings).toEqual([
        { source: 'holder', snapshot: null, why: expect.stringContaining('holder/inner') },
      ]);
      expect(machine.run(['backup']).stdout).toContain('holder was read before the start: the subvolume');
      const whole = machineOf(`{ whole: { volume: ${volumes[1]}, exclude: [inner, snapshots] } }`);
      expect(whole.json(0, 'backup').stops[0].readings).toEqual([
        { source: 'whole', snapshot: null, why: 'it is a mount point' },
      ]);
      expect(await stateOf(app)).toBe('running');
      await engine.docker('rm', '--force', app);
    }, 120_000);
  },
);
