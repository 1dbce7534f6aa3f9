import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { MEMORY } from '../services/memory.ts';
import { powerCuts } from '../services/power-cut.ts';
import { replayedTree } from '../services/replayed-tree.ts';
import { traceWrites } from '../services/write-trace.ts';
import { aHouse, CONFIGURATION, type House } from './house.ts';
import { stateOf } from './judge.ts';

let house: House;
const all = (...names: string[]): string => house.path('all', ...names);

/** What is traced lies in one folder: the state and what is restored. The repository is only read. */
beforeEach(() => {
  house = aHouse(MEMORY);
  house.environment.STATE_DIRECTORY = all('state');
  house.configure(CONFIGURATION.replaceAll('./data', './all/data').replaceAll('./notes.db', './all/notes.db'));
  house.tool('mkdir', 'all');
  house.tool('mv', 'data', 'all/data');
  house.tool('mv', 'notes.db', 'all/notes.db');
  house.tool('truncate', '-s', '100K', all('data', 'noise'));
});
afterEach(() => house[Symbol.dispose]());

function traced(program: readonly [string, ...string[]]) {
  const environment = Object.entries({ ...house.environment, UV_THREADPOOL_SIZE: '1' });
  return traceWrites(['env', '-i', ...environment.map(([name, value]) => `${name}=${value}`), ...program], all());
}

const rowsIn = (database: string): string =>
  house.tool('sqlite3', database, 'pragma integrity_check; select text from notes limit 1; select count(*) from notes');

describe.runIf(['strace', 'sqlite3', 'diff'].every(available))('a power cut', { timeout: 300_000 }, () => {
  test('at any write of a restore in place leaves the old state or the new one, and nothing of the old is lost', async () => {
    for (const name of ['disk', 'tars']) house.passes('repository', 'init', name);
    house.passes('backup', '--repository', 'disk');
    cpSync(all(), house.path('then'), { recursive: true });
    house.tool(
      'sh',
      '-c',
      'rm all/data/inner/1?; echo now > all/data/inner/2; mkdir all/data/later; echo now > all/data/later/on',
    );
    house.tool('sqlite3', all('notes.db'), "update notes set text = 'now'; delete from notes where rowid > 100");
    house.tool('sqlite3', all('notes.db'), 'vacuum');
    cpSync(all(), house.path('now'), { recursive: true });
    const [then, now] = ['then', 'now'].map((state) => ({
      data: house.path(state, 'data'),
      rows: rowsIn(house.path(state, 'notes.db')),
    }));

    // what is there before belongs to the trace too: the same program writes it once more, durably
    renameSync(all(), house.path('before'));
    house.tool('mkdir', 'all');
    const copied = traced([
      'sh',
      '-c',
      'cp -r --reflink=never --sparse=never -T "$1" "$2" && sync -f "$2"',
      'sh',
      house.path('before'),
      all(),
    ]);
    const restored = traced([
      ...house.program,
      'restore',
      'mealie',
      '--in-place',
      '--yes',
      '--quiet',
      '--repository',
      'disk',
    ]);
    expect(stateOf(all('data'), [house.path('then', 'data')])).not.toBeNull();
    rmSync(all(), { recursive: true });

    const states = new Set<string>();
    const model = replayedTree();
    for (const change of copied) model.apply(change);
    let cuts = 0;
    const mapped = (path: string): boolean => path.endsWith('-shm');
    for await (const { where } of powerCuts(restored, all(), mapped, model)) {
      cuts += 1;
      // The names of both are looked at after every cut, the next start of the program after some.
      const here = { data: existsSync(all('data')), db: existsSync(all('notes.db')), kept: keptIn(all()) };
      const key = JSON.stringify(here);
      if (states.has(key) && cuts % 97 !== 0) continue;
      states.add(key);
      house.passes('unlock');
      const isThen = stateOf(all('data'), [house.path('then', 'data')]) !== null;
      const expected = isThen ? then : now;
      expect(stateOf(all('data'), [expected?.data ?? '']), where).not.toBeNull();
      expect(rowsIn(all('notes.db')), where).toBe(expected?.rows);
      const left = keptIn(all());
      expect(left, where).toHaveLength(isThen ? 2 : 0);
      for (const name of left) {
        if (name.startsWith('data.')) expect(stateOf(all(name), [house.path('now', 'data')]), where).not.toBeNull();
        else expect(rowsIn(all(name)), where).toBe(now?.rows);
      }
      expect(
        readdirSync(all()).filter((name) => name.includes('holdfast-restore')),
        where,
      ).toEqual([]);
    }
    expect(cuts).toBeGreaterThan(200);
    expect(states.size).toBeGreaterThan(3);
    expect(readFileSync(join(house.path('now'), 'data/later/on'), 'utf8')).toBe('now\n');
  });
});

const keptIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.includes('.recovery-backup-'));
