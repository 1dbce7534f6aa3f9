import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openCatalog } from '../src/catalog/open.ts';
import { available } from './services/available.ts';
import { MEMORY } from './services/memory.ts';
import { acknowledgements, powerCuts } from './services/power-cut.ts';
import { traceWrites } from './services/write-trace.ts';

describe.runIf(available('strace') && available('sqlite3'))('needs strace and sqlite3', () => {
  test('a catalog whose power is cut after any write has all that was acknowledged, and whole calls only', async () => {
    const folder = await mkdtemp(join(MEMORY, 'holdfast-power-'));
    const script = fileURLToPath(new URL('catalog-writes.ts', import.meta.url));
    const changes = traceWrites([process.execPath, script, folder], folder);
    const states = ['[]', ...acknowledgements(changes)].map((line) => JSON.parse(line));
    expect(states).toHaveLength(5);

    const disk = join(folder, 'disk');
    const file = join(disk, 'catalog.db');
    const seen = { cuts: 0 };
    for await (const { acknowledged, where } of powerCuts(changes, disk, (path) => path.endsWith('-shm'))) {
      {
        await using catalog = await openCatalog(file); // brings a half migrated one to its end
        const found = (await catalog.points({})).map(({ id, evidence }) => [id, evidence]);
        expect(states.slice(acknowledged, acknowledged + 2), where).toContainEqual(found);
      }
      const integrity = execFileSync('sqlite3', [file, 'PRAGMA integrity_check'], { encoding: 'utf8' });
      expect(integrity.trim(), where).toBe('ok');
      seen.cuts += 1;
    }
    expect(seen.cuts).toBeGreaterThan(100);
    await rm(folder, { recursive: true });
    await rm(`${folder}.strace`);
  });
});
