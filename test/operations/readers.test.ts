import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { cat } from '../../src/operations/cat.ts';
import { copyPoint } from '../../src/operations/copy-point.ts';
import { ls } from '../../src/operations/ls.ts';
import { restore } from '../../src/operations/restore.ts';
import { systemClock } from '../../src/process/clock.ts';
import { memoryRepository } from '../fakes/repository.ts';
import { type Fixture, fixture, signal } from './restore-fixture.ts';

type Reads = (made: Fixture, id: string) => Promise<unknown>;

const everything = async (bytes: AsyncIterable<unknown>): Promise<void> => {
  for await (const _ of bytes);
};

const READERS: readonly (readonly [string, Reads])[] = [
  [
    'a restore to a folder',
    ({ context, folder }, what) =>
      restore({ what, target: { kind: 'folder', path: join(folder, 'to') } }, context, signal),
  ],
  ['a restore in place', ({ context }, what) => restore({ what, target: { kind: 'in-place' } }, context, signal)],
  [
    'cat',
    ({ context, folder }, what) =>
      everything(cat({ what, item: 'files_data', path: join(folder, 'data', 'file') }, context, signal)),
  ],
  ['ls', ({ context }, what) => everything(ls({ what }, context, signal))],
  [
    'a copy',
    async ({ context, repository, catalog }, id) => {
      const other = memoryRepository({ name: 'other', clock: systemClock });
      await other.initialize(signal);
      const [summary] = await catalog.points({});
      const point = await repository.find({ ...summary, id } as never, signal);
      await copyPoint(point, repository, other, { timezone: 'UTC', lockWaitMs: 0 }, context, signal);
    },
  ],
];

test.each(READERS)('%s keeps everybody from removing the point that it reads', async (_, reads) => {
  using made = await fixture();
  const data = join(made.folder, 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'file'), 'then');
  made.addTree('data', [data]);
  const point = await made.backUp();
  await made.catalog.remember([point]);
  const { repository } = made;
  const removals: Promise<unknown>[] = [];
  function tried(): void {
    const lock = repository.lock({ kind: 'point', id: point.id }, 'exclusive', 0, signal);
    removals.push(
      lock.then(
        () => 'free',
        ({ code }) => code,
      ),
    );
  }
  for (const method of ['open', 'openFile', 'entries'] as const) {
    const original = repository[method].bind(repository) as (...all: unknown[]) => never;
    repository[method] = (...all: unknown[]) => {
      tried();
      return original(...all);
    };
  }
  await reads(made, point.id);
  expect(new Set(await Promise.all(removals))).toEqual(new Set(['RepositoryLocked']));
  await repository.lock({ kind: 'point', id: point.id }, 'exclusive', 0, signal); // and lets it go
});
