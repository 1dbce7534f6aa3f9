import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import type { Context } from '../../src/operations/context.ts';
import { restore } from '../../src/operations/restore.ts';
import type { Host } from '../../src/ports/host.ts';
import { systemClock } from '../../src/process/clock.ts';
import { memoryRepository } from '../fakes/repository.ts';
import { memoryUnit } from '../fakes/unit.ts';
import { type MemoryValidator, memoryValidator } from '../fakes/validator.ts';
import { available } from '../services/available.ts';
import { aService, type Fixture, fixture, imageOf, signal, timelessImageOf } from './restore-fixture.ts';

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });
const IN_PLACE = { kind: 'in-place' } as const;
const KEPT = /\.recovery-backup-\d{8}-\d{6}$/;

/** A service of a folder with a log that is left out, a file beside it, and a database in the folder. */
async function backedUp(
  made: Fixture,
): Promise<{ readonly data: string; readonly environment: string; readonly notes: string }> {
  const data = join(made.folder, 'data');
  const environment = join(made.folder, '.env');
  const notes = join(data, 'notes.db');
  mkdirSync(join(data, 'inner'), { recursive: true });
  writeFileSync(join(data, 'recipe.txt'), 'soup');
  run('setfacl', '-m', 'u:12345:r', join(data, 'recipe.txt'));
  writeFileSync(join(data, 'today.log'), 'then');
  writeFileSync(environment, 'SECRET=1');
  run('sqlite3', notes, "create table notes (text); insert into notes values ('a'), ('b')");
  run('chmod', '640', notes);
  run('chown', '1234:5678', notes);
  made.addTree('data', [data, environment], ['*.log']);
  made.addDatabase('notes', notes);
  await made.backUp();
  return { data, environment, notes };
}

/** A process that is none of ours and has a file open; answers with its PID. */
const holdOpen = (path: string): number =>
  Number(run('sh', '-c', 'exec 3<"$1"; sleep 60 >/dev/null 2>&1 & echo $!', 'sh', path));

/** What went wrong since. */
function ruin({ data, environment, notes }: Awaited<ReturnType<typeof backedUp>>): void {
  writeFileSync(join(data, 'recipe.txt'), 'spoiled');
  writeFileSync(join(data, 'new.txt'), 'made since');
  writeFileSync(join(data, 'today.log'), 'now');
  rmSync(environment);
  run('sqlite3', notes, 'delete from notes');
}

