import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineContainers } from '../src/adapters/containers/engine/index.ts';
import { source as openSource } from '../src/adapters/sources/volume/index.ts';
import { containerUnit } from '../src/adapters/units/container/index.ts';
import type { Host } from '../src/ports/host.ts';
import { sourceContract } from './contracts/source.ts';
import { type UnitFixture, unitContract } from './contracts/unit.ts';
import { importBusybox } from './services/docker.ts';
import { ownPodman, type Podman, podmanAvailable } from './services/podman.ts';
import { contextIn, temporaryFolder } from './sources/support.ts';
import { volumesOf } from './sources/volume-fixture.ts';

/** Ends at once with TERM, as a program does that handles it. */
const LOOP = 'trap "exit 0" TERM; while :; do sleep 0.05; done';

/** One that opens no path of its host: all goes through the engine. */
const elsewhere = (host: Host): Host => ({ ...host, capabilities: { localPaths: false } });

describe.runIf(podmanAvailable())('needs podman', () => {
  let engine: Podman;
  beforeAll(async () => {
    engine = await ownPodman();
    await importBusybox(engine);
    await engine.podman('create', '--network', 'none', '--name', 'seed', 'busybox', 'true');
    await release();
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  const open = (volume: string, host: Host) =>
    openSource('data', { volume }, host, { engineEnvironment: engine.environment });
  const volumes = () => volumesOf({ client: (...words) => engine.podman(...words), open, host: engine.host });
  sourceContract('volume of podman', () => volumes().fixture((host) => host, 'tar', false));

  test('a volume is not read through podman, whose copies have no hard links', async ({ signal }) => {
    await using made = await volumes().fixture(elsewhere, 'podman', true);
    await using workspace = await temporaryFolder();
    const capture = made.source.capture(contextIn(workspace.path), signal);
    await expect(capture).rejects.toMatchObject({ code: 'Unsupported', message: /loses hard links/ });
  });

  test('containers are found with what they have mounted, their labels, and whether they are removed at their end', async ({
    signal,
  }) => {
    const volume = await engine.podman('volume', 'create', 'found');
    const folder = await engine.podman('volume', 'inspect', '--format', '{{.Mountpoint}}', volume);
    const options = ['--network', 'none', '--volume', `${volume}:/data`, '--label', 'a=b', '--rm', '--name', 'finds'];
    const id = await engine.podman('create', ...options, 'busybox', 'true');
    const found = await engineContainers(engine.host, engine.environment).list(signal);
    expect(found.find(({ name }) => name === 'finds')).toMatchObject({
      ...{ id, running: false, paused: false, removedAtEnd: true, labels: { a: 'b' }, own: false },
      mounts: [{ kind: 'volume', source: volume, folder, writable: true }],
    });
    await engine.podman('rm', '--force', 'finds');
    await engine.podman('volume', 'rm', volume);
  });

  let releases = 0;
  /** A new image under the name `app`, which the one before loses. */
  const release = async (): Promise<void> =>
    void (await engine.podman('commit', '--change', `LABEL release=${++releases}`, 'seed', 'app:latest'));
  async function unitFixture(): Promise<UnitFixture> {
    const unitOf = (container: string) =>
      containerUnit({ kind: 'container', host: 'local', container }, engine.host, engine.environment);
    const start = () => engine.podman('run', '--detach', '--network', 'none', '--name', 'web', 'app', 'sh', '-c', LOOP);
    await start();
    return {
      ...{ unit: unitOf('web'), missing: unitOf('nobody'), up: ['web'], down: [], health: 'undeclared' },
      images: {
        anew: false,
        async change() {
          await release();
          await engine.podman('rm', '--force', '--time', '0', 'web');
          await start();
        },
        prune: async () => void (await engine.podman('image', 'prune', '--force')),
        has: async (identity) =>
          (await engine.podman('image', 'ls', '--all', '--quiet', '--no-trunc')).split('\n').includes(identity),
      },
      seen: async () => (await engine.podman('ps', '--format', '{{.Names}}')).split('\n').filter((name) => name !== ''),
      [Symbol.asyncDispose]: async () => void (await engine.podman('rm', '--force', '--time', '0', 'web')),
    };
  }
  unitContract('container of podman', unitFixture);
});
