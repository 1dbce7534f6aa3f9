import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { MEMORY } from '../services/memory.ts';
import { powerCuts } from '../services/power-cut.ts';
import { traceWrites } from '../services/write-trace.ts';
import { aHouse, type House } from './house.ts';
import { pointArchives, pointFolders } from './judge.ts';

let house: House;

beforeEach(() => {
  house = aHouse(MEMORY);
  house.tool('mkdir', 'all');
  house.tool('truncate', '-s', '300K', house.path('data', 'noise')); // a write of more than 1 MB is not traced whole
  // what is traced lies in one folder: repositories and state
  house.configure(readFileSync(house.path('holdfast.yaml'), 'utf8').replaceAll('path: ./', 'path: ./all/'));
  house.environment.STATE_DIRECTORY = house.path('all', 'state');
});
afterEach(() => house[Symbol.dispose]());

function traced(...args: string[]) {
  const environment = Object.entries({ ...house.environment, UV_THREADPOOL_SIZE: '1' });
  const set = environment.map(([name, value]) => `${name}=${value}`);
  return traceWrites(['env', '-i', ...set, ...house.program, ...args], house.path('all'));
}

/** Those that `sha256sum` does not find whole, by names alone. */
function damaged(all: string): string[] {
  const sound = (folder: string, sums: string) =>
    spawnSync('sha256sum', ['-c', '--strict', '--status', '-'], { cwd: folder, input: sums }).status === 0;
  const folders = pointFolders(join(all, 'disk')).filter(
    (path) => !existsSync(join(path, 'SHA256SUMS')) || !sound(path, readFileSync(join(path, 'SHA256SUMS'), 'utf8')),
  );
  const archives = pointArchives(join(all, 'tars')).filter((path) => {
    if (!existsSync(`${path}.json`)) return true;
    const { archive } = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
    return !sound(join(all, 'tars'), `${archive.sha256}  ${basename(path)}\n`);
  });
  return [...folders, ...archives];
}

const TOOLS = ['strace', 'sqlite3', 'sha256sum'];
describe.runIf(TOOLS.every(available))('a power cut', { timeout: 300_000 }, () => {
  test.each([
    ['disk', pointFolders],
    ['tars', pointArchives],
  ] as const)(
    'at any write of a whole backup into %s leaves whole points, a sound state, and a backup that works',
    async (name, points) => {
      const all = house.path('all');
      const changes = [
        ...traced('repository', 'init', name),
        ...traced('backup', '--quiet', '--repository', name),
        ...traced('backup', '--quiet', '--repository', name),
      ];
      const present = points(join(all, name));
      expect(present).toHaveLength(2);
      renameSync(all, house.path('truth'));

      let cuts = 0;
      const seen = new Set<number>();
      const mapped = (path: string): boolean => path.endsWith('-shm');
      for await (const { where } of powerCuts(changes, all, mapped)) {
        cuts += 1;
        expect(damaged(all), where).toEqual([]);
        const there = points(join(all, name)).length;
        for (const database of ['journal.db', 'catalog.db']) {
          const path = join(all, 'state', database);
          if (existsSync(path) && cuts % 7 === 0)
            expect(house.tool('sqlite3', path, 'pragma integrity_check'), where).toBe('ok\n');
        }
        if (!seen.has(there) || cuts % 197 === 0) {
          seen.add(there);
          if (!existsSync(join(all, name, '.holdfast-repository.json'))) {
            house.fails(10, 'backup', '--repository', name);
            rmSync(all, { recursive: true });
            continue;
          }
          house.passes('backup', '--repository', name);
          expect(points(join(all, name)), where).toHaveLength(there + 1);
          expect(damaged(all), where).toEqual([]);
          house.passes('repository', 'check', name);
        }
      }
      expect([...seen].toSorted()).toEqual([0, 1, 2]);
      expect(cuts).toBeGreaterThan(200);
    },
  );
});
