import { readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aMachine, aServiceOn, isSame, type Json, type Machine, tool } from './holdfast.ts';
import { backupShape, listShape, lsShape, manifestShape, verdictShape, verdictsShape } from './shapes.ts';

const PLANS = `plans:
  nightly: { services: '*', repositories: [disk], retention: { latest: 1 } }
`;

/** Every mode below a folder, once. */
const modesIn = (folder: string): string[] =>
  [...new Set(tool('find', folder, '-printf', '%y %m\n').trimEnd().split('\n'))].toSorted();

const idOf = ({ points }: Json): string => points[0].id;

describe.runIf(available('sqlite3'))('a service on this machine', () => {
  test('is backed up into files that sha256sum, tar, zstd and sqlite3 agree with', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const before = Math.floor(Date.now() / 1000) * 1000;
    const report = machine.json(0, 'backup');
    backupShape.parse(report);
    expect(report).toMatchObject({
      outcome: 'passed',
      points: [{ service: 'notes', repository: 'disk', evidence: 'stored', held: null, foreign: false }],
    });
    const [point] = report.points;
    const folder = machine.path('disk', point.location);
    expect(readdirSync(folder).toSorted()).toEqual([
      'SHA256SUMS',
      'backup-manifest.json',
      'files_data.tar.zst',
      'sqlite_db.db.zst',
    ]);
    expect(modesIn(machine.path('disk'))).toEqual(['d 700', 'f 600']);
    expect(modesIn(machine.path('state'))).toEqual(['d 700', 'f 600']);
    tool('sh', '-c', 'cd "$1" && sha256sum --strict --quiet -c SHA256SUMS', 'sh', folder);
    const manifest = JSON.parse(readFileSync(join(folder, 'backup-manifest.json'), 'utf8'));
    manifestShape.parse(manifest);
    expect(manifest).toMatchObject({
      ...{ id: point.id, host: hostname(), plan: null, counts: { succeeded: 2, failed: 0 } },
      ...{ totalSize: point.totalSize, timestamp: point.timestamp },
    });
    expect(Date.parse(manifest.timestamp)).toBeGreaterThanOrEqual(before);
    for (const { readAt } of manifest.items)
      expect(Date.parse(readAt)).toBeLessThanOrEqual(Date.parse(manifest.completedAt));
    const [tree, dump] = manifest.items;
    expect(tree.facts).toMatchObject({ files: 3, directories: 3, links: 0, others: 0, bytes: 15 });
    expect(dump.facts).toEqual({ tables: { 'main.notes': 2 } });
    expect(tree.size).toBe(statSync(join(folder, tree.file)).size);
    expect(tool('sh', '-c', 'zstd -dcq "$1" | sha256sum', 'sh', join(folder, tree.file))).toContain(
      tree.originalSha256,
    );
    tool('mkdir', machine.path('out'));
    tool('tar', '--zstd', '-xf', join(folder, tree.file), '-C', machine.path('out'));
    expect(isSame(machine.path('data'), machine.path('out', machine.path('data')))).toBe(true);
    tool('zstd', '-dqo', machine.path('out.db'), join(folder, dump.file));
    expect(tool('sqlite3', machine.path('out.db'), 'select count(*) from notes')).toBe('2\n');
  });

  test('is listed, shown, looked into and printed', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const first = idOf(machine.json(0, 'backup'));
    const second = idOf(machine.json(0, 'backup', 'notes', '--repository', 'disk'));
    const listed = listShape.parse(machine.json(0, 'list', 'notes', '--repository', 'disk', '--repository', 'disk'));
    expect(listed.points.map(({ id, items }) => [id, items])).toEqual([
      [second, ['files_data', 'sqlite_db']],
      [first, ['files_data', 'sqlite_db']],
    ]);
    const { manifest } = machine.json(0, 'show', first);
    expect(manifest).toEqual(JSON.parse(readFileSync(manifestPath(machine, first), 'utf8')));
    const tar = JSON.parse(readFileSync(manifestPath(machine, second), 'utf8')).items[0].file;
    const names = tool('tar', '--zstd', '-tf', join(manifestPath(machine, second), '..', tar))
      .trimEnd()
      .split('\n');
    const entries = lsShape.parse(machine.json(0, 'ls', second, 'data')).entries;
    expect(entries.map(({ path, type }) => (type === 'directory' ? `${path}/` : path)).toSorted()).toEqual(
      names.map((name) => name.replaceAll('\\n', '\\x0a').replaceAll('\\t', '\\x09')).toSorted(),
    );
    const below = machine.path('data/deep');
    const lines = machine.passes('ls', second, 'files_data', below).trimEnd().split('\n');
    expect(lines.map((line) => line.split('  ').at(-1)).toSorted()).toEqual(
      ['data/deep', 'data/deep/er', 'data/deep/er/bread.txt'].map((path) => machine.path(path).slice(1)),
    );
    expect(machine.passes('cat', second, 'data', machine.path('data/soup.txt'))).toBe('soup\n');
    expect(machine.passes('cat', 'notes', 'files_data', machine.path('data/soup.txt').slice(1))).toBe('soup\n');
  });

  test('is proved, and the report stands beside the point', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const id = idOf(machine.json(0, 'backup'));
    machine.json(0, 'backup');
    const one = machine.json(0, 'verify', id, '--level', 'readable');
    verdictShape.parse(one);
    expect(one).toMatchObject({ outcome: 'passed', point: id, service: 'notes' });
    const all = machine.json(0, 'verify', 'notes');
    verdictsShape.parse(all);
    expect(all.points).toHaveLength(2);
    const folder = join(manifestPath(machine, id), '..');
    expect(readFileSync(join(folder, 'verification-report.txt'), 'utf8')).toContain(id);
    expect(verdictShape.parse(JSON.parse(readFileSync(join(folder, 'verification-report.json'), 'utf8'))).point).toBe(
      id,
    );
    const listed = listShape.parse(machine.json(0, 'list'));
    expect(listed.points.map(({ evidence }) => evidence)).toEqual(['sound', 'sound']);
    tool('sh', '-c', 'cd "$1" && sha256sum --strict --quiet -c SHA256SUMS', 'sh', folder);
    const old = machine.json(1, 'verify', id, '--max-age', '1s');
    expect(old.checks.filter(({ outcome }: Json) => outcome === 'failed').map(({ name }: Json) => name)).toEqual([
      'age',
    ]);
  });

  test('keeps what its plan says, and prune says why before it removes anything', () => {
    const machine = aMachine();
    aServiceOn(machine, PLANS);
    const byHand = idOf(machine.json(0, 'backup'));
    const made = ['a', 'b', 'c'].map(() => idOf(machine.json(0, 'backup', '--plan', 'nightly')));
    machine.json(0, 'verify', made[1] ?? '', '--level', 'readable');
    const planned = machine.json(0, 'prune', '--dry-run');
    const actions = Object.fromEntries(
      planned.services[0].decisions.map(({ point, action, reasons }: Json) => [point, [action, reasons.length > 0]]),
    );
    expect(actions).toEqual({
      [byHand]: ['keep', true],
      [made[0] ?? '']: ['remove', true],
      [made[1] ?? '']: ['keep', true],
      [made[2] ?? '']: ['keep', true],
    });
    const lines = machine.passes('prune', '--dry-run', '--plan', 'nightly').split('\n');
    for (const id of [byHand, ...made]) expect(lines.filter((line) => line.includes(id))).toHaveLength(1);
    expect(machine.json(0, 'list').points).toHaveLength(4);
    machine.passes('prune', '--yes');
    const left = machine.json(0, 'list').points.map(({ id }: Json) => id);
    expect(left).toEqual([made[2], made[1], byHand]);
    expect(readdirSync(machine.path('disk/notes'))).toHaveLength(3);
  });

  test('is backed up, proved and pruned by one run', () => {
    const machine = aMachine();
    aServiceOn(machine, PLANS);
    const first = machine.json(0, 'run', 'nightly');
    expect(first).toMatchObject({ outcome: 'passed', backup: { outcome: 'passed' }, verify: { outcome: 'passed' } });
    const second = machine.json(0, 'run', 'nightly');
    const points = listShape.parse(machine.json(0, 'list')).points;
    expect(points.map(({ id, evidence }) => [id, evidence])).toEqual([[idOf(second.backup), 'readable']]);
  });

  test('has points that are copied, held and released, and a catalog that is rebuilt from them alone', () => {
    const machine = aMachine();
    aServiceOn(machine, 'plans: {}\n');
    machine.configure(
      readFileSync(machine.configuration, 'utf8')
        .replace('version: 1\n', '')
        .replace('disk: {', 'other: { engine: archive, path: ./other, compression: gzip }\n  disk: {'),
    );
    machine.passes('repository', 'init', 'other');
    const id = idOf(machine.json(0, 'backup', '--repository', 'disk'));
    expect(machine.json(0, 'copy', id, '--to', 'other')).toMatchObject({ outcome: 'passed', copied: true });
    expect(machine.json(0, 'copy', id, '--from', 'disk', '--to', 'other')).toMatchObject({ copied: false });
    const copies = machine.json(0, 'verify', id, '--level', 'readable');
    expect(verdictShape.parse(copies)).toMatchObject({ outcome: 'passed', point: id, service: 'notes' });
    expect(verdictsShape.parse(copies).points).toHaveLength(2);
    expect(new Set(copies.checks.map(({ repository }: Json) => repository))).toEqual(new Set(['disk', 'other']));
    machine.passes('hold', id, '--reason', 'before the upgrade');
    tool('rm', '-r', machine.path('state'));
    expect(machine.json(0, 'catalog', 'rebuild')).toMatchObject({ outcome: 'passed' });
    const { points } = listShape.parse(machine.json(0, 'list'));
    expect(points.map((point) => [point.id, point.held])).toEqual([
      [id, 'before the upgrade'],
      [id, 'before the upgrade'],
    ]);
    machine.passes('release', id);
    expect(machine.json(0, 'list', '--repository', 'other').points[0].held).toBeNull();
    tool('mkdir', machine.path('out'));
    const copied = join(manifestPath(machine, id, 'other'), '..');
    tool('tar', '-xzf', join(copied, 'files_data.tar.gz'), '-C', machine.path('out'));
    expect(isSame(machine.path('data'), machine.path('out', machine.path('data')))).toBe(true);
  });

  test('has repositories that are listed and checked, and a machine that the doctor looks at', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const id = idOf(machine.json(0, 'backup'));
    expect(machine.json(0, 'repository', 'list')).toMatchObject({
      repositories: [{ name: 'disk', engine: 'archive', points: 1 }],
    });
    expect(machine.json(0, 'repository', 'check', 'disk')).toMatchObject({ outcome: 'passed', problems: [] });
    expect(machine.json(0, 'doctor')).toMatchObject({ outcome: 'passed' });
    expect(machine.json(0, 'unlock')).toMatchObject({ outcome: 'passed', repairs: [] });
    tool('truncate', '-s', '-1', join(manifestPath(machine, id), '..', 'sqlite_db.db.zst'));
    expect(machine.json(1, 'repository', 'check', 'disk')).toMatchObject({ outcome: 'failed' });
    expect(machine.json(1, 'verify', id)).toMatchObject({ outcome: 'failed', point: id });
    const lost = machine.run(['restore', id, '--to', 'to']);
    expect(lost.exitCode).toBe(1);
    expect(readdirSync(machine.folder)).not.toContain('to');
  });
});

/** The manifest file of a point. */
function manifestPath(machine: Machine, id: string, repository = 'disk'): string {
  const found = tool('grep', '-rl', '--include=backup-manifest.json', `"id": "${id}"`, machine.path(repository));
  return found.trimEnd();
}
