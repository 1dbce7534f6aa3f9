import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { archiveRepository } from '../src/adapters/repositories/archive/index.ts';
import type { Repository } from '../src/ports/repository.ts';
import { aHeader, aManifest, aRow, aStream, at, chunks, collect, noise } from './contracts/captured-items.ts';
import { storePoint } from './contracts/stored-points.ts';
import { settingsFor, tools } from './services/archive.ts';
import { available } from './services/available.ts';

const LAYOUTS = ['folder', 'single'] as const;

/** A disk of its own that can be filled and taken away. */
function smallDisk(size: string): { readonly path: string; readonly unmount: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', path]);
  let mounted = true;
  const unmount = () => {
    if (mounted) execFileSync('umount', [path]);
    mounted = false;
  };
  onTestFinished(() => {
    unmount();
    rmSync(path, { recursive: true });
  });
  return { path, unmount };
}

async function initialized(
  path: string,
  signal: AbortSignal,
  layout: 'folder' | 'single' = 'folder',
): Promise<Repository> {
  const repository = archiveRepository(settingsFor(path, { layout }), tools());
  await repository.initialize(signal);
  return repository;
}

describe.runIf(process.getuid?.() === 0 && available('mount'))('needs root', () => {
  for (const layout of LAYOUTS) {
    test(`a full disk fails the item, and the points of a ${layout} repository stay as they were`, async ({
      signal,
    }) => {
      const { path } = smallDisk('4m');
      const repository = await initialized(path, signal, layout);
      const kept = await storePoint(repository, aHeader(), signal, noise(100_000));
      const header = aHeader({ timestamp: at('03:00:00') });
      const attempt = async () => {
        await using draft = await repository.begin(header, 0, signal);
        const item = aStream('ldap', async function* () {
          for (let part = 0; part < 100; part++) yield noise(100_000, part);
        });
        await expect(draft.putStream(item, signal)).rejects.toMatchObject({ code: 'NoSpace' });
      };
      await attempt();
      expect((await repository.list({}, signal)).points.map(({ id }) => id)).toEqual([kept.id]);
      expect(await repository.check(signal)).toEqual([]);
      await storePoint(repository, aHeader({ timestamp: at('04:00:00') }), signal); // and the space is free again
    });
  }

  test('a disk that is full when the manifest is written shows nothing', async ({ signal }) => {
    const { path } = smallDisk('1m');
    const repository = await initialized(path, signal);
    const header = aHeader();
    const attempt = async () => {
      await using draft = await repository.begin(header, 0, signal);
      const item = aStream('ldap', () => chunks('x'));
      const rows = [aRow(item, await draft.putStream(item, signal))];
      fill(join(path, 'filler'));
      await draft.commit(aManifest(header, rows), null, signal);
    };
    await expect(attempt()).rejects.toMatchObject({ code: 'NoSpace' });
    rmSync(join(path, 'filler'));
    expect(await repository.list({}, signal)).toEqual({ locations: new Set(), points: [], unreadable: [] });
    expect(await repository.check(signal)).toEqual([]);
  });

  test('a full disk can be pruned', async ({ signal }) => {
    const { path } = smallDisk('1m');
    const repository = await initialized(path, signal);
    const point = await storePoint(repository, aHeader(), signal, noise(100_000));
    fill(join(path, 'filler'));
    {
      await using _prune = await repository.lock({ kind: 'repository' }, 'exclusive', 0, signal);
      await repository.remove(point, signal);
    }
    expect((await repository.list({}, signal)).points).toEqual([]);
  });

  test('a disk that is not mounted is no repository, and nothing is written below it', async ({ signal }) => {
    const { path, unmount } = smallDisk('4m');
    const repository = await initialized(path, signal);
    const point = await storePoint(repository, aHeader(), signal);
    unmount();
    const notFound = { code: 'RepositoryNotFound', message: expect.stringContaining('may not be mounted') };
    await expect(repository.begin(aHeader(), 0, signal)).rejects.toMatchObject(notFound);
    await expect(repository.list({}, signal)).rejects.toMatchObject(notFound);
    await expect(repository.lock({ kind: 'repository' }, 'shared', 0, signal)).rejects.toMatchObject(notFound);
    await expect(repository.remove(point, signal)).rejects.toMatchObject(notFound);
    await expect(collect(repository.open(point, 'ldap', signal))).rejects.toMatchObject(notFound);
    expect(readdirSync(path)).toEqual([]);
  });

  test('a repository that is mounted read-only is read, and says why it cannot be written', async ({ signal }) => {
    const { path } = smallDisk('4m');
    const repository = await initialized(path, signal);
    const point = await storePoint(repository, aHeader(), signal, 'hello');
    execFileSync('mount', ['-o', 'remount,ro', path]);
    await using _reader = await repository.lock({ kind: 'point', id: point.id }, 'shared', 0, signal);
    expect((await repository.list({}, signal)).points).toHaveLength(1);
    expect((await collect(repository.open(point, 'ldap', signal))).toString()).toBe('hello');
    const unusable = { code: 'RepositoryUnusable', message: expect.stringContaining('read-only') };
    await expect(repository.begin(aHeader(), 0, signal)).rejects.toMatchObject(unusable);
    await expect(repository.remove(point, signal)).rejects.toMatchObject(unusable);
  });
});

/** Writes until nothing more fits. */
function fill(path: string): void {
  spawnSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=1k'], { stdio: 'ignore' });
}
