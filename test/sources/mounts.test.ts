import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import type { FilesSettings } from '../../src/adapters/sources/files/config.ts';
import { source } from '../../src/adapters/sources/files/index.ts';
import { available } from '../services/available.ts';
import { ABSOLUTE, contextIn, output, temporaryFolder } from './support.ts';

const root = process.getuid?.() === 0;

/** Something mounted for the length of a block. */
async function mounted(at: string, ...args: readonly string[]): Promise<AsyncDisposable> {
  await output('mount', ...args, at);
  return { [Symbol.asyncDispose]: async () => void (await output('umount', at)) };
}

async function files(folder: string, settings: FilesSettings, forbidden: readonly string[], signal: AbortSignal) {
  const workspace = join(folder, 'workspace');
  await mkdir(workspace, { recursive: true });
  await using capture = await source('data', settings, localHost()).capture(
    contextIn(workspace, { forbidden }),
    signal,
  );
  const [item] = capture.items;
  if (item?.type !== 'tree') throw new Error('not a tree');
  for await (const _ of item.tar(ABSOLUTE, signal)); // read to the end
  return item.completed();
}

describe.runIf(root && available('mount'))('what is mounted inside a source (as root)', () => {
  test('fails it by name, unless it is left out, belongs to Holdfast, or mounts are crossed', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const data = join(folder.path, 'data');
    const inner = join(data, 'deep/inner');
    await mkdir(inner, { recursive: true });
    await writeFile(join(data, 'file'), 'x');
    await using _ = await mounted(inner, '-t', 'tmpfs', 'tmpfs');
    await writeFile(join(inner, 'mounted'), 'y');
    const settings = { files: [data] };
    await expect(files(folder.path, settings, [], signal)).rejects.toMatchObject({
      code: 'SourceFailed',
      message: expect.stringContaining(inner),
      hint: expect.stringContaining('crossMounts'),
    });
    for (const exclude of ['inner', 'deep', 'deep/inner', 'deep/*', inner, 'inn?r'])
      expect((await files(folder.path, { ...settings, exclude: [exclude] }, [], signal)).facts.files).toBe(1);
    expect((await files(folder.path, settings, [inner], signal)).warnings).toEqual([
      `${inner}: left out, it belongs to Holdfast itself`,
    ]);
    expect((await files(folder.path, { ...settings, crossMounts: true }, [], signal)).facts.files).toBe(2);
    expect((await files(folder.path, { files: [inner] }, [], signal)).facts.files).toBe(1);
  });

  test('fails it also when it is the same file system bound there, or a single file', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const [data, other] = [join(folder.path, 'data'), join(folder.path, 'other')];
    await mkdir(join(data, 'bound'), { recursive: true });
    await mkdir(other);
    await writeFile(join(other, 'file'), 'x');
    await writeFile(join(data, 'target'), '');
    {
      await using _ = await mounted(join(data, 'bound'), '--bind', other);
      await expect(files(folder.path, { files: [data] }, [], signal)).rejects.toThrow(`${data}/bound`);
    }
    {
      await using _ = await mounted(join(data, 'target'), '--bind', join(other, 'file'));
      await expect(files(folder.path, { files: [data] }, [], signal)).rejects.toThrow(`${data}/target`);
    }
    expect((await files(folder.path, { files: [data] }, [], signal)).facts).toMatchObject({ files: 1, directories: 2 });
  });
});

describe.runIf(root && available('mkfs.btrfs'))('a BTRFS subvolume inside a source (as root)', () => {
  test('fails it by name, unless it is left out or mounts are crossed', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const [image, pool] = [join(folder.path, 'image'), join(folder.path, 'pool')];
    await output('truncate', '-s', '200M', image);
    await output('mkfs.btrfs', '-q', image);
    await mkdir(pool);
    await using _ = await mounted(pool, '-o', 'loop', image);
    await output('btrfs', 'subvolume', 'create', join(pool, 'outer'));
    await output('btrfs', 'subvolume', 'create', join(pool, 'outer/nested'));
    await writeFile(join(pool, 'outer/nested/file'), 'x');
    const settings = { files: [join(pool, 'outer')] };
    await expect(files(folder.path, settings, [], signal)).rejects.toThrow(join(pool, 'outer/nested'));
    expect((await files(folder.path, { ...settings, exclude: ['nested/'] }, [], signal)).facts.files).toBe(0);
    expect((await files(folder.path, { ...settings, crossMounts: true }, [], signal)).facts.files).toBe(1);
  });
});
