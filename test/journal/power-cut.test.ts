import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type OpenEntry, openEntries, openJournal } from '../../src/journal/journal.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { available } from '../services/available.ts';
import { MEMORY } from '../services/memory.ts';
import { acknowledgements, powerCuts } from '../services/power-cut.ts';
import { traceWrites } from '../services/write-trace.ts';
import { localPorts } from './local-files.ts';

const owners = systemOwners();
/** What must survive of an entry. */
const essence = (entries: readonly OpenEntry[]): unknown[] =>
  entries.map(({ id, verb, subject, detail, direction, steps }) => ({ id, verb, subject, detail, direction, steps }));
const integrity = (file: string): string =>
  execFileSync('sqlite3', [file, 'PRAGMA integrity_check'], { encoding: 'utf8' }).trim();

describe.runIf(available('strace') && available('sqlite3'))('needs strace and sqlite3', () => {
  test('a journal whose power is cut after any write has every step that was acknowledged', async () => {
    const folder = await mkdtemp(join(MEMORY, 'holdfast-power-'));
    const script = fileURLToPath(new URL('entries.ts', import.meta.url));
    const changes = traceWrites([process.execPath, script, folder], folder);
    const states = [[], ...acknowledgements(changes).map((line) => essence(JSON.parse(line)))];
    expect(states.length).toBeGreaterThan(15);

    const disk = join(folder, 'disk');
    const file = join(disk, 'journal.db');
    const seen = { cuts: 0 };
    for await (const { acknowledged, where } of powerCuts(changes, disk, (path) => path.endsWith('-shm'))) {
      if (existsSync(file)) expect(integrity(file), where).toBe('ok');
      const found = essence(openEntries(file, owners));
      // the call at hand may have had its effect, or not
      expect(states.slice(acknowledged, acknowledged + 2), where).toContainEqual(found);
      seen.cuts += 1;
    }
    expect(seen.cuts).toBeGreaterThan(100);

    // what is left can be written, not only read
    {
      const context = { clock: systemClock, identifiers: ulids(), owners, ports: localPorts };
      using journal = openJournal(file, context);
      await using entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
      expect(journal.open()).toMatchObject([{ id: entry.id }]);
    }
    await rm(folder, { recursive: true });
    await rm(`${folder}.strace`);
  });
});
