import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { nameOfKept } from '../../src/operations/kept-states.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import { memoryCatalog } from '../fakes/catalog.ts';
import { bundled } from '../services/bundled.ts';
import { MEMORY } from '../services/memory.ts';
import { fileUnit } from './file-unit.ts';
import { journalIn, signal, timelessImageOf } from './restore-fixture.ts';

const child = bundled(new URL('in-place-crash.child.ts', import.meta.url));

describe.each(['before', 'after'])('a restore in place that is killed %s a change', (moment) => {
  test('is wholly undone by the next start, or wholly done', async () => {
    const seen = new Set<string>();
    for (let number = 0; ; number++) {
      const folder = realpathSync(mkdtempSync(join(MEMORY, 'crash-')));
      try {
        const ended = spawnSync(process.execPath, [child, folder, moment, `${number}`], { encoding: 'utf8' });
        if (ended.status === 0) break;
        expect(ended.signal, ended.stderr).toBe('SIGKILL');
        const catalog = memoryCatalog(); // the killed process may have told nobody what it moved aside
        const repaired = await repair(folder, catalog);
        seen.add(repaired);
        expect(existsSync(join(folder, 'unit-runs'))).toBe(true);
        const done = readFileSync(join(folder, 'data', 'inner', 'file'), 'utf8') === 'then';
        expect(done).toBe(repaired === 'finished');
        expect(existsSync(join(folder, '.env'))).toBe(done);
        expect(readFileSync(join(folder, 'data', 'today.log'), 'utf8')).toBe('now');
        const left = readdirSync(folder).filter((name) => /holdfast|recovery/.test(name));
        expect(left).toEqual(done ? [expect.stringMatching(/^data\.recovery-backup-/)] : []);
        const kept = await catalog.keptStates({ endedBy: Temporal.Now.instant().add({ hours: 24 * 31 }) });
        expect(kept.map(nameOfKept)).toEqual(left.map((name) => join(folder, name)));
        if (!done) expect(timelessImageOf(join(folder, 'data'))).toBe(readFileSync(join(folder, 'present'), 'utf8'));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    expect([...seen].toSorted()).toEqual(['finished', 'undone']);
  });
});

async function repair(folder: string, catalog: Catalog): Promise<string> {
  const unit = fileUnit(folder);
  using journal = journalIn(folder, catalog, new Map([[unit.name, unit]]));
  const repairs = await journal.repair({ force: false }, signal);
  expect(journal.open()).toEqual([]);
  return repairs.map(({ outcome }) => outcome).join();
}
