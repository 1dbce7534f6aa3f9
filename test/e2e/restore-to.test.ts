import { existsSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aMachine, aServiceOn, isSame, type Json, type Machine, tool } from './holdfast.ts';

/** A second after the last one: points of a test differ in their second, which `--at` tells apart. */
async function nextSecond(): Promise<void> {
  const second = Math.floor(Date.now() / 1000);
  await expect.poll(() => Math.floor(Date.now() / 1000), { interval: 20, timeout: 3000 }).toBeGreaterThan(second);
}

const read = (machine: Machine, ...names: string[]): string => readFileSync(machine.path(...names), 'utf8');
const left = (machine: Machine): string[] => readdirSync(machine.folder).filter((name) => name.startsWith('.holdfast'));

describe.runIf(available('sqlite3'))('restore to a folder', () => {
  test('takes the service, an item, a path, or the state at a time', async () => {
    const machine = aMachine();
    aServiceOn(machine);
    const [first] = machine.json(0, 'backup').points;
    await nextSecond();
    machine.write('data/soup.txt', 'stew\n');
    machine.passes('backup');
    const report = machine.json(0, 'restore', 'notes', '--to', 'all');
    expect(report).toMatchObject({ outcome: 'passed', items: [{ name: 'files_data' }, { name: 'sqlite_db' }] });
    expect(isSame(machine.path('data'), machine.path('all', machine.path('data')))).toBe(true);
    expect(tool('sqlite3', machine.path('all/sqlite_db.db'), 'select count(*) from notes')).toBe('2\n');
    expect(tool('stat', '-c', '%a', machine.path('all/sqlite_db.db'))).toBe('600\n');
    machine.passes('restore', 'notes', '--at', first.timestamp, '--to', 'then');
    expect(read(machine, 'then', machine.path('data/soup.txt'))).toBe('soup\n');
    machine.passes('restore', first.id.slice(0, 20).toLowerCase(), '--item', 'db', '--to', 'item');
    expect(readdirSync(machine.path('item'))).toEqual(['sqlite_db.db']);
    machine.passes('restore', 'notes', '--path', machine.path('data/deep'), '--to', 'path');
    expect(readdirSync(machine.path('path', machine.path('data')))).toEqual(['deep']);
    expect(read(machine, 'path', machine.path('data/deep/er/bread.txt'))).toBe('bread\n');
    expect(machine.run(['restore', 'notes', '--at', '2020-01-01', '--to', 'none'])).toMatchObject({ exitCode: 1 });
    expect(existsSync(machine.path('none'))).toBe(false);
    expect(left(machine)).toEqual([]);
  });

  test('refuses to overwrite before it writes anything, unless it is told what to do', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.passes('backup', '--quiet');
    const to = (name: string): string => machine.path('to', machine.path('data'), name);
    machine.passes('restore', 'notes', '--to', 'to');
    const [newer, older] = [new Date(Date.now() + 3_600_000), new Date('2001-01-01')];
    for (const [name, time] of [
      ['soup.txt', newer],
      ['deep/er/bread.txt', older],
    ] as const) {
      writeFileSync(to(name), 'mine\n');
      utimesSync(to(name), time, time);
    }
    tool('rm', machine.path('to/sqlite_db.db'));
    writeFileSync(to('extra'), 'extra\n');
    const both = (): string[] => [readFileSync(to('soup.txt'), 'utf8'), readFileSync(to('deep/er/bread.txt'), 'utf8')];
    const { error } = machine.json(1, 'restore', 'notes', '--to', 'to');
    expect(error).toMatchObject({ code: 'TargetExists', exitCode: 1 });
    expect([both(), existsSync(machine.path('to/sqlite_db.db'))]).toEqual([['mine\n', 'mine\n'], false]);
    machine.passes('restore', 'notes', '--to', 'to', '--overwrite', 'never');
    expect([both(), existsSync(machine.path('to/sqlite_db.db'))]).toEqual([['mine\n', 'mine\n'], true]);
    const dump = machine.path('to/sqlite_db.db');
    writeFileSync(dump, 'mine');
    machine.passes('restore', 'notes', '--to', 'to', '--overwrite', 'if-newer');
    expect([...both(), readFileSync(dump, 'utf8')]).toEqual(['mine\n', 'bread\n', 'mine']);
    utimesSync(dump, older, older);
    machine.passes('restore', 'notes', '--to', 'to', '--overwrite', 'if-newer');
    expect(tool('sqlite3', dump, 'select count(*) from notes')).toBe('2\n');
    machine.passes('restore', 'notes', '--to', 'to', '--overwrite', 'always');
    expect(both()).toEqual(['soup\n', 'bread\n']);
    expect(readFileSync(to('extra'), 'utf8')).toBe('extra\n');
    expect(left(machine)).toEqual([]);
  });

  test('writes nothing into a repository or the state, whichever way leads there', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.passes('backup');
    symlinkSync('disk', machine.path('link'));
    const before = tool('find', machine.path('disk'), '-type', 'f');
    for (const target of ['disk', 'disk/notes/restored', 'link/deep/er', 'state', './state/../disk'])
      expect(machine.json(1, 'restore', 'notes', '--to', target), target).toMatchObject({ error: { code: 'Refused' } });
    expect(tool('find', machine.path('disk'), '-type', 'f')).toBe(before);
    machine.passes('restore', 'notes', '--to', 'disk-restored');
  });

  test('gives nothing of a damaged item, and keeps it to look at only when asked', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const [point] = machine.json(0, 'backup').points;
    const stored = machine.path('disk', point.location, 'sqlite_db.db.zst');
    const bytes = readFileSync(stored);
    bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 0x40;
    writeFileSync(stored, bytes);
    expect(machine.json(1, 'restore', 'notes', '--to', 'to').error).toMatchObject({ code: 'Damaged' });
    expect([existsSync(machine.path('to')), left(machine)]).toEqual([false, []]);
    const kept = machine.run(['restore', 'notes', '--to', 'to', '--keep-partial']);
    expect(kept).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('nothing of it is proved') });
    expect(existsSync(machine.path('to'))).toBe(false);
    expect(left(machine)).toHaveLength(1);
  });

  test('takes archives that another tool made, by their id, and never counts them as proven', () => {
    const machine = aMachine();
    machine.write('data/soup.txt', 'soup\n');
    machine.configure(`repositories:
  old: { engine: archive, path: ./old, layout: single, filename: 'dump-%Y%m%d.tar.gz' }
services: { files: { sources: { data: { files: [./data] } } } }
`);
    machine.passes('repository', 'init', 'old');
    tool('tar', '-czf', machine.path('old/dump-20240229.tar.gz'), '-C', machine.folder, 'data');
    const [foreign] = machine.json(0, 'list').points;
    expect(foreign).toMatchObject({ foreign: true, evidence: 'stored' });
    expect(machine.run(['list']).stdout).toContain('foreign');
    expect(machine.run(['restore', foreign.service, '--to', 'to']).exitCode).toBe(1);
    machine.passes('restore', foreign.id, '--to', 'to');
    expect(isSame(machine.path('data'), machine.path('to/data'))).toBe(true);
    expect(machine.passes('cat', foreign.id, 'archive', 'data/soup.txt')).toBe('soup\n');
    machine.passes('backup');
    const points = machine.json(0, 'list').points.map(({ foreign: other }: Json) => other);
    expect(points.toSorted()).toEqual([false, true]);
  });

  test('needs no configuration where the repository’s folder is named', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.passes('backup');
    const other = aMachine();
    const at = ['--repository', machine.path('disk')];
    expect(other.json(0, 'list', ...at).points).toMatchObject([{ service: 'notes' }]);
    expect(other.passes('ls', 'notes', 'data', ...at)).toContain('bread.txt');
    expect(other.passes('cat', 'notes', 'data', machine.path('data/soup.txt'), ...at)).toBe('soup\n');
    expect(other.json(0, 'verify', ...at)).toMatchObject({ outcome: 'passed' });
    other.passes('restore', 'notes', '--to', 'to', ...at);
    expect(isSame(machine.path('data'), other.path('to', machine.path('data')))).toBe(true);
    tool('sh', join(machine.path('disk'), 'restore.sh'));
  });
});
