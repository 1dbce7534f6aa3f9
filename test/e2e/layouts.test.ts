import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aMachine, isSame, type Machine, tool } from './holdfast.ts';

/** A service with sources of one folder, of several paths, of one file, and of a database. */
function withLayouts(): Machine {
  const machine = aMachine();
  machine.write('data/soup.txt', 'soup\n');
  machine.write('data/deep/bread.txt', 'bread\n');
  tool('ln', machine.path('data/soup.txt'), machine.path('data/deep/same.txt'));
  tool('ln', '-s', '../soup.txt', machine.path('data/deep/points'));
  tool('truncate', '-s', '2M', machine.path('data/holes'));
  writeFileSync(machine.path('data/back\\slash'), 'odd\n');
  tool('ln', machine.path('data/back\\slash'), machine.path('data/also\\odd'));
  machine.write('etc/one/a', 'a\n');
  machine.write('etc/two/b', 'b\n');
  machine.write('etc/three', 'three\n');
  tool('sqlite3', machine.write('notes.db', ''), "create table notes (text); insert into notes values ('then')");
  machine.configure(`repositories:
  disk: { engine: archive, path: ./disk }
  tars: { engine: archive, path: ./tars, layout: single, compression: gzip, filename: 'b-%Y%m%d.tar.gz' }
  more: { engine: archive, path: ./more, layout: single }
services:
  kitchen:
    sources:
      one: { files: [./data] }
      several: { files: [./etc/one, ./etc/two] }
      file: { files: [./etc/three] }
      db: { sqlite: ./notes.db }
`);
  for (const name of ['disk', 'tars', 'more']) machine.passes('repository', 'init', name);
  return machine;
}

/** What the items of the service are once a `single` archive was extracted by tar. */
function expectSingle(machine: Machine, repository: string): void {
  const { location, roots } = onlyPoint(machine, repository);
  const target = machine.path(`from-${repository}`);
  tool('mkdir', '-p', target);
  tool('tar', '-xf', join(machine.path(repository), location), '-C', target);
  expect(isSame(machine.path('data'), join(target, 'backup/one'))).toBe(true);
  expect(isSame(machine.path('etc/one'), join(target, 'backup/several', machine.path('etc/one')))).toBe(true);
  expect(isSame(machine.path('etc/two'), join(target, 'backup/several', machine.path('etc/two')))).toBe(true);
  expect(readFileSync(join(target, 'backup/file/three'), 'utf8')).toBe('three\n');
  expect(tool('sqlite3', join(target, 'backup/db/sqlite_db.db'), 'select text from notes')).toBe('then\n');
  expect(roots).toEqual({
    files_one: ['backup/one'],
    files_several: [`backup/several${machine.path('etc/one')}`, `backup/several${machine.path('etc/two')}`],
    files_file: ['backup/file/three'],
  });
}

function onlyPoint(machine: Machine, repository: string): { location: string; roots: Record<string, string[]> } {
  const [{ id }] = machine.json(0, 'list', '--repository', repository).points;
  const { location, manifest } = machine.json(0, 'show', id, '--repository', repository);
  const trees = manifest.items.filter((item: { roots?: object[] }) => item.roots !== undefined);
  const named = trees.map(({ name, roots }: { name: string; roots: { stored: string }[] }) => [
    name,
    roots.map(({ stored }) => stored),
  ]);
  return { location, roots: Object.fromEntries(named) };
}

