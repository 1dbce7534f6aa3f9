import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { restore } from '../../src/operations/restore.ts';
import { type Fixture, fixture, imageOf, signal, timelessImageOf } from './restore-fixture.ts';

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });

/** What tar can carry: links of both kinds, modes, ACLs, attributes, odd names, a hole. */
function makeService({ folder }: Pick<Fixture, 'folder'>): string {
  const data = join(folder, 'data');
  mkdirSync(join(data, 'inner'), { recursive: true });
  writeFileSync(join(data, 'recipe.txt'), 'soup');
  writeFileSync(join(data, 'inner', '-n new\nline'), 'odd');
  run('ln', join(data, 'recipe.txt'), join(data, 'inner', 'same'));
  symlinkSync('../recipe.txt', join(data, 'inner', 'link'));
  run('truncate', '-s', '1M', join(data, 'sparse'));
  run('chmod', '2750', join(data, 'inner'));
  run('setfacl', '-m', 'u:12345:r', join(data, 'recipe.txt'));
  run('setfattr', '-n', 'user.colour', '-v', 'green', join(data, 'recipe.txt'));
  return data;
}

test('a restore to a new folder gives the tree as it was, with links, modes, ACLs and attributes', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  await made.backUp();
  const to = join(made.folder, 'some', 'where');
  const report = await restore({ what: 'mealie', target: { kind: 'folder', path: to } }, made.context, signal);
  expect(imageOf(`${to}${data}`)).toBe(imageOf(data));
  expect(run('stat', '-c', '%i', `${to}${data}/recipe.txt`)).toBe(run('stat', '-c', '%i', `${to}${data}/inner/same`));
  expect(report).toMatchObject({ outcome: 'passed', items: [{ name: 'files_data', files: 4 }], replaced: 0 });
  expect(readdirSync(made.folder).toSorted()).toEqual([
    'data',
    'journal.db',
    'journal.db-shm',
    'journal.db-wal',
    'some',
  ]);
});

test('a dump is restored under its own name, closed to others', async () => {
  using made = await fixture();
  const path = join(made.folder, 'notes.db');
  run('sqlite3', path, "create table notes (text); insert into notes values ('a'), ('b')");
  made.addDatabase('notes', path);
  await made.backUp();
  const to = join(made.folder, 'to');
  await restore({ what: 'mealie', items: ['notes'], target: { kind: 'folder', path: to } }, made.context, signal);
  expect(run('sqlite3', join(to, 'sqlite_notes.db'), 'pragma integrity_check; select count(*) from notes')).toBe(
    'ok\n2\n',
  );
  expect(run('stat', '-c', '%a', join(to, 'sqlite_notes.db')).trim()).toBe('600');
});

test('only the path that was asked for is restored', async () => {
  using made = await fixture();
  const data = makeService(made);
  run('rm', join(data, 'inner', 'same'));
  made.addTree('data', [data]);
  await made.backUp();
  const to = join(made.folder, 'to');
  const path = `${data}/inner`;
  const report = await restore({ what: 'mealie', path, target: { kind: 'folder', path: to } }, made.context, signal);
  expect(readdirSync(`${to}${data}`)).toEqual(['inner']);
  expect(imageOf(`${to}${path}`)).toBe(imageOf(path));
  expect(report.items).toMatchObject([{ files: 1 }]);
});

test('a restore that would overwrite something refuses before it writes', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  await made.backUp();
  const to = join(made.folder, 'to');
  mkdirSync(`${to}${data}`, { recursive: true });
  writeFileSync(`${to}${data}/recipe.txt`, 'mine');
  const before = imageOf(to);
  const target = { kind: 'folder', path: to } as const;
  await expect(restore({ what: 'mealie', target }, made.context, signal)).rejects.toMatchObject({
    code: 'TargetExists',
    message: expect.stringContaining(`${data.slice(1)}/recipe.txt`),
  });
  expect(imageOf(to)).toBe(before);
});

