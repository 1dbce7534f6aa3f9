import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { archiveRepository } from '../src/adapters/repositories/archive/index.ts';
import { folderLocks } from '../src/adapters/repositories/archive/locks.ts';
import type { OwnerState, Owners } from '../src/ports/owner.ts';
import { systemClock } from '../src/process/clock.ts';
import { systemOwners } from '../src/process/owner.ts';
import { aHeader } from './contracts/captured-items.ts';
import { storePoint } from './contracts/stored-points.ts';
import { archiveFixture, settingsFor, tools } from './services/archive.ts';

const LOCKS = '.holdfast-locks';
const REPOSITORY = { kind: 'repository' } as const;
const locksIn = (path: string): string[] => readdirSync(join(path, LOCKS)).sort();
const isLocked = { code: 'RepositoryLocked' };

/** How this machine sees the holders of all locks. */
const seeing = (state: OwnerState): Owners => ({ current: systemOwners().current, state: () => state });

function aWriter(path: string, how: 'once' | 'forever' = 'once') {
  const script = fileURLToPath(new URL('archive-writer.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path, 'folder', how], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, next: async () => (await lines.next()).value as string | undefined };
}

test('a lock says who holds it since when', async ({ signal }) => {
  await using made = await archiveFixture();
  await using _lock = await made.repository.lock(REPOSITORY, 'exclusive', 0, signal);
  const since = /locked by process (\d+) since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
  const failure = await made
    .again()
    .lock(REPOSITORY, 'shared', 0, signal)
    .catch((error: Error) => error);
  expect(failure).toMatchObject(isLocked);
  expect(since.exec((failure as Error).message)?.[1]).toBe(`${process.pid}`);
});

test('a lock’s counter grows while its holder lives', async ({ signal }) => {
  await using made = await archiveFixture();
  const { clock, identifiers, owners } = tools();
  const locks = folderLocks({
    path: made.path,
    tools: { clock, identifiers, owners, uptimeMs: () => 0 },
    finish: async () => {},
    refreshMs: 5,
  });
  await using _lock = await locks.acquire(REPOSITORY, 'shared', 0, signal);
  const counter = () => JSON.parse(readFileSync(join(made.path, LOCKS, locksIn(made.path)[0] ?? ''), 'utf8')).counter;
  const first = Number(counter());
  await vi.waitUntil(() => Number(counter()) > first + 3, { timeout: 20_000, interval: 5 });
});

test('of many runs that begin at once one writes, and the others are told', async ({ signal }) => {
  await using made = await archiveFixture();
  const writers = Array.from({ length: 5 }, () => aWriter(made.path));
  const words = await Promise.all(writers.map(({ next }) => next()));
  expect(words.toSorted()).toEqual(['begun', ...Array.from({ length: 4 }, () => 'refused RepositoryLocked')]);
  const winner = writers[words.indexOf('begun')];
  winner?.child.stdin.write('go\n');
  expect(await winner?.next()).toMatch(/^committed mealie\//);
  expect((await made.repository.list({}, signal)).points).toHaveLength(1);
  await Promise.all(writers.map(({ child }) => child.exitCode ?? once(child, 'exit')));
  expect(locksIn(made.path)).toEqual([]);
});

test('what a killed run had begun is taken away by the next one, and nothing else', async ({ signal }) => {
  await using made = await archiveFixture();
  await storePoint(made.repository, aHeader({ service: 'directory' }), signal);
  const { child, next } = aWriter(made.path);
  expect(await next()).toBe('begun');
  await expect(made.repository.begin(aHeader(), 0, signal)).rejects.toMatchObject(isLocked);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const [draft = ''] = readdirSync(join(made.path, 'mealie'));
  expect(draft).toMatch(/^\.draft-/);
  writeFileSync(join(made.path, 'mealie/.draft-of-somebody-else'), '');
  expect(await made.repository.check(signal)).toEqual([
    { subject: 'repository', detail: expect.stringMatching(/left by process \d+/) },
    { subject: 'service=mealie', detail: expect.stringMatching(/left by process \d+/) },
    { subject: 'mealie/.draft-of-somebody-else', detail: 'is a draft or removal that no lock records' },
  ]);
  const point = await storePoint(made.repository, aHeader(), signal);
  expect(readdirSync(join(made.path, 'mealie')).sort()).toEqual([
    '.draft-of-somebody-else',
    point.location.split('/')[1],
  ]);
  expect(locksIn(made.path)).toEqual([]);
});

test('unlock says what it removed', async ({ signal }) => {
  await using made = await archiveFixture();
  const { child, next } = aWriter(made.path);
  expect(await next()).toBe('begun');
  expect(await made.repository.unlock({ force: false }, signal)).toEqual([]);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const said = await made.repository.unlock({ force: false }, signal);
  expect(said.toSorted()).toEqual([
    expect.stringMatching(/^draft mealie\/\.draft-/),
    expect.stringMatching(/^exclusive lock of service=mealie, left by process \d+/),
    expect.stringMatching(/^shared lock of repository, left by process \d+/),
  ]);
  expect(readdirSync(join(made.path, 'mealie'))).toEqual([]);
});

test('another machine’s lock holds until its counter has not changed for 30 minutes of this machine’s own time', async ({
  signal,
}) => {
  await using made = await archiveFixture();
  const theirs = archiveRepository(settingsFor(made.path), tools());
  await using lock = await theirs.lock(REPOSITORY, 'exclusive', 0, signal);
  let minutes = 1000;
  // each run is an object of its own: what was seen is remembered between them
  const run = () =>
    archiveRepository(settingsFor(made.path), tools({ owners: seeing('unknown'), uptimeMs: () => minutes * 60_000 }));
  const tries = () => run().lock(REPOSITORY, 'exclusive', 0, signal);
  await expect(tries()).rejects.toMatchObject(isLocked);
  minutes += 29;
  await expect(tries()).rejects.toMatchObject(isLocked);
  await lock.confirm(signal); // their counter changes
  minutes += 2;
  await expect(tries()).rejects.toMatchObject(isLocked);
  minutes += 29;
  await expect(tries()).rejects.toMatchObject(isLocked);
  minutes += 1;
  await using taken = await tries();
  await taken.confirm(signal);
  await expect(lock.confirm(signal)).rejects.toMatchObject(isLocked); // whoever was slow finds out before a commit
  await taken[Symbol.asyncDispose]();
  expect(locksIn(made.path)).toEqual([]);
});

test('the watch begins again when the watching machine was started again', async ({ signal }) => {
  await using made = await archiveFixture();
  await using _lock = await made.repository.lock(REPOSITORY, 'exclusive', 0, signal);
  const { current } = systemOwners();
  const run = (boot: string, minutes: number) => {
    const owners: Owners = { current: { ...current, boot }, state: () => 'unknown' };
    const repository = archiveRepository(settingsFor(made.path), tools({ owners, uptimeMs: () => minutes * 60_000 }));
    return repository.lock(REPOSITORY, 'shared', 0, signal);
  };
  await expect(run('first', 100)).rejects.toMatchObject(isLocked);
  await expect(run('second', 500)).rejects.toMatchObject(isLocked);
  await expect(run('second', 529)).rejects.toMatchObject(isLocked);
  await using taken = await run('second', 530);
  await taken.confirm(signal);
});

test('a lock file that is empty or torn holds like any other that cannot be told', async ({ signal }) => {
  await using made = await archiveFixture();
  const name = 'repository.exclusive.01ARZ3NDEKTSV4RRFFQ69G5FAV';
  writeFileSync(join(made.path, LOCKS, name), '{"state":"he');
  let minutes = 0;
  let elapsedMs = 0; // a clock that does not wait
  const sleep = async (milliseconds: number): Promise<void> => {
    elapsedMs += milliseconds;
  };
  const clock = { ...systemClock, monotonicMs: () => elapsedMs, sleep };
  const run = archiveRepository(settingsFor(made.path), tools({ clock, uptimeMs: () => minutes * 60_000 }));
  await expect(run.lock(REPOSITORY, 'shared', 0, signal)).rejects.toMatchObject(isLocked);
  minutes = 30;
  await using _lock = await run.lock(REPOSITORY, 'shared', 0, signal);
  expect(locksIn(made.path)).not.toContain(name);
});

test('what is left of a lock that was never finished goes by the rules of a stale one', async ({ signal }) => {
  await using made = await archiveFixture();
  const folder = join(made.path, LOCKS);
  const lock = await made.repository.lock(REPOSITORY, 'shared', 0, signal);
  const content = readFileSync(join(folder, locksIn(made.path)[0] ?? ''));
  await lock[Symbol.asyncDispose]();
  const [whole, torn] = [
    'point=A.shared.01ARZ3NDEKTSV4RRFFQ69G5FAV.new',
    'service=b.exclusive.01ARZ3NDEKTSV4RRFFQ69G5FAV.new',
  ];
  const leave = (): void => {
    writeFileSync(join(folder, whole), content);
    writeFileSync(join(folder, torn), '{"state":"wai');
  };
  let minutes = 100;
  const left = async (state: OwnerState): Promise<string[]> => {
    const one = tools({ owners: seeing(state), uptimeMs: () => minutes * 60_000 });
    await archiveRepository(settingsFor(made.path), one).unlock({ force: false }, signal);
    return locksIn(made.path).filter((name) => !name.includes('.seen='));
  };
  leave();
  expect(await left('gone')).toEqual([torn]);
  leave();
  expect(await left('unknown')).toEqual([whole, torn]);
  minutes += 29;
  expect(await left('unknown')).toEqual([whole, torn]);
  minutes += 1;
  expect(await left('running')).toEqual([whole]);
  expect(await left('unknown')).toEqual([]);
  expect(locksIn(made.path)).toEqual([]);
});
