import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import type { PoolDefinition } from '../../src/domain/definitions.ts';
import type { Snapshotter } from '../../src/ports/snapshotter.ts';
import { openSnapshotter } from '../../src/snapshotters.ts';
import type { SnapshotterFixture } from '../contracts/snapshotter.ts';
import { run } from './loop-disk.ts';

export const aPool = (path: string, options: Partial<PoolDefinition> = {}): PoolDefinition => ({
  ...{ name: 'main', path, kind: null, snapshotsFolder: 'snapshots', share: null, subvolumes: new Map() },
  ...options,
});

export const openAt = (path: string, options: Partial<PoolDefinition> = {}): Promise<Snapshotter> =>
  openSnapshotter(aPool(path, options), localHost(), 'UTC', AbortSignal.timeout(60_000));

export function filesIn(root: string): Readonly<Record<string, string>> {
  const names = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = names.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [relative(root, path), readFileSync(path, 'utf8')]));
}

/** A pool at `path` on a real file system, made and looked at with its own tools. */
export async function poolFixture(
  path: string,
  makeSubvolume: (path: string) => void,
  makeByHand: (from: string, to: string) => void,
  dispose: () => void,
  options: Partial<PoolDefinition> = {},
): Promise<SnapshotterFixture> {
  const write = (root: string, name: string, content: string): void => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  };
  const place = (name: string): string | null =>
    [join(path, name), join(path, 'snapshots', name)].find((one) => statSync(one, { throwIfNoEntry: false })) ?? null;
  return {
    snapshotter: await openAt(path, options),
    makeSubvolume: async (name, files = {}) => {
      makeSubvolume(join(path, name));
      for (const [file, content] of Object.entries(files)) write(join(path, name), file, content);
    },
    makeByHand: async (subvolume, name) => {
      mkdirSync(join(path, 'snapshots'), { recursive: true });
      makeByHand(join(path, subvolume), join(path, 'snapshots', name));
    },
    write: async (name, file, content) => write(join(path, name), file, content),
    removeFile: async (name, file) => rmSync(join(path, name, file)),
    files: async (name) => {
      const root = place(name);
      return root === null ? null : filesIn(root);
    },
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

export const copyByHand = (from: string, to: string): void => void run('cp', '-a', from, to);
