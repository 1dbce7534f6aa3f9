import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { source as openSource } from '../src/adapters/sources/volume/index.ts';
import type { Facts } from '../src/domain/facts.ts';
import type { Host } from '../src/ports/host.ts';
import type { Source } from '../src/ports/source.ts';
import { sourceContract } from './contracts/source.ts';
import {
  type DockerEngine,
  dockerAvailable,
  dockerEngine,
  importBusybox,
  startContainer,
  until,
} from './services/docker.ts';
import { bytesOf, contextIn, output, temporaryFolder, told, writeBytes } from './sources/support.ts';
import { volumesOf } from './sources/volume-fixture.ts';

/** One that opens no path of its host: all goes through the engine. */
const elsewhere = (host: Host): Host => ({ ...host, capabilities: { localPaths: false } });

describe.runIf(dockerAvailable())('needs docker', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
  }, 120_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  const open = (volume: string, host: Host, exclude: readonly string[] = []): Source =>
    openSource('data', { volume, exclude: [...exclude] }, host, { engineEnvironment: engine.environment });

  const volumes = volumesOf({
    client: (...words) => engine.docker(...words),
    open: (name, host) => open(name, host),
    host: localHost(),
  });
  const { volume, filled, fixture } = volumes;

  sourceContract('volume', () => fixture((host) => host, 'tar', false));
  sourceContract('volume through the engine', () => fixture(elsewhere, 'docker', true));

  test('both ways of reading a volume give one tree, under its name, with owners and modes', async ({ signal }) => {
    const { name, path } = await filled();
    const told = async (host: Host): Promise<string> => {
      await using folder = await temporaryFolder();
      const from = open(name, host, ['some/where']);
      await using capture = await from.capture(contextIn(folder.path), signal);
      const [item] = capture.items;
      if (item?.type !== 'tree') throw new Error('a volume is one tree');
      expect(item.roots({ style: 'absolute' })).toMatchObject([{ path, stored: name }]);
      await writeBytes(item.tar({ style: 'prefixed', prefix: 'backup/data/' }, signal), join(folder.path, 'v.tar'));
      await mkdir(join(folder.path, 'out'));
      await output('tar', '-xpf', join(folder.path, 'v.tar'), '-C', join(folder.path, 'out'), '--numeric-owner');
      const root = join(folder.path, 'out/backup/data');
      const found = await output('find', root, '-printf', '%P %y %m %U %G %l %T@\n');
      // times of folders: the engine's tar has them before what is in them
      const rows = found.toString().split('\n').toSorted();
      return rows.map((row) => row.replace(/(\sd .*)\s\S+$/, '$1').replace(/\.\d+$/, '')).join('\n');
    };
    const own = await told(localHost());
    expect(own).toContain(' d 750 1000 100');
    expect(own).toContain('link l');
    expect(own).not.toContain('where');
    expect(await told(elsewhere(localHost()))).toBe(own);
  });

  test('a name that is left out takes no other name of its file along without a word', async ({ signal }) => {
    const { name } = await filled();
    await using folder = await temporaryFolder();
    await using capture = await open(name, elsewhere(localHost()), ['again']).capture(contextIn(folder.path), signal);
    const read = async (): Promise<void> => {
      for (const item of capture.items) for await (const _ of bytesOf(item, signal)); // read to the end
    };
    await expect(read()).rejects.toMatchObject({
      code: 'SourceFailed',
      message: /hard link to a name that is left out/,
    });
  });

  test('a database in a volume that only the engine can read is refused, unless its containers are down', async ({
    signal,
  }) => {
    const { name, path } = await volume();
    const database = new DatabaseSync(join(path, 'notes.db'));
    database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    database.close();
    const read = async (quiescent: boolean, meanwhile: () => Promise<unknown> = async () => {}): Promise<void> => {
      await using folder = await temporaryFolder();
      await using capture = await open(name, elsewhere(localHost())).capture(
        contextIn(folder.path, { quiescent }),
        signal,
      );
      for (const item of capture.items) for await (const _ of bytesOf(item, signal)) await meanwhile();
    };
    await importBusybox(engine);
    const options = ['--volume', `${name}:/data`, '--stop-timeout', '0', 'busybox', 'sleep', '600'];
    await startContainer(engine, 'writes', ...options);
    await expect(read(false)).rejects.toMatchObject({ code: 'SourceChanged', subject: `${name}/notes.db` });
    await read(true);
    await engine.docker('stop', 'writes');
    await read(false);
    // one that only reads changes nothing; one that is started while it is read may
    await startContainer(engine, 'reads', '--volume', `${name}:/data:ro`, ...options.slice(2));
    await read(false);
    await expect(read(false, () => engine.docker('start', 'writes'))).rejects.toMatchObject({ code: 'SourceChanged' });
    await engine.docker('rm', '--force', 'reads', 'writes');
  });

  test('a volume that changes between the first look and its reading is read, and one that went is missing', async ({
    signal,
  }) => {
    const { name, path } = await filled();
    const looked = open(name, elsewhere(localHost()));
    await looked.snapshotRoots(signal);
    const createdAt = (): Promise<string> => engine.docker('volume', 'inspect', '--format', '{{.CreatedAt}}', name);
    const before = await createdAt();
    // the engine takes the time of the last change of the volume's top for that of its making, in seconds
    await until(async () => {
      await writeFile(join(path, 'new'), '');
      await rm(join(path, 'new'));
      return (await createdAt()) !== before;
    }, 'another time');
    const read = async (): Promise<readonly Facts[]> => {
      await using folder = await temporaryFolder();
      await using capture = await looked.capture(contextIn(folder.path), signal);
      const facts: Facts[] = [];
      for (const item of capture.items) {
        for await (const _ of bytesOf(item, signal)); // read to the end
        facts.push(item.completed().facts);
      }
      return facts;
    };
    expect(await read()).toMatchObject([{ files: 3 }]);
    await engine.docker('volume', 'rm', name);
    await expect(read()).rejects.toMatchObject({ code: 'SourceMissing', subject: name });
  });

  test('a reader that a killed process left behind is removed by the next one', async ({ signal }) => {
    const { name } = await filled();
    const image = (
      await told('sh', '-c', `tar -cT /dev/null | DOCKER_HOST=${engine.environment.DOCKER_HOST} docker import -`)
    ).trim();
    const gone = { machine: '', hostname: 'x', boot: '', pidNamespace: '1', pid: 1, startTime: '1' };
    const { currentOwner } = await import('../src/process/owner.ts');
    const dead = { ...currentOwner(), pid: 2 ** 22 - 1, startTime: '1' };
    const create = (owner: object): Promise<string> =>
      engine.docker(
        'create',
        '--label',
        `holdfast.owner=${JSON.stringify(owner)}`,
        '--volume',
        `${name}:/v`,
        image,
        'x',
      );
    const [left, unknown] = [await create(dead), await create(gone)];
    await using folder = await temporaryFolder();
    {
      await using _ = await open(name, elsewhere(localHost())).capture(contextIn(folder.path), signal);
    }
    const remaining = (await engine.docker('ps', '--all', '--quiet', '--no-trunc')).split('\n');
    expect(remaining).not.toContain(left);
    expect(remaining).toContain(unknown); // it may run where it cannot be seen
    await engine.docker('rm', unknown);
    await engine.docker('rmi', image);
  });

  test('a volume that a folder is bound to is read there, and one of another file system by the engine alone', async ({
    signal,
  }) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'text'), 'bound\n');
    const bound = `b-${randomUUID()}`;
    const options = ['--opt', 'type=none', '--opt', 'o=bind', '--opt', `device=${folder.path}`];
    await engine.docker('volume', 'create', ...options, bound);
    const placed = await open(bound, localHost()).placements([{ path: '/x', stored: bound }], signal);
    expect(placed).toMatchObject([{ path: folder.path, stored: bound, stays: true, prepare: null }]);
    const memory = `t-${randomUUID()}`;
    await engine.docker('volume', 'create', '--opt', 'type=tmpfs', '--opt', 'device=tmpfs', memory);
    await expect(open(memory, localHost()).placements([{ path: '/x', stored: memory }], signal)).rejects.toMatchObject({
      code: 'Unsupported',
    });
    // a stop of its last user would empty it
    await expect(open(memory, localHost()).snapshotRoots(signal)).rejects.toMatchObject({
      ...{ code: 'Unsupported', message: expect.stringContaining('in memory') },
    });
  });
});
