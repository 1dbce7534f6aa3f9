import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEntries } from '../../src/journal/journal.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { bundled } from '../services/bundled.ts';
import { MEMORY } from '../services/memory.ts';

const SCRIPT = bundled(new URL('exchange.ts', import.meta.url));
const OLD = { 'data/recipe': 'present' };
const NEW = { 'data/recipe': 'restored', 'kept-for-30-days/recipe': 'present' };

/** Runs the script in a process of its own, killed at a moment (0: never). Answers with what it printed. */
function run(folder: string, mode: 'exchange' | 'repair', moment: number): string {
  const ended = spawnSync(process.execPath, [SCRIPT, folder, mode, String(moment)], { encoding: 'utf8' });
  if (moment === 0) expect(ended, ended.stderr).toMatchObject({ status: 0 });
  else expect(ended, ended.stderr).toMatchObject({ signal: 'SIGKILL' });
  return ended.stdout;
}

async function service(): Promise<string> {
  const folder = await mkdtemp(join(MEMORY, 'holdfast-crash-'));
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'data', 'recipe'), 'present');
  return folder;
}

/** Every file beside the journal, with its text. */
async function files(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: Record<string, string> = {};
  for (const entry of entries.filter((one) => one.isFile() && !one.name.startsWith('journal.db'))) {
    const path = join(entry.parentPath, entry.name);
    found[path.slice(folder.length + 1)] = await readFile(path, 'utf8');
  }
  return found;
}

test('an exchange that is killed at any moment is wholly undone or wholly done by the next process', async () => {
  const whole = await service();
  const moments = Number(run(whole, 'exchange', 0));
  expect(moments).toBeGreaterThan(10);
  expect(await files(whole)).toEqual(NEW);
  await rm(whole, { recursive: true });

  const results: object[] = [];
  for (let moment = 1; moment <= moments; moment++) {
    const folder = await service();
    run(folder, 'exchange', moment);
    run(folder, 'repair', 0);
    const found = await files(folder);
    expect([OLD, NEW], `killed at moment ${moment}`).toContainEqual(found);
    expect(openEntries(join(folder, 'journal.db'), systemOwners())).toEqual([]);
    results.push(found);
    await rm(folder, { recursive: true });
  }
  // one turning point: once it was passed, no later kill undoes
  const turned = results.findIndex((found) => Object.keys(found).length === 2);
  expect(results.slice(0, turned).every((found) => Object.keys(found).length === 1)).toBe(true);
  expect(results.slice(turned).every((found) => Object.keys(found).length === 2)).toBe(true);
});

test('a repair that is killed at any moment is finished by the next one', async () => {
  const killed = await service();
  run(killed, 'exchange', 10); // both trees are renamed, the point of no return is not passed
  expect(await files(killed)).toEqual({ 'data/recipe': 'restored', 'kept/recipe': 'present' });
  const moments = await withCopy(killed, async (folder) => Number(run(folder, 'repair', 0)));
  expect(moments).toBe(6);
  for (let first = 1; first <= moments; first++)
    for (const second of [1, 2])
      await withCopy(killed, async (folder) => {
        run(folder, 'repair', first);
        // the second repair may have fewer moments left than where it is killed
        spawnSync(process.execPath, [SCRIPT, folder, 'repair', String(second)]);
        run(folder, 'repair', 0);
        expect(await files(folder), `killed at ${first}, then ${second}`).toEqual(OLD);
      });
  await rm(killed, { recursive: true });
});

/** The steps of the journal name absolute paths, so the folder itself is put back each time. */
async function withCopy<Result>(folder: string, work: (folder: string) => Promise<Result>): Promise<Result> {
  const saved = await mkdtemp(join(MEMORY, 'holdfast-crash-saved-'));
  await cp(folder, saved, { recursive: true });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
    await cp(saved, folder, { recursive: true });
    await rm(saved, { recursive: true });
  }
}
