import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { source as openSource } from '../../src/adapters/sources/files/index.ts';
import type { CapturedTree, PathSnapshot, TreeNaming } from '../../src/ports/source.ts';
import { ABSOLUTE, contextIn, output, temporaryFolder, told, writeBytes } from './support.ts';

const PREFIXED: TreeNaming = { style: 'prefixed', prefix: 'backup/data/' };

/** A tree with a link, a hard link, a database, a name of odd characters and something that is left out. */
async function fill(folder: string): Promise<void> {
  await mkdir(join(folder, 'deep/er'), { recursive: true });
  await writeFile(join(folder, 'deep/er/te&xt,[1]'), 'words\n');
  await writeFile(join(folder, 'deep/leave.log'), 'not this one\n');
  await output('ln', join(folder, 'deep/er/te&xt,[1]'), join(folder, 'again'));
  await output('ln', '-s', 'deep/er', join(folder, 'link'));
  await output('sqlite3', join(folder, 'notes.db'), 'create table t (x); insert into t values (1)');
}

async function capture<Result>(
  files: readonly string[],
  snapshots: readonly PathSnapshot[],
  look: (item: CapturedTree) => Promise<Result>,
  forbidden: readonly string[] = [],
): Promise<Result> {
  await using folder = await temporaryFolder();
  const source = openSource('data', { files: [...files], exclude: ['*.log'] }, localHost());
  const context = contextIn(folder.path, { quiescent: true, snapshots, forbidden });
  await using opened = await source.capture(context, AbortSignal.timeout(30_000));
  const [item] = opened.items;
  if (item?.type !== 'tree') throw new Error('files are one tree');
  return await look(item);
}

/** What stock tar lists, of which the order of directories in a file system is no part. */
async function listed(item: CapturedTree, naming: TreeNaming, folder: string): Promise<readonly string[]> {
  const stored = join(folder, 'stored.tar');
  await writeBytes(item.tar(naming, AbortSignal.timeout(30_000)), stored);
  return (await told('tar', '--numeric-owner', '--full-time', '-tvf', stored)).split('\n').toSorted();
}

describe('a tree that is read from a snapshot', () => {
  // the same folder under another name has the same inode numbers, as a snapshot of BTRFS has
  const elsewhere = (path: string): PathSnapshot => ({ path, at: `/proc/self/root${path}`, identical: true });

  test.for([
    { roots: 1, naming: ABSOLUTE },
    { roots: 1, naming: PREFIXED },
    { roots: 3, naming: ABSOLUTE },
    { roots: 3, naming: PREFIXED },
  ])('has the names, facts and fingerprint that it has without one: %j', async ({ roots, naming }) => {
    await using folder = await temporaryFolder();
    const all = ['one', 'two', 'file'].slice(0, roots).map((name) => join(folder.path, name));
    for (const path of all) await (path.endsWith('file') ? writeFile(path, 'alone\n') : fill(path));
    const look = async (item: CapturedTree) => ({
      names: await listed(item, naming, folder.path),
      completed: item.completed(),
      fingerprint: item.fingerprint,
      roots: item.roots(naming),
      estimatedBytes: item.estimatedBytes,
    });
    const without = await capture(all, [], look);
    expect(without.names).toContainEqual(expect.stringContaining('te&xt,[1]'));
    expect(without.fingerprint).not.toBeNull();
    expect(await capture(all, all.map(elsewhere), look)).toEqual(without);
  });

  test('leaves out what belongs to Holdfast itself, wherever it is read', async () => {
    await using folder = await temporaryFolder();
    const [live, copy] = [join(folder.path, 'live'), join(folder.path, 'copy')];
    await fill(live);
    await output('cp', '-a', live, copy);
    const look = async (item: CapturedTree) => [await listed(item, ABSOLUTE, folder.path), item.completed()] as const;
    const own = [join(live, 'deep')];
    const [names, completed] = await capture([live], [], look, own);
    expect(names.filter((line) => line.includes('/deep/'))).toEqual([]);
    expect(completed.warnings).toEqual([`${live}/deep: left out, it belongs to Holdfast itself`]);
    expect(await capture([live], [elsewhere(live)], look, own)).toEqual([names, completed]);
    const copied = await capture([live], [{ path: live, at: copy, identical: false }], look, own);
    expect(copied).toEqual([names, completed]);
  });

  test('is a copy by its bytes, and the path itself by its fingerprint', async () => {
    await using folder = await temporaryFolder();
    const [live, copy] = [join(folder.path, 'live'), join(folder.path, 'copy')];
    await fill(live);
    const fingerprint = await capture([live], [], async (item) => item.fingerprint);
    await output('cp', '-a', live, copy);
    await capture([live], [{ path: live, at: copy, identical: false }], async (item) => {
      expect(item.fingerprint).toBe(fingerprint);
      await writeFile(join(live, 'again'), 'changed while the units run again\n');
      await rm(join(live, 'deep'), { recursive: true });
      await output('sqlite3', join(live, 'notes.db'), 'insert into t values (2)');
      const names = await listed(item, PREFIXED, folder.path);
      expect(names.some((line) => line.includes('copy'))).toBe(false);
      await mkdir(join(folder.path, 'out'));
      await output('tar', '-xf', join(folder.path, 'stored.tar'), '-C', join(folder.path, 'out'));
      const unpacked = join(folder.path, 'out/backup/data');
      expect(await readFile(join(unpacked, 'deep/er/te&xt,[1]'), 'utf8')).toBe('words\n');
      expect(await readFile(join(unpacked, 'again'), 'utf8')).toBe('words\n');
      expect(await told('sqlite3', join(unpacked, 'notes.db'), 'select count(*) from t')).toBe('1');
      expect(item.completed()).toMatchObject({ warnings: [], unreadable: [], facts: { files: 3, links: 1 } });
    });
  });

  test('tells what it could not read by the name that a person knows', async () => {
    await using folder = await temporaryFolder();
    const [live, copy] = [join(folder.path, 'live'), join(folder.path, 'copy')];
    await fill(live);
    await output('cp', '-a', live, copy);
    const snapshots = [{ path: live, at: copy, identical: false }];
    await capture([live], snapshots, async (item) => {
      await rm(join(copy, 'deep/er/te&xt,[1]'));
      await listed(item, ABSOLUTE, folder.path);
      expect(item.completed().warnings).toEqual([`${live}/deep/er/te&xt,[1]: it vanished while the tree was read`]);
    });
    const gone = capture([live], snapshots, async (item) => {
      await rm(copy, { recursive: true });
      await listed(item, ABSOLUTE, folder.path);
    });
    await expect(gone).rejects.toMatchObject({ code: 'SourceMissing', subject: live });
  });
});
