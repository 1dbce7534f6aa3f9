import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aHouse, fill, type House } from './house.ts';
import { expectTidy, expectWholePoints, pointFolders, stateOf } from './judge.ts';

let house: House;
let then = '';
let now = '';
let started: ChildProcess[] = [];

beforeEach(() => {
  house = aHouse();
  [then, now] = [house.path('then'), house.path('now')];
  house.tool('cp', '-a', house.path('data'), then);
  for (const name of ['disk', 'tars']) house.passes('repository', 'init', name);
  house.passes('backup', '--plan', 'nightly');
  started = [];
});
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  house[Symbol.dispose]();
});

const locks = (): string[] => readdirSync(house.path('disk', '.holdfast-locks'));

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('waited for a minute');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

interface Running {
  readonly process: ChildProcess;
  /** Its exit code and what it said. */
  readonly ended: Promise<readonly [number | null, string]>;
}

function run(...args: string[]): Running {
  const process = house.start(...args);
  started.push(process);
  let said = '';
  process.stdout?.on('data', (chunk) => (said += chunk));
  process.stderr?.on('data', (chunk) => (said += chunk));
  return { process, ended: once(process, 'close').then(([code]) => [code, said] as const) };
}

/** A backup that stands still in the middle: it holds the service's lock, and its draft is there. */
async function aHaltedBackup(): Promise<Running> {
  fill(house, 'today');
  house.tool('cp', '-a', house.path('data'), now);
  const running = run('backup', '--plan', 'nightly');
  const service = house.path('disk', 'mealie');
  await until(() => readdirSync(service).some((name) => name.startsWith('.draft-')));
  running.process.kill('SIGSTOP');
  return running;
}

describe.runIf(['sqlite3', 'zstd', 'tar', 'diff'].every(available))('two runs at once', { timeout: 300_000 }, () => {
  test('a second backup of a service ends with 11, or waits when told to', async () => {
    const first = await aHaltedBackup();
    expect(house.fails(11, 'backup', '--plan', 'nightly')).toMatch(/locked by/);
    const waiting = run('backup', '--plan', 'nightly', '--lock-wait', '5m');
    const own = (name: string) => name.startsWith('service=mealie.exclusive');
    await until(() => locks().filter(own).length === 2); // it took a place behind the first
    expect(pointFolders(house.path('disk'))).toHaveLength(1);
    first.process.kill('SIGCONT');
    expect(await first.ended).toEqual([0, expect.any(String)]);
    expect(await waiting.ended).toEqual([0, expect.any(String)]);
    expect(pointFolders(house.path('disk'))).toHaveLength(3);
    expectWholePoints(house, [then, now]);
    expectTidy(house);
  });

  test('beside a backup points are listed, proved and restored, and none is pruned or restored in place', async () => {
    const first = await aHaltedBackup();
    expect(JSON.parse(house.passes('list', '--json')).points).toHaveLength(1);
    house.passes('verify', 'mealie');
    house.passes('restore', 'mealie', '--to', 'target');
    expect(stateOf(house.path('target', house.path('data')), [then])).toBe(then);
    house.fails(11, 'restore', 'mealie', '--in-place', '--yes');
    expect(stateOf(house.path('data'), [now])).toBe(now);
    house.passes('prune', '--plan', 'nightly', '--yes'); // nothing goes yet: no lock is needed
    expect(house.holdfast('unlock').stdout).toContain('Nothing was left behind');
    first.process.kill('SIGCONT');
    expect(await first.ended).toEqual([0, expect.any(String)]);
    expectWholePoints(house, [then, now]);

    house.passes('verify', 'mealie'); // now the older one may go
    const second = await aHaltedBackup();
    house.fails(11, 'prune', '--plan', 'nightly', '--yes');
    expect(pointFolders(house.path('disk'))).toHaveLength(2);
    second.process.kill('SIGCONT');
    expect(await second.ended).toEqual([0, expect.any(String)]);
    house.passes('prune', '--plan', 'nightly', '--yes');
    expect(pointFolders(house.path('disk'))).toHaveLength(2); // the newest, and the newest that is proved
    expectTidy(house);
  });

  test('a lock of another machine holds until unlock is forced', async () => {
    const first = await aHaltedBackup();
    const name = locks().find((lock) => lock.startsWith('service=mealie.exclusive')) ?? '';
    const path = house.path('disk', '.holdfast-locks', name);
    const lock = JSON.parse(readFileSync(path, 'utf8'));
    first.process.kill('SIGKILL');
    await first.ended;
    Object.assign(lock.owner, { machine: 'another', hostname: 'elsewhere', boot: 'another' });
    writeFileSync(path, `${JSON.stringify(lock)}\n`);

    house.fails(11, 'backup', '--plan', 'nightly');
    house.passes('unlock');
    house.fails(11, 'backup', '--plan', 'nightly');
    expect(existsSync(path)).toBe(true);
    house.passes('unlock', '--force', '--yes');
    house.passes('backup', '--plan', 'nightly');
    expectWholePoints(house, [then, now]);
    expectTidy(house);
  });
});

