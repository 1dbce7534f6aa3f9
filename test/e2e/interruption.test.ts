import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { PROGRAM } from '../services/program.ts';
import { aMachine, type Machine, type Running, tool } from './holdfast.ts';
import { errorShape } from './shapes.ts';

// Large files on a busy disk, several times over.
vi.setConfig({ testTimeout: 240_000 });

/** A service of one large file that no compression makes smaller, so that its backup takes a while. */
function withLargeFile(layout: 'folder' | 'single'): Machine {
  const machine = aMachine();
  machine.write('data/.keep', '');
  tool('sh', '-c', 'head -c 100000000 /dev/urandom > "$1"', 'sh', machine.path('data/large'));
  machine.configure(`repositories:
  disk: { engine: archive, path: ./disk, layout: ${layout} }
services:
  files: { sources: { data: { files: [./data], reread: always } } }
plans: { nightly: { services: '*', repositories: [disk], retention: { latest: 1 } } }
`);
  machine.passes('repository', 'init', 'disk');
  return machine;
}

/** Names below the repository's folder, without those that are always there. */
const stored = (machine: Machine): string[] =>
  tool('find', machine.path('disk'), '-mindepth', '1', '-type', 'f', '-printf', '%P\n')
    .split('\n')
    .filter((name) => !['', 'restore.sh', '.holdfast-repository.json'].includes(name))
    .toSorted();

/** Waits until bytes of an item lie in a draft; the run must not be over by then. */
async function inTheMiddle(machine: Machine, before: number): Promise<void> {
  const large = (): string => tool('find', machine.path('disk'), '-type', 'f', '-size', '+2M');
  await expect.poll(() => large().split('\n').length - 1, { timeout: 30_000, interval: 5 }).toBeGreaterThan(before);
}

/** Starts a backup and stops the process in the middle of it: it holds its locks and does nothing. */
async function frozen(machine: Machine, before = 0): Promise<Running> {
  const running = machine.start(['backup', '--json']);
  await inTheMiddle(machine, before);
  running.kill('SIGSTOP');
  return running;
}

for (const layout of ['folder', 'single'] as const)
  for (const [signal, exitCode, code] of [
    ['SIGINT', 130, 'Interrupted'],
    ['SIGTERM', 143, 'Terminated'],
  ] as const)
    test(`${signal} in the middle of a backup into ${layout} points leaves no half point, no lock and no draft`, async () => {
      const machine = withLargeFile(layout);
      const running = machine.start(['backup', '--json']);
      await inTheMiddle(machine, 0);
      running.kill(signal);
      const ended = await running.ended;
      expect(ended.exitCode).toBe(exitCode);
      expect(errorShape.parse(JSON.parse(ended.stdout)).error).toMatchObject({ code, exitCode });
      expect(stored(machine)).toEqual([]);
      expect(machine.json(0, 'list').points).toEqual([]);
      expect(machine.json(0, 'doctor')).toMatchObject({ outcome: 'passed' });
      expect(machine.json(0, 'unlock').repositories).toEqual([{ name: 'disk', removed: [] }]);
      expect(machine.json(0, 'backup').points).toHaveLength(1);
    });

test('a restore that is interrupted leaves the target as it was', async () => {
  const machine = withLargeFile('folder');
  machine.passes('backup');
  machine.write('to/mine', 'mine');
  const running = machine.start(['restore', 'files', '--to', 'to', '--overwrite', 'always']);
  const staged = (): string => tool('find', machine.folder, '-path', '*/.holdfast-*', '-name', 'large', '-size', '+1M');
  await expect.poll(staged, { timeout: 30_000, interval: 5 }).not.toBe('');
  running.kill('SIGINT');
  const { exitCode, stderr } = await running.ended;
  expect([exitCode, stderr]).toEqual([130, expect.stringContaining('holdfast: Stopped by Ctrl-C.\n  next: ')]);
  expect(readdirSync(machine.path('to'))).toEqual(['mine']);
  expect(readdirSync(machine.folder).filter((name) => name.startsWith('.holdfast'))).toEqual([]);
  expect(machine.json(0, 'doctor')).toMatchObject({ outcome: 'passed' });
});

test('while a backup runs, another of the service, and prune end with 11, unlock leaves it alone, and --lock-wait waits', async () => {
  const machine = withLargeFile('folder');
  machine.passes('backup', '--plan', 'nightly');
  machine.passes('backup', '--plan', 'nightly'); // the first of the two may go now
  const running = await frozen(machine, 2);
  for (const args of [['backup'], ['prune'], ['run', 'nightly']]) {
    const { error } = errorShape.parse(machine.json(11, ...args));
    expect(error).toMatchObject({ code: 'RepositoryLocked', exitCode: 11 });
  }
  const during = stored(machine);
  expect(machine.json(0, 'list').points).toHaveLength(2);
  expect(machine.json(0, 'unlock').repositories).toEqual([{ name: 'disk', removed: [] }]);
  expect(stored(machine)).toEqual(during);
  const waiting = machine.start(['backup', '--lock-wait', '3m', '--json']);
  running.kill('SIGCONT');
  expect((await running.ended).exitCode).toBe(0);
  expect((await waiting.ended).exitCode).toBe(0);
  expect(machine.json(0, 'list').points).toHaveLength(4);
});

test('what a killed backup left is no point, and the next run takes it away', async () => {
  const machine = withLargeFile('folder');
  const running = await frozen(machine);
  running.kill('SIGKILL');
  await running.ended;
  expect(stored(machine)).not.toEqual([]);
  expect(machine.json(0, 'list').points).toEqual([]);
  const point = machine.json(0, 'backup').points[0];
  const folder = machine.path('disk', point.location);
  tool('sh', '-c', 'cd "$1" && sha256sum --strict --quiet -c SHA256SUMS', 'sh', folder);
  const files = readdirSync(folder).map((name) => `${point.location}/${name}`);
  expect(stored(machine)).toEqual(files.toSorted());
  expect(existsSync(join(folder, 'backup-manifest.json'))).toBe(true);
});

test('a reader that has enough, as head, ends the program quietly', () => {
  const machine = aMachine();
  for (let number = 0; number < 3000; number++) writeFileSync(machine.write(`data/${number}`, ''), '');
  machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { files: { sources: { data: { files: [./data] } } } }
`);
  machine.passes('repository', 'init', 'disk');
  machine.passes('backup');
  const command = '"$1" "$2" ls files 2>"$3" | head -n 1';
  const environment = ['env', ...Object.entries(machine.environment).map(([name, value]) => `${name}=${value}`)];
  const [env = '', ...set] = environment;
  const line = tool(env, ...set, 'sh', '-c', command, 'sh', ...PROGRAM, machine.path('stderr'));
  expect(line).toMatch(/^drwx.*data\n$/);
  expect(readFileSync(machine.path('stderr'), 'utf8')).toBe('');
});
