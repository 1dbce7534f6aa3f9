import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Journal, openEntries, openJournal } from '../../src/journal/journal.ts';
import type { StepPorts } from '../../src/journal/step.ts';
import type { Owner, OwnerState, Owners } from '../../src/ports/owner.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { currentOwner } from '../../src/process/owner.ts';
import { available } from '../services/available.ts';
import { localFiles, localPorts, portsWith } from './local-files.ts';

const HOST = 'local';
const me = currentOwner();
const other: Owner = { ...me, pid: me.pid + 1 };
/** Sees every other process in this state. */
const seeing = (state: OwnerState, current = me): Owners => ({
  current,
  state: (owner) => (owner.pid === current.pid ? 'running' : state),
});

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-journal-'));
  file = join(folder, 'journal.db');
  await mkdir(at('data'));
  await writeFile(at('data', 'recipe'), 'present');
});
afterEach(() => rm(folder, { recursive: true }));

const at = (...names: string[]): string => join(folder, ...names);
const journalOf = (owners: Owners = seeing('gone'), ports: StepPorts = localPorts, path = file): Journal =>
  openJournal(path, { clock: systemClock, identifiers: ulids(), owners, ports });
const made = (path: string) => ({ kind: 'path-made', host: HOST, path }) as const;
const renamed = (from: string, to: string) => ({ kind: 'path-renamed', host: HOST, from, to }) as const;
const removed = (path: string) => ({ kind: 'path-removed', host: HOST, path }) as const;

/** The state of the folder in one line each: what a person would look at. */
async function paths(): Promise<string[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => !name.startsWith('journal.db'));
  const lines = names.map(async (name) => {
    const isFile = (await stat(at(name))).isFile();
    return isFile ? `${name}: ${await readFile(at(name), 'utf8')}` : `${name}/`;
  });
  return (await Promise.all(lines)).toSorted();
}
const OLD = ['data/', 'data/recipe: present'];
const NEW = ['data/', 'data/recipe: restored', 'kept/', 'kept/recipe: present'];

/** A restore in place: `after` runs after each of its steps and may throw. */
async function exchange(journal: Journal, after: (step: number) => void | Promise<void> = () => {}): Promise<void> {
  await using entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
  await entry.step(made(at('staged')), async () => {
    await mkdir(at('staged'));
    await writeFile(at('staged', 'recipe'), 'restored');
  });
  await after(1);
  await entry.step(renamed(at('data'), at('kept')), () => rename(at('data'), at('kept')));
  await after(2);
  await entry.step(renamed(at('staged'), at('data')), () => rename(at('staged'), at('data')));
  await after(3);
  await entry.forwardOnly([removed(at('staged'))]);
  await after(4);
  await entry.done();
}
const failsAfter = (wanted: number) => (step: number) => {
  if (step === wanted) throw new Error(`failed after step ${wanted}`);
};

/** Leaves an entry as a process that was killed after its first two steps. */
async function leftBy(owner: Owner): Promise<void> {
  using journal = journalOf(seeing('gone', owner));
  const entry = await journal.begin({ verb: 'restore', subject: 'mealie', detail: { point: '01JD' } });
  await entry.step(made(at('staged')), () => mkdir(at('staged')).then(() => {}));
  await entry.step(renamed(at('data'), at('kept')), () => rename(at('data'), at('kept')));
}
const never = new AbortController().signal;

describe('an operation that runs to its end', () => {
  test('has its result, and leaves nothing in the journal', async () => {
    using journal = journalOf();
    await exchange(journal);
    expect(await paths()).toEqual(NEW);
    expect(journal.open()).toEqual([]);
  });

  test('is readable by nobody else', async () => {
    using journal = journalOf();
    await exchange(journal);
    for (const name of (await readdir(folder)).filter((name) => name.startsWith('journal.db')))
      expect((await stat(at(name))).mode & 0o777, name).toBe(0o600);
  });
});