describe.runIf(process.getuid?.() === 0)('a repository disk that is not mounted, as root', () => {
  test('stops what needs it with 10, and nothing is written below its mount point', () => {
    const disk = house.path('disk');
    house.tool('mv', disk, house.path('store'));
    house.tool('mkdir', disk);
    const before = house.tool('find', disk, '-printf', '%p %C@\\n');
    for (const args of [
      ['backup', '--plan', 'nightly'],
      ['backup', 'mealie', '--repository', 'disk'],
      ['run', 'nightly'],
      ['list', '--repository', 'disk'],
      ['repository', 'check', 'disk'],
    ])
      expect(house.fails(10, ...args), args.join(' ')).toContain(disk);
    house.fails(10, 'restore', 'mealie', '--repository', 'disk', '--to', 'target');
    expect(house.holdfast('prune', '--plan', 'nightly', '--yes').status).not.toBe(0);
    expect(house.holdfast('verify', '--json').stdout).not.toContain('"failed"'); // it could not be told
    expect(house.tool('find', disk, '-printf', '%p %C@\\n')).toBe(before);
    house.tool('mount', '--bind', house.path('store'), disk);
    try {
      house.passes('backup', '--plan', 'nightly');
      expect(JSON.parse(house.passes('list', '--json')).points).toHaveLength(2);
    } finally {
      house.tool('umount', disk);
    }
  });
});

describe.runIf(['age', 'age-keygen', 'sqlite3'].every(available))('a wrong key', () => {
  test('ends with 12, writes nothing, and takes nothing from what was proved', () => {
    house.tool('age-keygen', '-o', 'age.key');
    const recipient = house.tool('age-keygen', '-y', 'age.key').trim();
    const seal = `encryption: { age: { recipients: [${recipient}], identities: [{ file: ./age.key }] } }`;
    house.configure(
      readFileSync(house.path('holdfast.yaml'), 'utf8').replaceAll('path: ./disk', `path: ./sealed, ${seal}`),
    );
    house.passes('repository', 'init', 'disk');
    house.passes('backup', '--plan', 'nightly');
    house.passes('verify', 'mealie');
    const [proved] = JSON.parse(house.passes('list', '--json')).points;
    rmSync(house.path('age.key'));
    house.tool('age-keygen', '-o', 'age.key');

    house.fails(12, 'restore', 'mealie', '--to', 'target');
    expect(existsSync(house.path('target'))).toBe(false);
    house.fails(12, 'restore', 'mealie', '--in-place', '--yes');
    expect(stateOf(house.path('data'), [then])).toBe(then);
    house.fails(12, 'cat', 'mealie', 'sqlite_db');
    expect(house.holdfast('verify', 'mealie').status).toBe(5);
    const [after] = JSON.parse(house.passes('list', '--json')).points;
    expect(after).toEqual(proved);
    expect(proved.evidence).toBe('sound');
  });
});

describe('a clock that went wrong', () => {
  /** Makes a point be of another time, as one is that was made when the clock was wrong. */
  function move(folder: string, hours: number): void {
    const name = (path: string): string => join(folder, path);
    const manifest = JSON.parse(readFileSync(name('backup-manifest.json'), 'utf8'));
    const moved = Temporal.Instant.from(manifest.timestamp).add({ hours }).toString({ smallestUnit: 'second' });
    const before = house.tool('sha256sum', name('backup-manifest.json')).slice(0, 64);
    writeFileSync(name('backup-manifest.json'), JSON.stringify({ ...manifest, timestamp: moved, completedAt: moved }));
    const sums = readFileSync(name('SHA256SUMS'), 'utf8');
    const after = house.tool('sha256sum', name('backup-manifest.json')).slice(0, 64);
    writeFileSync(name('SHA256SUMS'), sums.replace(before, after));
    const at = moved.replaceAll(/[-:Z]/g, '').replace('T', '_');
    house.tool('mv', folder, join(folder, '..', at));
    house.passes('catalog', 'rebuild');
  }

  test.each([1, 24 * 365])('%d hours ahead of the newest point: backups are held and nothing is pruned', (hours) => {
    for (let count = 0; count < 2; count++) house.passes('backup', '--plan', 'nightly');
    const [oldest = ''] = pointFolders(house.path('disk'));
    move(oldest, hours);
    const there = pointFolders(house.path('disk')).map((path) => basename(path));

    house.fails(3, 'backup', '--plan', 'nightly');
    const points = JSON.parse(house.passes('list', '--json')).points as { held: string | null }[];
    expect(points.filter(({ held }) => held !== null)).toEqual([
      expect.objectContaining({ held: expect.stringMatching(/clock/) }),
    ]);
    expect(house.holdfast('prune', '--plan', 'nightly', '--yes').status).toBe(1);
    expect(house.holdfast('run', 'nightly').status).not.toBe(0);
    expect(pointFolders(house.path('disk')).map((path) => basename(path))).toEqual(expect.arrayContaining(there));
  });
});
