import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { source } from '../../src/adapters/sources/files/index.ts';
import { available } from '../services/available.ts';
import { temporaryFolder } from './support.ts';

const host = localHost();

test('a snapshot stands for where links lead, for each path once, and never for a tree that crosses mounts', async ({
  signal,
}) => {
  await using folder = await temporaryFolder();
  const at = (name: string): string => join(folder.path, name);
  await mkdir(at('real/inner'), { recursive: true });
  await writeFile(at('file'), '');
  await symlink(at('real'), at('link'));
  const files = [at('link'), at('real/inner'), at('file')];
  expect(await source('data', { files }, host).snapshotRoots(signal)).toEqual([
    { path: at('real'), folder: true },
    { path: at('file'), folder: false },
  ]);
  expect(await source('data', { files, crossMounts: true }, host).snapshotRoots(signal)).toEqual([]);
  const gone = source('data', { files: [...files, at('gone')] }, host);
  await expect(gone.snapshotRoots(signal)).rejects.toMatchObject({ code: 'SourceMissing' });
});

test.runIf(available('sqlite3'))(
  'a tree holds a database wherever it lies in it, by what it is',
  async ({ signal }) => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'deep'));
    await writeFile(join(folder.path, 'deep/notes.db'), 'only a name');
    const tree = source('data', { files: [folder.path] }, host);
    expect(await tree.holdsDatabases(signal)).toBe(false);
    execFileSync('sqlite3', [join(folder.path, 'deep/state'), 'create table t (x)']);
    expect(await tree.holdsDatabases(signal)).toBe(true);
    const without = source('data', { files: [folder.path], exclude: ['state'] }, host);
    expect(await without.holdsDatabases(signal)).toBe(false);
  },
);