test('--overwrite says what becomes of files that are there', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  await made.backUp();
  for (const [overwrite, mtime, text] of [
    ['always', 4_000_000_000, 'soup'],
    ['never', 1, 'mine'],
    ['if-newer', 1, 'soup'],
    ['if-newer', 4_000_000_000, 'mine'],
  ] as const) {
    const to = join(made.folder, `to-${overwrite}-${mtime}`);
    mkdirSync(`${to}${data}`, { recursive: true });
    writeFileSync(`${to}${data}/recipe.txt`, 'mine');
    writeFileSync(`${to}${data}/other`, 'stays');
    utimesSync(`${to}${data}/recipe.txt`, mtime, mtime);
    const target = { kind: 'folder', path: to, overwrite } as const;
    const report = await restore({ what: 'mealie', target }, made.context, signal);
    expect(readFileSync(`${to}${data}/recipe.txt`, 'utf8')).toBe(text);
    expect(readFileSync(`${to}${data}/other`, 'utf8')).toBe('stays');
    expect(report).toMatchObject(text === 'soup' ? { replaced: 1, skipped: 0 } : { replaced: 0, skipped: 1 });
    expect(readdirSync(to)).toEqual([data.split('/')[1]]);
  }
});

test('a link in the target is never followed out of it', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  await made.backUp();
  const outside = join(made.folder, 'outside');
  mkdirSync(outside);
  const to = join(made.folder, 'to');
  const [top = ''] = data.slice(1).split('/');
  mkdirSync(to);
  symlinkSync(outside, join(to, top));
  const target = { kind: 'folder', path: to } as const;
  await expect(restore({ what: 'mealie', target }, made.context, signal)).rejects.toMatchObject({
    code: 'TargetExists',
  });
  await restore({ what: 'mealie', target: { ...target, overwrite: 'always' } }, made.context, signal);
  expect(readdirSync(outside)).toEqual([]);
  expect(imageOf(`${to}${data}`)).toBe(imageOf(data));
});

test('damaged bytes are never moved into place', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  const { location } = await made.backUp();
  made.repository.damage(location, 'files_data');
  const to = join(made.folder, 'to');
  const target = { kind: 'folder', path: to } as const;
  await expect(restore({ what: 'mealie', target }, made.context, signal)).rejects.toMatchObject({ code: 'Damaged' });
  expect(readdirSync(made.folder).filter((name) => !name.startsWith('journal'))).toEqual(['data']);
});

test('whatever call fails, the target is as it was', async () => {
  for (let failing = 0; ; failing++) {
    using made = await fixture();
    const data = makeService(made);
    made.addTree('data', [data]);
    await made.backUp();
    const to = join(made.folder, 'to');
    mkdirSync(`${to}${data}`, { recursive: true });
    writeFileSync(`${to}${data}/recipe.txt`, 'mine');
    const before = timelessImageOf(to);
    let calls = 0;
    let after = false;
    const fail = (method: string): void => {
      if (!['makeFolder', 'rename'].includes(method) || after) return;
      if (calls++ === failing) throw new Error('injected');
    };
    made.faults[failing % 2 === 0 ? 'before' : 'after'] = fail;
    const target = { kind: 'folder', path: to, overwrite: 'always' } as const;
    let failed = false;
    try {
      await restore({ what: 'mealie', target }, made.context, signal);
    } catch (error) {
      failed = true;
      expect(String(error)).toContain('injected');
    }
    after = true;
    if (!failed) {
      expect(timelessImageOf(`${to}${data}`)).toBe(timelessImageOf(data));
      expect(failing).toBeGreaterThan(5);
      return;
    }
    expect(timelessImageOf(to)).toBe(before);
  }
});