describe.runIf(available('sqlite3'))('archives that hold whole points', () => {
  test('have the same names, read from the sources or filled from another repository of either layout', () => {
    const machine = withLayouts();
    machine.passes('backup', '--repository', 'disk', '--repository', 'tars', '--repository', 'more');
    expectSingle(machine, 'tars');
    expectSingle(machine, 'more');
    for (const repository of ['disk', 'tars', 'more']) {
      expect(machine.json(0, 'verify', '--repository', repository).outcome).toBe('passed');
      machine.passes('restore', 'kitchen', '--repository', repository, '--to', `to-${repository}`);
    }
    expect(isSame(machine.path('data'), machine.path('to-tars/backup/one'))).toBe(true);
    expect(tool('sqlite3', machine.path('to-tars/sqlite_db.db'), 'select text from notes')).toBe('then\n');
  });

  test('fill a repository of folders with absolute names, which restores in place', () => {
    const machine = withLayouts();
    machine.passes('backup', '--repository', 'tars', '--repository', 'disk');
    expectSingle(machine, 'tars');
    const { location, roots } = onlyPoint(machine, 'disk');
    const absolute = (...paths: string[]): string[] => paths.map((path) => machine.path(path).slice(1));
    expect(roots).toEqual({
      files_one: absolute('data'),
      files_several: absolute('etc/one', 'etc/two'),
      files_file: absolute('etc/three'),
    });
    const point = machine.path('disk', location);
    expect(tool('sh', '-c', 'cd "$1" && sha256sum --quiet -c SHA256SUMS', 'sh', point)).toBe('');
    const target = machine.path('by-tar');
    tool('mkdir', target);
    for (const item of ['one', 'several', 'file'])
      tool('tar', '--zstd', '-xf', join(point, `files_${item}.tar.zst`), '-C', target);
    expect(isSame(machine.path('data'), join(target, machine.path('data')))).toBe(true);
    expect(isSame(machine.path('etc'), join(target, machine.path('etc')))).toBe(true);
    tool('zstd', '-dqo', machine.path('copy.db'), join(point, 'sqlite_db.db.zst'));
    expect(tool('sqlite3', machine.path('copy.db'), 'select text from notes')).toBe('then\n');
    tool('cp', '-a', machine.path('data'), machine.path('before'));
    machine.write('data/soup.txt', 'spoiled');
    machine.passes('restore', 'kitchen', '--repository', 'disk', '--item', 'one', '--in-place', '--yes');
    expect(isSame(machine.path('data'), machine.path('before'))).toBe(true);
  });

  test('are packed as their repository says, whatever the one they are filled from does', () => {
    const machine = withLayouts();
    const before = readFileSync(machine.configuration, 'utf8').replace('version: 1\n', '');
    machine.configure(
      before.replace('repositories:', 'repositories:\n  bare: { engine: archive, path: ./bare, compression: none }'),
    );
    machine.passes('repository', 'init', 'bare');
    machine.passes('backup', '--repository', 'bare', '--repository', 'disk');
    const files = (repository: string): string[] =>
      readdirSync(join(machine.path(repository), onlyPoint(machine, repository).location)).filter((name) =>
        /_db|_one/.test(name),
      );
    expect(files('bare')).toEqual(['files_one.tar', 'files_one.tar.index', 'sqlite_db.db']);
    expect(files('disk')).toEqual(['files_one.tar.zst', 'sqlite_db.db.zst']);
  });

  test('show a dump under its name in the tar, and give it back under its file’s', () => {
    const machine = withLayouts();
    machine.passes('backup', '--repository', 'tars');
    const { location } = onlyPoint(machine, 'tars');
    const names = tool('tar', '-tf', machine.path('tars', location)).split('\n');
    const listed = machine.json(0, 'ls', 'kitchen', 'db').entries.map(({ path }: { path: string }) => path);
    expect(listed).toEqual(['backup/db/sqlite_db.db']);
    expect(names).toContain('backup/db/sqlite_db.db');
    expect(machine.passes('cat', 'kitchen', 'sqlite_db').startsWith('SQLite format 3')).toBe(true);
    machine.passes('restore', 'kitchen', '--item', 'sqlite_db', '--to', 'to');
    expect(tool('sqlite3', machine.path('to/sqlite_db.db'), 'pragma integrity_check')).toBe('ok\n');
  });
});

test('old archives of another tool go by age beside the points of several services, and what only looks alike stays', () => {
  const machine = aMachine();
  machine.configure(`repositories:
  tars: { engine: archive, path: ./tars, layout: single, filename: 'b-%Y%m%d-%H%M%S.tar.gz', adopt: true }
services:
  one: { sources: { file: { files: [./one] } } }
  two: { sources: { file: { files: [./two] } } }
plans:
  nightly: { services: [one, two], repositories: [tars], timezone: UTC, retention: { within: 7d } }
`);
  machine.passes('repository', 'init', 'tars');
  const stamps = [2, 6, 9, 20].map((days) =>
    new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-'),
  );
  const [young, week, old, oldest] = stamps.map((stamp) => `b-${stamp}.tar.gz`);
  const alike = [`b-${stamps[3]}.tar.zst`, `xb-${stamps[3]}.tar.gz`, 'b-20201331-000000.tar.gz', 'notes', 'notes.json'];
  for (const name of [young, week, old, oldest, ...alike])
    tool('touch', '--date', '30 days ago', machine.write(`tars/${name}`, '{}'));
  const left = (): readonly string[] => {
    const names = new Set(readdirSync(machine.path('tars')));
    return [young, week, old, oldest, ...alike].flatMap((name) => (name !== undefined && names.has(name) ? name : []));
  };
  machine.write('one', '1\n');
  machine.run(['backup', '--plan', 'nightly']); // of the two services one has its first point
  machine.passes('prune', '--yes');
  expect(left()).toEqual([young, week, old, oldest, ...alike]);
  machine.write('two', '2\n');
  machine.passes('backup', '--plan', 'nightly');
  machine.passes('prune', '--yes');
  expect(left()).toEqual([young, week, ...alike]);
  expect(machine.json(0, 'list').points).toHaveLength(5);
});
