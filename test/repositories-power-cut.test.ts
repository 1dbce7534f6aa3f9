import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { archiveRepository } from '../src/adapters/repositories/archive/index.ts';
import { aHeader, at } from './contracts/captured-items.ts';
import { storePoint } from './contracts/stored-points.ts';
import { settingsFor, tools } from './services/archive.ts';
import { available } from './services/available.ts';
import { MEMORY } from './services/memory.ts';
import { acknowledgements, powerCuts } from './services/power-cut.ts';
import { traceWrites } from './services/write-trace.ts';

/** What `sha256sum` says of every point that is there, by names alone. */
function damagedPoints(repository: string, layout: 'folder' | 'single'): string[] {
  const sound = (folder: string, sums: string) =>
    spawnSync('sha256sum', ['-c', '--strict', '--status', '-'], { cwd: folder, input: sums }).status === 0;
  if (layout === 'single') {
    const archives = readdirSync(repository).filter((name) => name.endsWith('.tar.zst'));
    return archives.filter((name) => {
      if (!existsSync(join(repository, `${name}.json`))) return true; // it would be taken for a foreign one
      const { archive } = JSON.parse(readFileSync(join(repository, `${name}.json`), 'utf8'));
      return !sound(repository, `${archive.sha256}  ${archive.file}\n`);
    });
  }
  const service = join(repository, 'mealie');
  const points = existsSync(service) ? readdirSync(service).filter((name) => /^\d{8}_\d{6}/.test(name)) : [];
  return points.filter((name) => !sound(join(service, name), readFileSync(join(service, name, 'SHA256SUMS'), 'utf8')));
}

describe.runIf(available('strace'))('needs strace', () => {
  for (const layout of ['folder', 'single'] as const) {
    test(`after a power cut at any write a ${layout} repository has whole points only, and all that were acknowledged`, async ({
      signal,
    }) => {
      const folder = await mkdtemp(join(MEMORY, 'holdfast-power-'));
      const script = fileURLToPath(new URL('archive-writes.ts', import.meta.url));
      const changes = traceWrites([process.execPath, script, folder, layout], folder);
      const states = [[], ...acknowledgements(changes).map((line) => JSON.parse(line))];
      expect(states).toHaveLength(7);

      const disk = join(folder, 'disk');
      const path = join(disk, 'repository');
      const repository = archiveRepository(settingsFor(path, { layout }), tools());
      let cuts = 0;
      for await (const { acknowledged, where } of powerCuts(changes, disk, () => false)) {
        cuts += 1;
        if (!existsSync(join(path, '.holdfast-repository.json'))) {
          expect(acknowledged, where).toBe(0); // it is no repository yet, and says so
          continue;
        }
        expect(damagedPoints(path, layout), where).toEqual([]);
        const before = await repository.list({}, signal);
        const found = before.points.map(({ id, held, evidence }) => [id, held?.reason ?? null, evidence]).sort();
        // the call at hand may have had its effect, or not
        expect(states.slice(acknowledged, acknowledged + 2), where).toContainEqual(found);
        expect(before.unreadable, where).toEqual([]);

        if (where.includes(': written ')) continue; // no name has changed
        // the next run clears away what the dead one left, and nothing of it stays
        const next = aHeader({ timestamp: at('06:00:00') });
        await storePoint(repository, next, signal);
        expect(await repository.check(signal), where).toEqual([]);
        const after = await repository.list({}, signal);
        expect(after.points.map(({ id }) => id).sort(), where).toEqual([...found.map(([id]) => id), next.id].sort());
      }
      expect(cuts).toBeGreaterThan(150);
      await rm(folder, { recursive: true });
      await rm(`${folder}.strace`);
    }, 240_000);
  }
});
