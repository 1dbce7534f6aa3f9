import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { House } from './house.ts';

/** Folders that have the name of a recovery point, oldest first. */
export function pointFolders(repository: string): string[] {
  const service = join(repository, 'mealie');
  const names = existsSync(service) ? readdirSync(service) : [];
  return names
    .filter((name) => /^\d{8}_\d{6}/.test(name))
    .toSorted()
    .map((name) => join(service, name));
}

/** Archives that have the name of a recovery point, oldest first: the second one of a second has `-2` before its ending. */
export const pointArchives = (repository: string): string[] =>
  (existsSync(repository) ? readdirSync(repository) : [])
    .flatMap((name) => (name.endsWith('.tar.zst') ? name.slice(0, -'.tar.zst'.length) : []))
    .toSorted()
    .map((name) => join(repository, `${name}.tar.zst`));

/** That all which has a point's name is whole, as `sha256sum`, `zstd`, `tar` and `sqlite3` see it, and holds one of these
 *  states of the service. */
export function expectWholePoints(house: House, states: readonly string[]): void {
  for (const folder of pointFolders(house.path('disk'))) {
    const sums = spawnSync('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' });
    expect(sums.status, folder + sums.stdout + sums.stderr).toBe(0);
    expect(readFileSync(join(folder, 'SHA256SUMS'), 'utf8')).toContain('backup-manifest.json');
    expectWholeTree(join(folder, 'files_data.tar.zst'), house.path('data').slice(1), states);
  }
  for (const archive of pointArchives(house.path('tars'))) {
    const { archive: said } = JSON.parse(readFileSync(`${archive}.json`, 'utf8'));
    expect(execFileSync('sha256sum', ['--', archive], { encoding: 'utf8' }).split(' ')[0], archive).toBe(said.sha256);
    expectWholeTree(archive, 'backup/data', states);
  }
}

function expectWholeTree(tar: string, inside: string, states: readonly string[]): void {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-judged-'));
  try {
    const ended = spawnSync('tar', ['--zstd', '-xf', tar, '-C', folder], { encoding: 'utf8' });
    expect(ended.status, tar + ended.stderr).toBe(0);
    const differences = states.map((state) => spawnSync('diff', ['-r', '--', state, join(folder, inside)]).status);
    expect(differences, tar).toContain(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** That no draft, removal, lock or provisional name is left in the repositories, and the state folder has its own only. */
export function expectTidy(house: House): void {
  const all = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%P\\n'], {
    cwd: house.folder,
    encoding: 'utf8',
  });
  const left = all
    .split('\n')
    .filter((name) => /(^|\/)\.(draft|removed|holdfast-restore)|\.new$|\.holdfast-locks\/./.test(name));
  expect(left).toEqual([]);
  const state = readdirSync(house.path('state')).filter(
    (name) => !/^(origin|reserve|configuration\.cache|(catalog|journal)\.db(-wal|-shm)?)$/.test(name),
  );
  expect(state).toEqual([]);
}

/** What `list` shows, by location's last part, oldest first: it must be what the disk has. */
export function expectListed(house: House): void {
  const { points } = JSON.parse(house.passes('list', '--json'));
  const there = pointFolders(house.path('disk')).length + pointArchives(house.path('tars')).length;
  expect(points).toHaveLength(there);
}

/** Which of these the folder is equal to, by `diff -r`, or null. */
export const stateOf = (folder: string, states: readonly string[]): string | null =>
  states.find((state) => spawnSync('diff', ['-r', '--', state, folder]).status === 0) ?? null;
