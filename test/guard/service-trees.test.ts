import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { aMachine, type Json, type Machine } from '../e2e/holdfast.ts';
import { imageOf } from '../operations/restore-fixture.ts';
import { available } from '../services/available.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { until } from '../services/docker.ts';

interface Wiki {
  readonly machine: Machine;
  /** On BTRFS: the subvolume `data`, the folder `etc` and the file `.env`. */
  readonly folder: string;
  readonly data: string;
  readonly file: string;
  /** On another file system, which shares no contents. */
  readonly archived: string;
  readonly database: string;
}

const SQLITE_NAMES = 'select group_concat(name) from notes';

describe.runIf(hasBtrfs() && available('sqlite3'))('guard over a whole service', () => {
  let pool: BtrfsPool;
  beforeAll(() => {
    pool = btrfsPool();
  });
  afterAll(() => pool?.[Symbol.dispose]());

  const sql = ({ database }: Wiki, text: string): string =>
    execFileSync('sqlite3', [database, text], { encoding: 'utf8' }).trim();

  /** A service of all kinds of trees and a database, initialized. */
  function aWiki(name: string, more = '', checks = ''): Wiki {
    const machine = aMachine();
    const folder = join(pool.path, name);
    mkdirSync(folder);
    const data = join(folder, 'data');
    execFileSync('btrfs', ['-q', 'subvolume', 'create', data]);
    writeFileSync(join(data, 'page.md'), 'then\n');
    mkdirSync(join(folder, 'etc'));
    writeFileSync(join(folder, 'etc/wiki.conf'), 'port = 1\n');
    const file = join(folder, '.env');
    writeFileSync(file, 'KEY=then\n', { mode: 0o640 });
    const archived = machine.path('uploads');
    machine.write('uploads/photo', 'then');
    const database = machine.path('wiki.db');
    const wiki = { machine, folder, data, file, archived, database };
    sql(wiki, "create table notes (name); insert into notes values ('then')");
    machine.configure(`repositories: { local: { engine: archive, path: ./repository } }
services:
  wiki:
    sources:
      data: { files: [${data}] }
      settings: { files: [${folder}/etc, ${file}] }
      uploads: { files: [${archived}] }
      db: { sqlite: ${database} }
    checks: [${checks}]
${more || 'guard: { settle: 1s, steady: 1s }\n'}`);
    machine.passes('repository', 'init', 'local');
    return wiki;
  }

  /** A line that changes all of it. */
  const changing = ({ data, folder, file, archived, database }: Wiki, then: string): string =>
    [
      `echo now > ${data}/page.md; touch ${data}/new; rm ${folder}/etc/wiki.conf; echo KEY=now > ${file}`,
      `echo now > ${archived}/photo; sqlite3 ${database} "update notes set name = 'now'"; ${then}`,
    ].join('; ');
  const guarded = (line: string, ...options: readonly string[]): readonly string[] => [
    ...['guard', '--service', 'wiki', '--operation', 'Upgrade', ...options, '--command', line],
  ];
  const imagesOf = ({ data, folder, file, archived }: Wiki): readonly string[] =>
    [data, join(folder, 'etc'), file, archived].map((path) => imageOf(path));
  const snapshotsIn = ({ folder }: Wiki): readonly string[] =>
    existsSync(join(folder, '.holdfast-snapshots')) ? readdirSync(join(folder, '.holdfast-snapshots')).toSorted() : [];
  const keptIn = (folder: string): readonly string[] =>
    readdirSync(folder).filter((name) => name.includes('.recovery-backup-'));

  test('a failing command is taken back in all of it, and the failed state is kept beside each part', () => {
    const wiki = aWiki('failing');
    const before = imagesOf(wiki);
    const report = wiki.machine.json(2, ...guarded(changing(wiki, 'exit 7'), '--auto-rollback'));
    expect(report).toMatchObject({ outcome: 'rolled_back', commandExit: 7, rolledBack: true, exitCode: 2 });
    expect(imagesOf(wiki)).toEqual(before);
    expect(sql(wiki, SQLITE_NAMES)).toBe('then');
    expect(statSync(wiki.data).ino).toBe(256); // a subvolume again
    const [data = '', settings = '', file = ''] = keptIn(wiki.folder).toSorted((a, b) => b.localeCompare(a));
    expect([data, settings, file].map((name) => name.replace(/\..*/, ''))).toEqual(['etc', 'data', '']);
    const kept = (name: string): string => keptIn(wiki.folder).find((one) => one.startsWith(`${name}.recovery`)) ?? '';
    expect(readFileSync(join(wiki.folder, kept('data'), 'page.md'), 'utf8')).toBe('now\n');
    expect(readFileSync(join(wiki.folder, kept('.env')), 'utf8')).toBe('KEY=now\n');
    expect(keptIn(wiki.machine.folder)).toHaveLength(2);
    expect(existsSync(wiki.machine.path('.holdfast-snapshots'))).toBe(false); // where no snapshot can be, nothing is left
    const { point, rollback } = report;
    expect(point.snapshots.map(({ path }: Json) => path)).toEqual([wiki.data, join(wiki.folder, 'etc'), wiki.file]);
    expect(point.repository).toBe('local');
    expect(rollback.written).toContainEqual({
      path: wiki.data,
      totals: { added: 1, removed: 0, modified: 1, bytes: 4 },
    });
    const { snapshots, recoveries } = wiki.machine.json(0, 'history');
    expect(snapshots).toMatchObject([
      { subvolume: 'wiki', operation: 'Upgrade', outcome: 'rolled_back', commandExit: 7, rolledBack: true },
    ]);
    expect(snapshots[0].snapshot_name).toBe(point.id);
    expect(recoveries).toMatchObject([
      { subvolume: 'wiki', restored_snapshot: point.id, reason: 'command-failed', outcome: 'success' },
    ]);
    expect(recoveries[0].kept).toHaveLength(5);
    expect(recoveries[0].replaced).toContainEqual({
      ...{ path: wiki.data, kept: expect.stringMatching(/data\.recovery-backup-/) },
      written: { added: 1, removed: 0, modified: 1, bytes: 4 },
    });
  });

  test('what the repository holds of such a point is no backup of the service', () => {
    const wiki = aWiki('partly');
    wiki.machine.passes(...guarded('true'));
    const { points } = wiki.machine.json(0, 'list');
    expect(points).toMatchObject([{ items: ['files_uploads', 'sqlite_db'], service: 'wiki' }]);
    const refused = wiki.machine.run(['restore', 'wiki', '--to', wiki.machine.path('out')]);
    expect([refused.exitCode, existsSync(wiki.machine.path('out'))]).toEqual([1, false]);
  });

  test('a good command leaves all as it is, and the newest point can be taken back by hand later', () => {
    const wiki = aWiki('by-hand', '', '{ command: [test, -e, /] }');
    const before = imagesOf(wiki);
    const good = wiki.machine.json(0, ...guarded(changing(wiki, 'true'), '--auto-rollback'));
    expect(good).toMatchObject({ outcome: 'success', rolledBack: false, rollback: null });
    expect(sql(wiki, SQLITE_NAMES)).toBe('now');
    const preview = wiki.machine.json(0, 'rollback', '--service', 'wiki', '--dry-run');
    expect(preview).toMatchObject({ dryRun: true, service: 'wiki', point: { id: good.point.id } });
    expect(preview.replaced).toHaveLength(5);
    expect(preview.written[0]).toMatchObject({ path: wiki.data, totals: { added: 1, modified: 1 } });
    expect(sql(wiki, SQLITE_NAMES)).toBe('now');
    const asked = wiki.machine.run(['rollback', '--service', 'wiki']);
    expect([asked.exitCode, sql(wiki, SQLITE_NAMES)]).toEqual([64, 'now']);
    const words = ['rollback', '--service', 'wiki', '--point', good.point.id.slice(0, 20).toLowerCase()];
    expect(wiki.machine.json(0, ...words, '--auto-confirm')).toMatchObject({ outcome: 'success', problem: null });
    expect(imagesOf(wiki)).toEqual(before);
    expect(sql(wiki, SQLITE_NAMES)).toBe('then');
  });

  test('a snapshot in a pool that is part of a point is listed with its operation, and not removed without --yes', () => {
    const wiki = aWiki('listed', '', '{ command: [test, -e, /] }');
    wiki.machine.write('conf.d/pools.yaml', `pools: { main: { path: ${wiki.folder}, subvolumes: { data: {} } } }\n`);
    const { point } = wiki.machine.json(0, ...guarded('true'));
    const listed = (): Json => wiki.machine.json(0, 'snapshot', 'list').snapshots;
    const expected = { subvolume: 'data', type: 'pre-operation', operation: 'Upgrade', size_mb: null };
    expect(listed()).toMatchObject([{ ...expected, outcome: 'success' }]);
    wiki.machine.passes('snapshot', 'mark', point.id, 'validation_failed');
    expect(listed()).toMatchObject([{ ...expected, outcome: 'validation_failed' }]);
    const remove = ['snapshot', 'remove', listed()[0].snapshot_name];
    const refused = wiki.machine.json(1, ...remove);
    expect(refused).toMatchObject({ error: { code: 'Refused', message: expect.stringContaining(point.id) } });
    expect(listed()).toHaveLength(1);
    wiki.machine.passes(...remove, '--yes');
    expect(listed()).toHaveLength(0);
  });

  test('what cannot be captured, a pool that is full and a stranger in a tree are 4, and nothing is started', () => {
    const wiki = aWiki('refused');
    const witness = wiki.machine.path('started');
    const refused = (exitCode: number, ...options: readonly string[]): string => {
      const ended = wiki.machine.run(guarded(`touch ${witness}`, ...options));
      expect([ended.exitCode, existsSync(witness)], ended.stderr).toEqual([exitCode, false]);
      expect(snapshotsIn(wiki)).toEqual([]);
      return ended.stderr;
    };
    const stranger = spawn('sleep', ['600'], { cwd: wiki.data });
    onTestFinished(() => void stranger.kill());
    expect(refused(4, '--auto-rollback')).toMatch(/process \d+ \(sleep\)/);
    stranger.kill('SIGKILL');
    const configuration = readFileSync(wiki.machine.configuration, 'utf8');
    writeFileSync(wiki.machine.configuration, configuration.replace('settle: 1s', 'settle: 1s, minFree: 99.9%'));
    expect(refused(4)).toMatch(/free/);
    writeFileSync(wiki.machine.configuration, configuration);
    writeFileSync(wiki.database, 'no database');
    expect(refused(4)).toMatch(/Not all of wiki could be captured/);
    rmSync(wiki.data, { recursive: true });
    expect(refused(4)).toMatch(/does not exist/);
    const { snapshots } = wiki.machine.json(0, 'history');
    expect(snapshots).toEqual([]);
    expect(wiki.machine.run(['guard', '--service', 'nobody', '--operation', 'x', '--', 'true']).exitCode).toBe(4);
    const both = ['guard', '--service', 'wiki', '--subvolume', 'x', '--operation', 'x', '--', 'true'];
    expect(wiki.machine.run(both).exitCode).toBe(64);
  });

  test('a guard that is killed while its command runs leaves a point that the next start names', async () => {
    const wiki = aWiki('killed');
    const before = imagesOf(wiki);
    const [on, off] = [wiki.machine.path('on'), wiki.machine.path('off')];
    const line = changing(wiki, `touch ${on}; while ! [ -e ${off} ]; do sleep 0.1; done`);
    const running = wiki.machine.start(guarded(line));
    await until(async () => existsSync(on), 'the command');
    running.kill('SIGKILL');
    writeFileSync(off, ''); // the command outlives it, with its stdout
    await running.ended;
    const { snapshots } = wiki.machine.json(0, 'history');
    expect(snapshots).toMatchObject([{ outcome: 'pending', commandExit: null }]);
    const id = snapshots[0].snapshot_name;
    const next = wiki.machine.run(['snapshot', 'mark', id, 'pending']);
    expect([next.exitCode, next.stderr]).toEqual([
      0,
      expect.stringContaining(`holdfast rollback --service wiki --point ${id}`),
    ]);
    wiki.machine.passes('rollback', '--service', 'wiki', '--auto-confirm');
    expect(imagesOf(wiki)).toEqual(before);
  });
  test('without a command its id is printed alone, and scripts say how it ended', () => {
    const wiki = aWiki('scripted');
    const printed = wiki.machine.passes('guard', '--service', 'wiki', '--operation', 'x', '--no-execute');
    expect(printed).toMatch(/^[0-9A-Z]{26}\n$/);
    wiki.machine.passes('snapshot', 'mark', printed.trim(), 'success');
    expect(wiki.machine.json(0, 'history').snapshots).toMatchObject([
      { snapshot_name: printed.trim(), outcome: 'success', commandExit: null },
    ]);
  });

  test('old points go by their record when nobody needs them, and what is beside them stays', () => {
    const wiki = aWiki('retained', 'guard: { settle: 1s, steady: 1s, keep: { latest: 1, within: 1s } }\n');
    wiki.machine.passes(...guarded('true'));
    const [byHand, first] = [
      join(wiki.folder, '.holdfast-snapshots/data-pre-upgrade-20200101-000000'),
      snapshotsIn(wiki),
    ];
    mkdirSync(byHand);
    expect(wiki.machine.run(guarded('exit 1')).exitCode).toBe(1); // open: it may still be taken back
    wiki.machine.passes(...guarded('true'));
    expect(wiki.machine.json(0, 'history').snapshots).toHaveLength(3);
    expect(snapshotsIn(wiki)).not.toEqual(expect.arrayContaining([...first]));
    expect(snapshotsIn(wiki)).toHaveLength(2 * 3 + 1);
    expect(existsSync(byHand)).toBe(true);
  });

  test('its backup waits until the guard has ended', async () => {
    const wiki = aWiki('waiting');
    const [on, off] = [wiki.machine.path('on'), wiki.machine.path('off')];
    const line = `echo now > ${wiki.archived}/photo; touch ${on}; while ! [ -e ${off} ]; do sleep 0.1; done; exit 1`;
    const running = wiki.machine.start(guarded(line, '--auto-rollback'));
    await until(async () => existsSync(on), 'the command');
    const backup = wiki.machine.start(['backup', 'wiki', '--json', '--verbose']);
    await until(async () => /waiting for the guard/.test(backup.printed().stderr), 'that it waits');
    writeFileSync(off, '');
    expect((await running.ended).exitCode).toBe(2);
    const ended = await backup.ended;
    expect(ended.exitCode, ended.stderr).toBe(0);
    const [{ id }] = JSON.parse(ended.stdout).points;
    expect(wiki.machine.passes('cat', id, 'files_uploads', `${wiki.archived}/photo`)).toBe('then');
  });
});