describe('an operation that fails', () => {
  test.each([1, 2, 3])('after step %i leaves everything as it was', async (step) => {
    using journal = journalOf();
    await expect(exchange(journal, failsAfter(step))).rejects.toThrow(`failed after step ${step}`);
    expect(await paths()).toEqual(OLD);
    expect(journal.open()).toEqual([]);
  });

  test('in the middle of a step leaves everything as it was', async () => {
    using journal = journalOf();
    const restore = async () => {
      await using entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
      await entry.step(renamed(at('data'), at('kept')), async () => {
        await rename(at('data'), at('kept'));
        throw new Error('the sync after the rename failed');
      });
    };
    await expect(restore()).rejects.toThrow('the sync after the rename failed');
    expect(await paths()).toEqual(OLD);
  });

  test('after the point of no return goes on instead of going back', async () => {
    using journal = journalOf();
    const leaveStaged = async (step: number) => {
      if (step === 3) await mkdir(at('staged'));
      if (step === 4) throw new Error('failed');
    };
    await expect(exchange(journal, leaveStaged)).rejects.toThrow('failed');
    expect(await paths()).toEqual(NEW);
    expect(journal.open()).toEqual([]);
  });

  test('never touches what was there before under the name that it wanted to make', async () => {
    await mkdir(at('staged'));
    await writeFile(at('staged', 'own'), 'of the user');
    using journal = journalOf();
    await expect(exchange(journal)).rejects.toMatchObject({ code: 'TargetExists', subject: at('staged') });
    expect(await paths()).toEqual([...OLD, 'staged/', 'staged/own: of the user']);
    expect(journal.open()).toEqual([]);
  });

  test('keeps what others put into a folder that it made for all', async () => {
    using journal = journalOf();
    const makeFor = async (name: string, fill: () => Promise<unknown>) => {
      await using entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
      const step = { kind: 'folder-made', host: HOST, path: at(name) } as const;
      await entry.step(step, async () => void (await mkdir(at(name, 'deeper', 'still'), { recursive: true })));
      await fill();
    };
    await makeFor('empty', async () => {});
    await makeFor('used', () => writeFile(at('used', 'deeper', 'upload'), 'new'));
    expect(journal.open()).toEqual([]);
    expect(await paths()).toEqual([...OLD, 'used/', 'used/deeper/', 'used/deeper/still/', 'used/deeper/upload: new']);
  });

  test('overwrites nothing that was made under the old name meanwhile, and can be put right later', async () => {
    using journal = journalOf();
    const intrude = async (step: number) => {
      if (step !== 2) return;
      await mkdir(at('data'));
      throw new Error('stopped');
    };
    await expect(exchange(journal, intrude)).rejects.toMatchObject({
      suppressed: { message: 'stopped' },
      error: { code: 'JournalOpen', hint: expect.stringContaining(at('data')) },
    });
    expect(journal.open()).toMatchObject([{ state: 'left', direction: 'back', steps: [{}, {}] }]);
    expect(await paths()).toContain('kept/recipe: present');

    await rm(at('data'), { recursive: true });
    expect(await journal.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone', detail: '2 steps' }]);
    expect(await paths()).toEqual(OLD);
    expect(journal.open()).toEqual([]);
  });

  test('does not take a step back again after those before it', async () => {
    // Then `data`, which is the present state again, would be renamed to `staged`, and that be removed.
    const failing = { left: 1 };
    const ports = portsWith({
      remove: async (path, signal) => {
        if (failing.left-- > 0) throw new Error('busy');
        await localFiles.remove(path, signal);
      },
    });
    using journal = journalOf(seeing('gone'), ports);
    await expect(exchange(journal, failsAfter(3))).rejects.toMatchObject({ error: { code: 'JournalOpen' } });
    expect(await paths()).toEqual([...OLD, 'staged/', 'staged/recipe: restored']);
    expect(await journal.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone', detail: '1 step' }]);
    expect(await paths()).toEqual(OLD);
  });

  test('takes each step back once, also when an undo failed after it had its effect', async () => {
    // A rename that is repeated when its first try did all would move the present state away.
    const failing = { left: 0 };
    const ports = portsWith({
      rename: async (from, to, signal) => {
        await localFiles.rename(from, to, signal);
        if (failing.left-- > 0) throw new Error('the sync after the rename failed');
      },
    });
    using journal = journalOf(seeing('gone'), ports);
    const failAll = (step: number) => {
      if (step !== 3) return;
      failing.left = 2;
      throw new Error('stopped');
    };
    await expect(exchange(journal, failAll)).rejects.toMatchObject({ suppressed: { message: 'stopped' } });
    expect(await journal.repair({ force: false }, never)).toMatchObject([{ outcome: 'failed' }]);
    expect(await journal.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone' }]);
    expect(await paths()).toEqual(OLD);
  });
});

describe('an entry that another process left', () => {
  test('is repaired when that process is gone', async () => {
    await leftBy(other);
    using journal = journalOf(seeing('gone'));
    const [repair] = await journal.repair({ force: false }, never);
    expect(repair).toMatchObject({
      outcome: 'undone',
      entry: { verb: 'restore', subject: 'mealie', detail: { point: '01JD' }, owner: other, state: 'gone' },
    });
    expect(await paths()).toEqual(OLD);
    expect(await journal.repair({ force: false }, never)).toEqual([]);
  });

  test('is left alone while that process runs, whatever is asked for', async () => {
    await leftBy(other);
    using journal = journalOf(seeing('running'));
    expect(await journal.repair({ force: true }, never)).toMatchObject([
      { outcome: 'skipped', detail: expect.stringContaining(`${other.pid}`) },
    ]);
    expect(await paths()).toContain('kept/recipe: present');
    expect(journal.open()).toHaveLength(1);
  });

  test('is repaired only on request when that process cannot be seen from here', async () => {
    await leftBy(other);
    using journal = journalOf(seeing('unknown'));
    expect(await journal.repair({ force: false }, never)).toMatchObject([{ outcome: 'skipped' }]);
    expect(await journal.repair({ force: true }, never)).toMatchObject([{ outcome: 'undone' }]);
    expect(await paths()).toEqual(OLD);
  });

  test('is repaired by one of two that try at once', async () => {
    await leftBy(other);
    using one = journalOf(seeing('gone', { ...me, pid: 1001 }));
    using two = journalOf(seeing('gone', { ...me, pid: 1002 }));
    const repairs = await Promise.all([one.repair({ force: false }, never), two.repair({ force: false }, never)]);
    expect(repairs.flat().filter(({ outcome }) => outcome === 'undone')).toHaveLength(1);
    expect(await paths()).toEqual(OLD);
  });

  test('does not keep others from being repaired when it cannot be', async () => {
    await leftBy(other);
    await rename(at('kept'), at('elsewhere'));
    await mkdir(at('data'));
    await writeFile(at('data', 'recipe'), 'present');
    await rm(at('staged'), { recursive: true });
    await leftBy({ ...other, pid: other.pid + 1 }); // moves `data` to `kept`
    await rename(at('elsewhere'), at('data')); // in the way of the second entry's undo
    using journal = journalOf(seeing('gone'));
    const outcomes = (await journal.repair({ force: false }, never)).map(({ outcome }) => outcome);
    expect(outcomes.toSorted()).toEqual(['failed', 'failed']);
    await rename(at('data'), at('elsewhere'));
    expect((await journal.repair({ force: false }, never)).map(({ outcome }) => outcome)).toEqual(['undone', 'undone']);
  });

  test('goes forward when it was past the point of no return', async () => {
    const crashed = seeing('gone', other);
    {
      using journal = journalOf(crashed);
      const entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
      await entry.step(renamed(at('data'), at('new')), () => rename(at('data'), at('new')));
      await entry.forwardOnly([renamed(at('new'), at('newer')), removed(at('leftover'))]);
      await writeFile(at('leftover'), '');
    }
    using journal = journalOf(seeing('gone'));
    expect(await journal.repair({ force: false }, never)).toMatchObject([{ outcome: 'finished', detail: '2 steps' }]);
    expect(await paths()).toEqual(['newer/', 'newer/recipe: present']);
  });

  test('is no longer that process, once it was taken over', async () => {
    using slow = journalOf(seeing('gone', other));
    const entry = await slow.begin({ verb: 'restore', subject: 'mealie' });
    await entry.step(renamed(at('data'), at('kept')), () => rename(at('data'), at('kept')));
    using journal = journalOf(seeing('unknown'));
    await journal.repair({ force: true }, never);
    const take = () => rename(at('data'), at('other'));
    await expect(entry.step(renamed(at('data'), at('other')), take)).rejects.toMatchObject({ code: 'StateBusy' });
    await expect(entry.forwardOnly()).rejects.toMatchObject({ code: 'StateBusy' });
    await expect(entry.done()).rejects.toMatchObject({ code: 'StateBusy' });
    expect(await paths()).toEqual(OLD);
  });

  test('of a later version is not misunderstood', async () => {
    await leftBy(other);
    const database = new DatabaseSync(file);
    database.exec(`UPDATE steps SET step = json_set(step, '$.kind', 'planet-moved') WHERE position = 2`);
    database.close();
    using journal = journalOf(seeing('gone'));
    expect(await journal.repair({ force: false }, never)).toMatchObject([
      { outcome: 'failed', detail: expect.stringContaining('planet-moved') },
    ]);
    expect(await paths()).toContain('kept/recipe: present');
    expect(journal.open()).toHaveLength(1);
  });

  test('stays open when its repair is interrupted', async () => {
    await leftBy(other);
    using journal = journalOf(seeing('gone'));
    await expect(journal.repair({ force: false }, AbortSignal.abort(new Error('Ctrl-C')))).rejects.toThrow('Ctrl-C');
    expect(await journal.repair({ force: false }, never)).toMatchObject([{ outcome: 'undone' }]);
  });
});

describe('the file of the journal', () => {
  test.skipIf(!available('sqlite3'))('has each step before it is taken, for any other program to see', async () => {
    using journal = journalOf();
    await using entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
    const seen: string[] = [];
    await entry.step(made(at('staged')), async () => {
      seen.push(execFileSync('sqlite3', ['-readonly', file, 'SELECT step FROM steps'], { encoding: 'utf8' }));
    });
    expect(JSON.parse(seen[0] ?? '')).toEqual(made(at('staged')));
  });

  test('is not made by a command that only reads', async () => {
    expect(openEntries(file, seeing('gone'))).toEqual([]);
    await leftBy(other);
    expect(openEntries(file, seeing('gone'))).toMatchObject([{ state: 'gone', steps: [{}, {}] }]);
    expect(await paths()).toContain('kept/recipe: present');
  });

  test('says that it is damaged', async () => {
    await writeFile(file, 'not a database '.repeat(100));
    expect(() => journalOf()).toThrow(expect.objectContaining({ code: 'StateDamaged', subject: file }));
    expect(() => openEntries(file, seeing('gone'))).toThrow(expect.objectContaining({ code: 'StateDamaged' }));
    expect(await readFile(file, 'utf8')).toContain('not a database');
  });

  test('says that a row is damaged, and lets nothing of it be taken back', async () => {
    await leftBy(other);
    const database = new DatabaseSync(file);
    database.exec(`UPDATE steps SET step = '{"kind":"path-' WHERE position = 2`);
    database.close();
    using journal = journalOf(seeing('gone'));
    await expect(journal.repair({ force: false }, never)).rejects.toMatchObject({
      code: 'StateDamaged',
      subject: file,
    });
    expect(await paths()).toContain('kept/recipe: present');
  });

  test('is refused when a later version wrote it', () => {
    const database = new DatabaseSync(file);
    database.exec('PRAGMA user_version = 99');
    database.close();
    expect(() => journalOf()).toThrow(expect.objectContaining({ code: 'StateNewer' }));
  });

  test('is refused with words in a folder that does not exist', () => {
    const open = () => journalOf(seeing('gone'), localPorts, at('nowhere', 'journal.db'));
    expect(open).toThrow(expect.objectContaining({ code: 'StateUnusable' }));
  });
});
