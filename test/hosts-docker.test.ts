import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dockerHost } from '../src/adapters/hosts/docker/index.ts';
import { parseMountPoints, parseStatus } from '../src/adapters/hosts/docker/parse.ts';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { type HostFixture, hostContract } from './contracts/host.ts';
import { hostFilesContract } from './contracts/host-files.ts';
import { type DockerEngine, dockerEngine, startContainer } from './services/docker.ts';
import { importDebian, systemdAvailable } from './services/systemd.ts';

const never = (): AbortSignal => new AbortController().signal;

test('times are whole seconds where stat prints no more', () => {
  expect(parseStatus('81ed 12 0 1 2 3 100.5 7')).toMatchObject({
    ...{ type: 'file', mode: 0o755, modifiedNs: 100_500_000_000n, changedNs: 7_000_000_000n },
  });
});

test('mount points below a path are told, not those beside it', () => {
  const line = (point: string): string => `1 0 8:1 / ${point} rw - ext4 x rw\n`;
  const text = ['/', '/srv/a\\040b', '/srv', '/srvx', '/srv'].map(line).join('');
  expect(parseMountPoints(text, '/srv')).toEqual(['/srv/a b', '/srv']);
});

describe.runIf(systemdAvailable())('needs a Docker Engine', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await dockerEngine();
    await importDebian(engine);
    await startContainer(engine, 'host', '--init', 'debian', 'sleep', '6000');
  }, 300_000);
  afterAll(async () => {
    await engine?.[Symbol.asyncDispose]();
  }, 60_000);

  async function containerFixture(): Promise<HostFixture> {
    const host = await dockerHost('host', localHost(), engine.environment, never(), { graceMs: 500 });
    const folder = await engine.docker('exec', 'host', 'mktemp', '-d');
    return {
      host,
      folder,
      [Symbol.asyncDispose]: async () => void (await engine.docker('exec', 'host', 'rm', '-rf', folder)),
    };
  }
  hostContract('container', containerFixture);
  hostFilesContract('container', containerFixture);

  test('a program runs under the account it is given', async () => {
    await using made = await containerFixture();
    const command = { program: 'id', args: ['-un'], runAs: 'nobody' };
    expect((await made.host.run(command, { signal: never() })).stdout).toBe('nobody\n');
  });

  test('a container that does not run is told as such', async () => {
    await engine.docker('create', '--name', 'stopped', 'debian', 'true');
    for (const name of ['stopped', 'nobody']) {
      const host = await dockerHost(name, localHost(), engine.environment, never());
      const running = host.run({ program: 'true', args: [] }, { signal: never() });
      await expect(running).rejects.toMatchObject({ code: 'ProcessFailed', subject: name });
    }
  });
});