test('what was written until a failure is kept when that was asked for', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  const { location } = await made.backUp();
  made.repository.damage(location, 'files_data');
  made.repository.failNext('open', new Error('gone'));
  const to = join(made.folder, 'to');
  const target = { kind: 'folder', path: to, keepPartial: true } as const;
  await expect(restore({ what: 'mealie', target }, made.context, signal)).rejects.toThrow('gone');
  expect(existsSync(to)).toBe(false);
  expect(readdirSync(made.folder).some((name) => name.startsWith('.holdfast-partial-'))).toBe(true);
});

test('what an item lacks since it was stored is named, and makes the restore partial', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  const { id } = await made.backUp({ outcome: 'partial', unreadable: 'Not readable: /srv/key: Permission denied' });
  const target = { kind: 'folder', path: join(made.folder, 'out') } as const;
  const said = {
    outcome: 'partial',
    missing: [],
    warnings: ['files_data was not stored whole: Not readable: /srv/key: Permission denied'],
  };
  expect(await restore({ what: id, target, dryRun: true }, made.context, signal)).toMatchObject(said);
  const one = {
    what: id,
    path: `${data}/recipe.txt`,
    target: { kind: 'folder', path: join(made.folder, 'one') },
  } as const;
  expect(await restore(one, made.context, signal)).toMatchObject({ outcome: 'passed', warnings: [] });
  expect(await restore({ what: id, target }, made.context, signal)).toMatchObject(said);
});

test('a dry run writes nothing and says what it would do', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  await made.backUp();
  const to = join(made.folder, 'to');
  const request = { what: 'mealie', target: { kind: 'folder', path: to }, dryRun: true } as const;
  const report = await restore(request, made.context, signal);
  expect(report.steps).toEqual([expect.stringContaining(`to ${to}`)]);
  expect(existsSync(to)).toBe(false);
  expect(await made.catalog.runs({ limit: 9 })).toEqual([]);
});

test('an archive that another tool made is restored by its id, and never by its service', async () => {
  using made = await fixture();
  const data = makeService(made);
  const tar = execFileSync('tar', ['--format=posix', '--sparse', '-c', '-C', made.folder, 'data']);
  const at = Temporal.Instant.from('2026-11-09T02:00:00Z');
  made.repository.addForeign('claude-backup-20261109-020000.tar', 'mealie', at, tar);
  const to = join(made.folder, 'to');
  const target = { kind: 'folder', path: to } as const;
  await expect(restore({ what: 'mealie', target }, made.context, signal)).rejects.toMatchObject({
    code: 'PointNotFound',
    message: expect.stringContaining('made by another tool'),
  });
  const what = 'claude-backup-20261109-020000.tar';
  const report = await restore({ what, target }, made.context, signal);
  expect(readFileSync(join(to, 'data', 'recipe.txt'), 'utf8')).toBe(readFileSync(join(data, 'recipe.txt'), 'utf8'));
  expect(report.items).toMatchObject([{ files: 4, proof: expect.stringContaining('nothing was recorded') }]);
  await expect(restore({ what, target: { kind: 'in-place' } }, made.context, signal)).rejects.toMatchObject({
    code: 'Refused',
  });
});

test('attributes that the file system of the target does not take are named', async () => {
  using made = await fixture();
  const data = makeService(made);
  made.addTree('data', [data]);
  await made.backUp();
  const host = await made.context.host('local');
  const context = {
    ...made.context,
    host: async () => ({
      ...host,
      feed: (pipeline: Parameters<typeof host.feed>[0], options: Parameters<typeof host.feed>[1]) => {
        options.onStderr?.('tar: recipe.txt: Warning: Cannot set user.colour'); // as GNU tar says on such a file system
        return host.feed(pipeline, options);
      },
    }),
  };
  const target = { kind: 'folder', path: join(made.folder, 'to') } as const;
  const { warnings } = await restore({ what: 'mealie', target }, context, signal);
  expect(warnings).toEqual(['files_data: tar: recipe.txt: Warning: Cannot set user.colour']);
});
