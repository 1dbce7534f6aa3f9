import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openCatalog } from '../../src/catalog/open.ts';
import { nameOfKept } from '../../src/operations/kept-states.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { bundled } from '../services/bundled.ts';
import { run } from '../services/loop-disk.ts';
import { MEMORY } from '../services/memory.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { guardHouse } from './house.ts';
import { imageUnit } from './image-unit.ts';

const execute = promisify(execFile);
const child = bundled(new URL('service-crash.child.ts', import.meta.url));
type Killed = Error & { readonly signal: string | null; readonly stderr: string };

/** The service as the next start leaves it: of what, and whether the state before is kept. */
async function afterRepair(disk: BtrfsPool, state: string): Promise<string> {
  const unit = imageUnit(state);
  await using catalog = await openCatalog(join(state, 'catalog.db'));
  using made = guardHouse({
    ...{ folder: state, units: new Map([[unit.name, unit]]), catalog, snapshotter: await openAt(disk.path) },
  });
  const repairs = await made.journal.repair({ force: false }, AbortSignal.timeout(60_000));
  expect(made.journal.open(), JSON.stringify(repairs)).toEqual([]);
  const [data, file] = [join(disk.path, 'media'), join(disk.path, '.env')];
  const image = readFileSync(join(state, 'image'), 'utf8').slice('sha256:'.length);
  const of = new Set([readFileSync(join(data, 'file'), 'utf8'), readFileSync(file, 'utf8'), image]);
  expect(existsSync(join(state, 'unit-runs'))).toBe(true);
  const known = ['media', '.env', 'snapshots'];
  const beside = readdirSync(disk.path).filter((name) => !known.includes(name));
  const kept = beside.filter((name) => name.includes('.recovery-backup-'));
  expect(beside).toEqual(kept); // nothing provisional is left
  const succeeded = (await catalog.recoveries({ limit: 9 })).filter(({ outcome }) => outcome === 'success');
  expect(succeeded).toHaveLength(kept.length === 0 ? 0 : 1);
  expect(succeeded.flatMap((one) => one.kept.map(nameOfKept)).toSorted()).toEqual(
    kept.map((name) => join(disk.path, name)).toSorted(),
  );
  return `${[...of].join(' and ')}, ${kept.length} kept`;
}

describe.runIf(hasBtrfs())('a rollback of a whole service that is killed at any change', () => {
  test.each(['before', 'after'] as const)(
    '(%s it): the next start finds or makes all of it of one moment',
    async (moment) => {
      using disk = btrfsPool({ folder: MEMORY });
      const seen = new Set<string>();
      for (let number = 0; ; number++) {
        const state = mkdtempSync(join(disk.beside, 'state-'));
        writeFileSync(join(disk.makeSubvolume('media'), 'file'), 'then');
        writeFileSync(join(disk.path, '.env'), 'then');
        writeFileSync(join(state, 'image'), 'sha256:then');
        writeFileSync(join(state, 'unit-runs'), '');
        const args = [child, disk.path, state, moment, `${number}`];
        const ended = await execute(process.execPath, args).catch((error: Killed) => error);
        if (!(ended instanceof Error)) break;
        expect(ended.signal, ended.stderr).toBe('SIGKILL');
        seen.add(await afterRepair(disk, state));
        clear(disk);
      }
      expect([...seen].toSorted()).toEqual(['now, 0 kept', 'then, 2 kept']);
    },
    240_000,
  );
});

/** For the next kill: subvolumes, read-only ones too, and files. */
function clear({ path }: BtrfsPool): void {
  const inside = readdirSync(join(path, 'snapshots')).map((name) => join(path, 'snapshots', name));
  const beside = readdirSync(path).filter((name) => name !== 'snapshots');
  for (const one of [...inside, ...beside.map((name) => join(path, name))])
    run('sh', '-c', 'btrfs -q subvolume delete "$1" 2>/dev/null || rm -f "$1"', 'sh', one);
}
