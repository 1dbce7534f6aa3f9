import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { containerUnit } from '../src/adapters/units/container/index.ts';
import { HoldfastError } from '../src/domain/errors.ts';
import type { Host } from '../src/ports/host.ts';
import { available } from './services/available.ts';

const execute = promisify(execFile);
const never = (): AbortSignal => new AbortController().signal;

/** Containers that run are the business of Docker's tests: many machines let nobody but systemd start one of podman's. */
describe.runIf(['podman', 'busybox'].every(available) && process.geteuid?.() === 0)('needs podman', () => {
  let folder: string;
  const global = (): readonly string[] => ['--root', join(folder, 'store'), '--runroot', join(folder, 'run')];
  const podman = async (...words: readonly string[]): Promise<string> =>
    (await execute('podman', [...global(), ...words])).stdout.trim();
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-podman-'));
    mkdirSync(join(folder, 'root/bin'), { recursive: true });
    cpSync(
      execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim(),
      join(folder, 'root/bin/busybox'),
    );
    symlinkSync('busybox', join(folder, 'root/bin/sh'));
    execFileSync('tar', ['-C', join(folder, 'root'), '-cf', join(folder, 'root.tar'), '.']);
    await podman('import', join(folder, 'root.tar'), 'app');
    await podman('create', '--network', 'none', '--name', 'web', 'app', 'sh');
  });
  afterAll(async () => {
    await podman('rm', '--force', '--all');
    await podman('image', 'rm', '--force', '--all');
    rmSync(folder, { recursive: true, force: true });
  });

  /** This machine as one that has no docker, and whose podman keeps all in a folder. */
  function hostWithPodman(): Host {
    const host = localHost();
    const own = (program: string): void => {
      if (program === 'docker') throw new HoldfastError('ToolMissing', 'There is no docker.', 'docker');
    };
    return {
      ...host,
      version: async (program, signal) => {
        own(program);
        return await host.version(program, signal);
      },
      run: async (command, options) => {
        own(command.program);
        const args = command.program === 'podman' ? [...global(), ...command.args] : command.args;
        return await host.run({ ...command, args }, options);
      },
    };
  }
  const unitOf = (container: string) =>
    containerUnit({ kind: 'container', host: 'local', container }, hostWithPodman(), {});
  const names = async (): Promise<readonly string[]> =>
    (await podman('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').toSorted();

  test('a container that is there is told with its image, and one that is not is missing', async () => {
    const identity = `sha256:${await podman('image', 'inspect', '--format', '{{.Id}}', 'app')}`;
    expect(await unitOf('web').state(never())).toBe('inactive');
    expect(await unitOf('web').images(never())).toEqual({
      web: { identity, reference: 'localhost/app:latest', member: 'web' },
    });
    await expect(unitOf('nobody').state(never())).rejects.toMatchObject({ code: 'UnitMissing' });
  });

  test('images are kept by a name of their own, and let go of without their other names', async () => {
    const unit = unitOf('web');
    const before = await names();
    await unit.keepImages('point-1', await unit.images(never()), never());
    await unit.keepImages('point-10', await unit.images(never()), never());
    expect(await names()).toHaveLength(before.length + 2);
    await unit.releaseImages('point-1', never());
    expect((await names()).filter((name) => name.includes('holdfast-kept'))).toEqual([
      expect.stringMatching(/^localhost\/holdfast-kept:point-10-[0-9a-f]{16}$/),
    ]);
    await unit.releaseImages('point-10', never());
    expect(await names()).toEqual(before);
  });
});
