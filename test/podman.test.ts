import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
