import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { localMountTable } from '../../src/adapters/hosts/local/mount-table.ts';
import { openCatalog } from '../../src/catalog/open.ts';
import { withAdvice } from '../../src/operations/left-guards.ts';
import type { Recovery, Snapshot } from '../../src/ports/catalog.ts';
import { fileUnit } from '../operations/file-unit.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { bundled } from '../services/bundled.ts';
import { run } from '../services/loop-disk.ts';
import { MEMORY } from '../services/memory.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { guardHouse } from './house.ts';

const execute = promisify(execFile);
const child = bundled(new URL('crash.child.ts', import.meta.url));

interface Prepared extends Disposable {
  readonly state: string;
  /** Where the subvolume is mounted, too. */
  readonly point: string;
}

/** A subvolume with a mount of it, and a unit that runs. For a rollback by hand there is a snapshot of what it was. */
function prepare(disk: BtrfsPool, verb: 'rollback' | 'guard'): Prepared {
  const state = mkdtempSync(join(disk.beside, 'state-'));
  const point = join(state, 'point');
  const media = disk.makeSubvolume('media');
  writeFileSync(join(media, 'file'), 'then');
  if (verb === 'rollback') {
    run('btrfs', '-q', 'subvolume', 'snapshot', '-r', media, join(disk.path, 'snapshots', 'media-then'));
    writeFileSync(join(media, 'file'), 'now');
  }
  mkdirSync(point);
  run('mount', '--bind', media, point);
  writeFileSync(join(state, 'unit-runs'), '');
  return {
    ...{ state, point },
    [Symbol.dispose]: () => {
      run('umount', '--quiet', point);
      const names = readdirSync(disk.path).filter((name) => name !== 'snapshots');
      const snapshots = readdirSync(join(disk.path, 'snapshots')).map((name) => join('snapshots', name));
      const paths = [...names, ...snapshots].map((name) => join(disk.path, name));
      run('btrfs', '-q', 'subvolume', 'delete', ...paths);
    },
  };
}

interface Repaired {
  readonly snapshots: readonly Snapshot[];
  readonly recoveries: readonly Recovery[];
  /** What a person is told of guards that were cut short. */
  readonly told: readonly string[];
}

/** What the next start does with what is left. Nothing may stay open. */
async function nextStart({ state }: Prepared, disk: BtrfsPool): Promise<Repaired> {
  const units = new Map([['mealie.service', fileUnit(state)]]);
  const real = { snapshotter: await openAt(disk.path), mounts: localMountTable(localHost()) };
  await using catalog = await openCatalog(join(state, 'catalog.db'));
  using made = guardHouse({ folder: state, units, catalog, ...real });
  const repairs = await made.journal.repair({ force: false }, AbortSignal.timeout(60_000));
  expect(made.journal.open(), JSON.stringify(repairs)).toEqual([]);
  const [snapshots, recoveries] = [await catalog.snapshots({}), await catalog.recoveries({ limit: 9 })];
  const told = (await withAdvice(repairs, catalog)).flatMap(({ became, advice }) =>
    became === null ? [] : [`${became}. ${advice}`],
  );
  return { snapshots, recoveries, told };
}

interface Tried {
  readonly verb: 'rollback' | 'guard';
  readonly way: 'exchange' | 'renames';
  readonly moment: 'before' | 'after';
}

const cases = (['rollback', 'guard'] as const).flatMap((verb) =>
  (['exchange', 'renames'] as const).map((way) => ({ verb, way })),
);

/** Tries one kill after another, until there is no change any more that could be cut off.
 *  @returns what the data and the kept states were in the end, each once */
async function eachKill(tried: Tried): Promise<readonly string[]> {
  using disk = btrfsPool({ folder: MEMORY });
  const seen = new Set<string>();
  for (let number = 0; ; number++) {
    using prepared = prepare(disk, tried.verb);
    const args = [child, disk.path, prepared.state, tried.moment, `${number}`, tried.way, tried.verb];
    const ended = await execute(process.execPath, args).catch((error: Killed) => error);
    if (!(ended instanceof Error)) return [...seen].toSorted();
    expect(ended.signal, ended.stderr).toBe('SIGKILL');
    seen.add(await look(tried, prepared, disk));
  }
}
type Killed = Error & { readonly signal: string | null; readonly stderr: string };

function adviceFor(snapshot: Snapshot | null): RegExp {
  if (snapshot === null) return /was not started. null$/;
  if (snapshot.outcome !== 'pending') return /: rolled_back. null$/;
  return new RegExp(`before its verdict. take it back with: holdfast rollback --snapshot ${snapshot.name};`);
}

async function look({ verb, way }: Tried, prepared: Prepared, disk: BtrfsPool): Promise<string> {
  const file = (name: string): string => readFileSync(join(disk.path, name, 'file'), 'utf8');
  // with an exchange the path of the subvolume never misses, not even for a moment
  if (way === 'exchange') expect(['then', 'now']).toContain(file('media'));
  const { snapshots, recoveries, told } = await nextStart(prepared, disk);
  const kept = readdirSync(disk.path).filter((name) => name !== 'media' && name !== 'snapshots');
  const back = kept.length === 1;
  expect(readFileSync(join(prepared.point, 'file'), 'utf8')).toBe(file('media'));
  expect(existsSync(join(prepared.state, 'unit-runs'))).toBe(true);
  expect(kept).toEqual(back ? [expect.stringMatching(/^media\.recovery-backup-/)] : []);
  expect(kept.map(file)).toEqual(back ? ['now'] : []);
  if (back) expect(file('media')).toBe('then');
  const succeeded = recoveries.filter(({ outcome }) => outcome === 'success').map(({ reason }) => reason);
  expect(succeeded).toEqual(back ? [verb === 'guard' ? 'command-failed' : 'manual-recovery'] : []);
  if (verb === 'guard') {
    // whatever is there was recorded, and the command was only started behind a snapshot
    expect(snapshots.map(({ name }) => name)).toEqual(readdirSync(join(disk.path, 'snapshots')));
    const expected = back ? 'rolled_back' : 'pending';
    const outcomes = snapshots.map(({ outcome }) => outcome);
    expect(outcomes, JSON.stringify(recoveries)).toEqual(outcomes.map(() => expected));
    for (const advice of told) expect(advice).toMatch(adviceFor(snapshots[0] ?? null));
    if (snapshots.length > 0 && !back) expect(told).toHaveLength(1);
    if (file('media') === 'now') expect(snapshots).toHaveLength(1);
  }
  return `${file('media')}, ${back ? 'kept' : 'nothing kept'}`;
}

describe.runIf(hasBtrfs())('killed at any change', () => {
  test.each(cases)(
    'of a $verb by $way, the next start finds or makes one state whole',
    async ({ verb, way }) => {
      const moments = await Promise.all(
        (['before', 'after'] as const).map((moment) => eachKill({ verb, way, moment })),
      );
      const untouched = verb === 'guard' ? ['then, nothing kept'] : [];
      const all = ['now, nothing kept', 'then, kept', ...untouched];
      for (const seen of moments) expect(seen).toEqual(all);
    },
    240_000,
  );
});