describe.runIf(['sqlite3', 'setfacl'].every(available))('in place', () => {
  test('the service is as it was at the point, and the present state is kept and recorded', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    const present = timelessImageOf(paths.data);
    const report = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(readdirSync(paths.data).toSorted()).toEqual(['inner', 'notes.db', 'recipe.txt', 'today.log']);
    expect(readFileSync(join(paths.data, 'recipe.txt'), 'utf8')).toBe('soup');
    expect(run('getfacl', '-cnp', join(paths.data, 'recipe.txt'))).toContain('user:12345:r--');
    expect(run('sqlite3', paths.notes, 'select count(*) from notes').trim()).toBe('2');
    expect(run('stat', '-c', '%a %u %g', paths.notes).trim()).toBe('640 1234 5678');
    expect(readFileSync(paths.environment, 'utf8')).toBe('SECRET=1');
    expect(report.kept.map(({ original }) => original)).toEqual([paths.data]);
    const [kept = { path: '' }] = report.kept;
    expect(kept.path).toMatch(KEPT);
    writeFileSync(join(kept.path, 'today.log'), 'now'); // it went into the restored folder
    expect(timelessImageOf(kept.path).length).toBe(present.length);
    expect(readFileSync(join(kept.path, 'new.txt'), 'utf8')).toBe('made since');
    expect(await made.catalog.recoveries({ limit: 9 })).toMatchObject([
      { outcome: 'success', subject: { kind: 'service', name: 'mealie' }, kept: [{ path: kept.path, host: 'local' }] },
    ]);
    expect(readdirSync(made.folder).filter((name) => name.includes('holdfast'))).toEqual([]);
    expect((await made.context.journal()).open()).toEqual([]);
  });

  test('what the source leaves out survives the restore', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(readFileSync(join(paths.data, 'today.log'), 'utf8')).toBe('now');
  });

  test('a database is not restored beside the log of a later one, also when the source leaves logs out', async () => {
    using made = await fixture();
    const data = join(made.folder, 'data');
    mkdirSync(data);
    const notes = join(data, 'notes.db');
    run('sqlite3', notes, "pragma journal_mode=wal; create table notes (text); insert into notes values ('then')");
    made.addTree('data', [data], ['*.db-*']);
    await made.backUp();
    const database = new DatabaseSync(notes);
    database.exec("pragma wal_autocheckpoint=0; insert into notes values ('now')");
    run('cp', `${notes}-wal`, join(made.folder, 'log')); // a process that was killed leaves its log behind
    database.close();
    run('cp', join(made.folder, 'log'), `${notes}-wal`);
    const report = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(existsSync(`${notes}-wal`)).toBe(false);
    expect(run('sqlite3', notes, 'select group_concat(text) from notes').trim()).toBe('then');
    expect(report.warnings.join()).toContain('notes.db-wal');
  });

  test("a database's log goes aside with it, under the name by which SQLite finds it", async () => {
    using made = await fixture();
    const notes = join(made.folder, 'notes.db');
    run('sqlite3', notes, "pragma journal_mode=wal; create table notes (text); insert into notes values ('then')");
    made.addDatabase('notes', notes);
    await made.backUp();
    run('cp', notes, `${notes}.old`);
    const database = new DatabaseSync(notes);
    database.exec("pragma wal_autocheckpoint=0; insert into notes values ('now')");
    run('cp', `${notes}-wal`, join(made.folder, 'log'));
    database.close();
    run('mv', `${notes}.old`, notes);
    run('mv', join(made.folder, 'log'), `${notes}-wal`);
    const { kept } = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(run('sqlite3', notes, 'select group_concat(text) from notes').trim()).toBe('then');
    const before = kept.find(({ original }) => original === notes)?.path ?? '';
    expect(kept.map(({ path }) => path)).toEqual([`${before}-wal`, before]);
    expect(run('sqlite3', before, 'select group_concat(text) from notes').trim()).toBe('then,now');
  });

  test('a database that a process holds is refused, with --live too, and nothing is changed', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    const holder = holdOpen(paths.notes);
    const before = timelessImageOf(paths.data);
    try {
      for (const live of [false, true]) {
        const wanted = restore({ what: 'mealie', target: { ...IN_PLACE, live } }, made.context, signal);
        await expect(wanted).rejects.toMatchObject({
          code: 'TargetBusy',
          message: expect.stringContaining(`${holder} sleep`),
        });
      }
      const tree = { what: 'mealie', items: ['data'], target: IN_PLACE };
      await expect(restore(tree, made.context, signal)).rejects.toMatchObject({
        code: 'TargetBusy',
        hint: expect.stringContaining('--live'),
      });
      expect(timelessImageOf(paths.data)).toBe(before);
      await restore({ ...tree, target: { ...IN_PLACE, live: true } }, made.context, signal);
      expect(existsSync(join(paths.data, 'new.txt'))).toBe(false);
    } finally {
      process.kill(holder, 'SIGKILL');
    }
  });

  test('whatever call fails before the last exchange, the service is as it was', async () => {
    for (const moment of ['before', 'after'] as const) {
      for (let failing = 0; ; failing++) {
        using made = await fixture();
        const paths = await backedUp(made);
        ruin(paths);
        const images = () => [timelessImageOf(paths.data), existsSync(paths.environment)];
        const before = images();
        let calls = 0;
        let over = false;
        made.faults[moment] = (method) => {
          if (!over && ['makeFolder', 'rename'].includes(method) && calls++ === failing) throw new Error('injected');
        };
        const failed = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal).then(
          () => false,
          (error) => String(error),
        );
        over = true;
        if (failed === false) {
          expect(failing).toBeGreaterThan(8);
          expect(readFileSync(join(paths.data, 'recipe.txt'), 'utf8')).toBe('soup');
          break;
        }
        expect(failed).toContain('injected');
        expect(images()).toEqual(before);
        expect(readdirSync(made.folder).filter((name) => /holdfast|recovery/.test(name))).toEqual([]);
        expect(await made.catalog.recoveries({ limit: 9 })).toMatchObject([{ outcome: 'failed', kept: [] }]);
      }
    }
  });

  test('after the last exchange a failure takes nothing back', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    made.faults.before = (method) => {
      if (method === 'remove' && !existsSync(join(paths.data, 'new.txt'))) throw new Error('injected');
    };
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toThrow('injected');
    expect(readFileSync(join(paths.data, 'recipe.txt'), 'utf8')).toBe('soup');
    expect(await made.catalog.recoveries({ limit: 9 })).toMatchObject([{ outcome: 'success' }]);
    expect(readdirSync(made.folder).filter((name) => name.includes('holdfast'))).toEqual([]);
  });

  test('a database that a process opened while the copy was read is refused too', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    const before = timelessImageOf(paths.data);
    const holders: number[] = [];
    made.faults.before = (method) => {
      if (method === 'makeFolder' && holders.length === 0) holders.push(holdOpen(paths.notes));
    };
    try {
      const target = { ...IN_PLACE, live: true };
      await expect(restore({ what: 'mealie', target }, made.context, signal)).rejects.toMatchObject({
        code: 'TargetBusy',
        message: expect.stringMatching(/^\S+notes\.db is held by \d+ sleep/),
      });
      expect(timelessImageOf(paths.data)).toBe(before);
    } finally {
      for (const holder of holders) process.kill(holder);
    }
  });

  test('what was restored is on the disk before its name is', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    const host = await made.context.host('local');
    const calls: string[] = [];
    const watched: Host = {
      ...host,
      run: (command, options) => {
        calls.push([command.program, ...(command.args ?? [])].slice(0, 2).join(' '));
        return host.run(command, options);
      },
    };
    made.faults.before = (method, path) => {
      if (method === 'rename' && path === paths.data) calls.push('exchange');
    };
    await restore({ what: 'mealie', target: IN_PLACE }, { ...made.context, host: async () => watched }, signal);
    expect(calls.lastIndexOf('sync --file-system')).toBeGreaterThanOrEqual(0);
    expect(calls.indexOf('exchange')).toBeGreaterThan(calls.lastIndexOf('sync --file-system'));
  });

  test('no backup of the service runs meanwhile, into whichever repository', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    const other = memoryRepository({ name: 'other', clock: systemClock });
    await other.initialize(signal);
    const unmounted = memoryRepository({ name: 'unmounted', clock: systemClock });
    const context: Context = {
      ...{ ...made.context, repositoryNames: ['memory', 'unmounted', 'other'] },
      repository: async (name) => ({ other, unmounted })[name] ?? made.repository,
    };
    const begun: Promise<unknown>[] = [];
    made.faults.before = (method) => {
      if (method !== 'rename') return;
      for (const repository of [made.repository, other])
        begun.push(
          repository.lock({ kind: 'service', service: 'mealie' }, 'exclusive', 0, signal).catch(({ code }) => code),
        );
    };
    await restore({ what: 'mealie', target: IN_PLACE }, context, signal);
    expect(new Set(await Promise.all(begun))).toEqual(new Set(['RepositoryLocked']));
    for (const repository of [made.repository, other])
      await repository.lock({ kind: 'service', service: 'mealie' }, 'exclusive', 0, signal);
  });

  test('damaged bytes exchange nothing', async () => {
    using made = await fixture();
    const data = join(made.folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'file'), 'then');
    made.addTree('data', [data]);
    const { location } = await made.backUp();
    writeFileSync(join(data, 'file'), 'now');
    made.repository.damage(location, 'files_data');
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toMatchObject({
      code: 'Damaged',
    });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('now');
  });

  test('one path is exchanged and nothing beside it', async () => {
    using made = await fixture();
    const paths = await backedUp(made);
    ruin(paths);
    const path = `${paths.data}/recipe.txt`;
    const report = await restore({ what: 'mealie', path, target: IN_PLACE }, made.context, signal);
    expect(readFileSync(path, 'utf8')).toBe('soup');
    expect(existsSync(join(paths.data, 'new.txt'))).toBe(true);
    expect(report.kept).toMatchObject([{ original: path }]);
    expect(readFileSync(report.kept[0]?.path ?? '', 'utf8')).toBe('spoiled');
  });

  test('a path that a link now leads through is refused', async () => {
    using made = await fixture();
    const data = join(made.folder, 'data');
    mkdirSync(join(data, 'inner'), { recursive: true });
    writeFileSync(join(data, 'inner', 'file'), 'then');
    made.addTree('data', [data]);
    await made.backUp();
    rmSync(join(data, 'inner'), { recursive: true });
    mkdirSync(join(made.folder, 'outside'));
    symlinkSync('../outside', join(data, 'inner'));
    const wanted = restore({ what: 'mealie', path: `${data}/inner/file`, target: IN_PLACE }, made.context, signal);
    await expect(wanted).rejects.toMatchObject({ code: 'Refused' });
    expect(readdirSync(join(made.folder, 'outside'))).toEqual([]);
  });

  test('what was destroyed with the folders above it comes back', async () => {
    using made = await fixture();
    const top = join(made.folder, 'opt', 'mealie');
    mkdirSync(join(top, 'data'), { recursive: true });
    writeFileSync(join(top, 'data', 'file'), 'then');
    writeFileSync(join(top, '.env'), 'SECRET=1');
    made.addTree('data', [join(top, 'data'), join(top, '.env')]);
    await made.backUp();
    const before = imageOf(join(top, 'data'));
    rmSync(join(made.folder, 'opt'), { recursive: true });
    const report = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(imageOf(join(top, 'data'))).toBe(before);
    expect(readFileSync(join(top, '.env'), 'utf8')).toBe('SECRET=1');
    expect(report.kept).toEqual([]);
  });

  /** A service that declares a check. */
  async function checked(made: Fixture, check: MemoryValidator) {
    const paths = await backedUp(made);
    const recipe = (): string => readFileSync(join(paths.data, 'recipe.txt'), 'utf8');
    ruin(paths);
    made.services.set('mealie', { ...(made.services.get('mealie') ?? aService()), checks: [{ tcp: 'mealie:9000' }] });
    made.checks.push(check);
    return { paths, recipe };
  }

  test('a check that passes after the restore is waited for, and one that was bad before must be good, too', async () => {
    using made = await fixture();
    const check = memoryValidator({ name: 'page', now: 'bad' });
    const { recipe } = await checked(made, check);
    check.now = () => (check.looks > 2 && recipe() === 'soup' ? 'good' : 'bad');
    const { outcome, warnings } = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect({ outcome, warnings }).toEqual({ outcome: 'passed', warnings: [] });
    expect(check.looks).toBeGreaterThan(2);
  });

  test('a check that stays bad is an error that names it and the kept state, and the restored data stay', async () => {
    using made = await fixture();
    const { recipe } = await checked(made, memoryValidator({ name: 'page', now: 'bad' }));
    const failed = restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    await expect(failed).rejects.toMatchObject({
      code: 'CheckFailed',
      message: expect.stringMatching(
        /^mealie is restored, and it does not pass its checks: page: bad\. .*recovery-backup-/,
      ),
    });
    expect(recipe()).toBe('soup');
  });

  test('a check that cannot be told is a warning', async () => {
    using made = await fixture();
    await checked(made, memoryValidator({ name: 'page', now: 'unseen' }));
    const { warnings } = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(warnings).toEqual(['Could not be checked: page: page cannot be seen.']);
  });

  test('nothing is asked of a service whose units were all down, which is said', async () => {
    using made = await fixture();
    const check = memoryValidator({ name: 'page', now: 'bad' });
    await checked(made, check);
    const service = made.services.get('mealie') ?? aService();
    made.services.set('mealie', { ...service, units: [{ systemd: 'mealie.service' }] });
    made.units.set('mealie.service', memoryUnit({ members: { 'mealie.service': false } }));
    const { warnings } = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(warnings).toEqual(['Not checked, since nothing of it ran before: page']);
    expect(check.looks).toBe(0);
  });

  test('a recovery is recorded with the time until the service was seen to work', async () => {
    using made = await fixture();
    await checked(made, memoryValidator({ name: 'page' }));
    const service = made.services.get('mealie') ?? aService();
    made.services.set('mealie', { ...service, units: [{ systemd: 'mealie.service' }] });
    const unit = memoryUnit();
    unit.before = (method) => (method === 'start' ? sleep(400) : undefined);
    made.units.set('mealie.service', unit);
    const from = performance.now();
    await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    const [recovery, ...others] = await made.catalog.recoveries({ limit: 9 });
    expect(others).toEqual([]);
    expect(recovery?.outcome).toBe('success');
    expect(recovery?.durationMs).toBeGreaterThanOrEqual(400);
    expect(recovery?.durationMs).toBeLessThanOrEqual(Math.ceil(performance.now() - from));
  });

  test('a check that this version cannot ask refuses before anything is touched', async () => {
    using made = await fixture();
    const { paths } = await checked(made, memoryValidator());
    const present = imageOf(paths.data);
    const context = {
      ...made.context,
      checks: () => Promise.reject(new HoldfastError('Unsupported', 'It answers no query yet.', 'page')),
    };
    const refused = restore({ what: 'mealie', target: IN_PLACE }, context, signal);
    await expect(refused).rejects.toMatchObject({ code: 'Unsupported' });
    expect(imageOf(paths.data)).toBe(present);
  });

  test('a dry run names the checks and asks none', async () => {
    using made = await fixture();
    const check = memoryValidator({ name: 'page' });
    await checked(made, check);
    const { steps } = await restore({ what: 'mealie', target: IN_PLACE, dryRun: true }, made.context, signal);
    expect(steps.at(-1)).toBe('Check page');
    expect(check.looks).toBe(0);
  });
});
