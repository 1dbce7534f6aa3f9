import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { type ContainerMount, sharedBy } from '../../src/domain/containers.ts';
import { withLinkedPlaces } from '../../src/operations/linked-mounts.ts';
import type { Host } from '../../src/ports/host.ts';
import { temporaryFolder } from '../sources/support.ts';

test('a container shares a folder that one of them names through a symbolic link', async ({ signal }) => {
  await using folder = await temporaryFolder();
  const path = (name: string): string => join(folder.path, name);
  mkdirSync(path('disk/app/data'), { recursive: true });
  mkdirSync(path('disk/other'));
  symlinkSync('disk', path('srv'));
  symlinkSync(path('nowhere'), path('dangling'));
  const places = [
    { source: 'real', kind: 'bind', at: path('disk/app') },
    { source: 'linked', kind: 'bind', at: path('srv/app/data') },
    { source: 'gone', kind: 'bind', at: path('dangling') },
    { source: 'volume', kind: 'volume', at: 'data' },
  ] as const;
  const shared = async (
    mount: Pick<ContainerMount, 'kind' | 'source'>,
    host: Pick<Host, 'run'> = localHost(),
  ): Promise<string[]> => {
    const made = { id: '1', name: 'web', running: true, createdAt: '', labels: {}, own: false } as const;
    const mounts = [{ ...mount, writable: true }];
    const [container = made] = await withLinkedPlaces([{ ...made, mounts }], places, host, signal);
    return sharedBy({ mounts: [], ...container }, places, { writable: true }).map(({ source }) => source);
  };
  expect(await shared({ kind: 'bind', source: path('srv/app') })).toEqual(['real', 'linked']);
  expect(await shared({ kind: 'bind', source: path('disk/app/data') })).toEqual(['real', 'linked']);
  expect(await shared({ kind: 'bind', source: path('srv/other') })).toEqual([]);
  expect(await shared({ kind: 'bind', source: path('dangling') })).toEqual(['gone']);
  expect(await shared({ kind: 'volume', source: 'data' })).toEqual(['volume']);
  const late = { run: () => Promise.reject(new Error('it took too long')) };
  expect(await shared({ kind: 'bind', source: path('disk/app') }, late)).toEqual(['real']);
});
