import { randomUUID } from 'node:crypto';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { format } from '../../src/adapters/sources/volume/index.ts';
import type { Host } from '../../src/ports/host.ts';
import type { Source } from '../../src/ports/source.ts';
import type { SourceFixture } from '../contracts/source.ts';
import { changing, listing, output } from './support.ts';

/** What volumes are made with, and read by. */
export interface VolumeTools {
  /** The engine's client: what it printed, without the newline at its end. */
  client(...words: readonly string[]): Promise<string>;
  open(volume: string, host: Host): Source;
  readonly host: Host;
}

interface Volume {
  readonly name: string;
  readonly path: string;
}

export interface Volumes {
  volume(): Promise<Volume>;
  /** One with a link, a hard link, a large file, owners and modes. */
  filled(): Promise<Volume>;
  /** @param program the one that reads it: the source fails when that does */
  fixture(
    hostOf: (host: Host) => Host,
    program: 'tar' | 'docker' | 'podman',
    databases: boolean,
  ): Promise<SourceFixture>;
}

export function volumesOf({ client, open, host }: VolumeTools): Volumes {
  async function volume(): Promise<Volume> {
    const name = await client('volume', 'create', `v-${randomUUID()}`);
    return { name, path: await client('volume', 'inspect', '--format', '{{.Mountpoint}}', name) };
  }

  async function filled(): Promise<Volume> {
    const made = await volume();
    await mkdir(join(made.path, 'some/where'), { recursive: true });
    await writeFile(join(made.path, 'text'), 'words\n');
    await writeFile(join(made.path, 'some/where/large'), Buffer.alloc(3 * 1024 ** 2, 7));
    await output('ln', '--', join(made.path, 'text'), join(made.path, 'some/again'));
    await symlink('text', join(made.path, 'link'));
    await output('chown', '1000:100', made.path, join(made.path, 'text'));
    await chmod(made.path, 0o750);
    return made;
  }

  /** Its readers and their images, which nothing may leave behind. */
  const seen = async (): Promise<string> =>
    `${await client('ps', '--all', '--quiet')} ${await client('images', '--all', '--quiet')}`;

  async function fixture(
    hostOf: (host: Host) => Host,
    program: 'tar' | 'docker' | 'podman',
    databases: boolean,
  ): Promise<SourceFixture> {
    const before = await seen();
    const { name, path } = await filled();
    const failing = changing(host, (command) =>
      command.program === program && command.args.some((word) => word === '--create' || word === 'cp')
        ? { ...command, program: 'sh', args: ['-c', '"$@"; exit 3', 'sh', program, ...command.args] }
        : command,
    );
    const lines = async (...args: readonly string[]): Promise<number> =>
      (await output('find', path, ...args, '-printf', 'x')).length;
    return {
      ...{ format, databases, snapshots: program === 'tar' },
      source: open(name, hostOf(host)),
      failing: open(name, hostOf(failing)),
      look: async () => [await listing(path), await seen()],
      counted: async () => ({
        ...{ files: await lines('-type', 'f'), directories: await lines('-type', 'd') },
        ...{ links: await lines('-type', 'l'), others: 0, bytes: 3 * 1024 ** 2 + 6 },
      }),
      destroy: async () => void (await client('volume', 'rm', name)),
      async unpack(stored, to) {
        await mkdir(join(to, 'unpacked'));
        await output('tar', '-xf', stored, '-C', join(to, 'unpacked'));
        return join(to, 'unpacked');
      },
      async [Symbol.asyncDispose]() {
        expect(await seen()).toBe(before);
        await client('volume', 'rm', '--force', name);
      },
    };
  }
  return { volume, filled, fixture };
}
