import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { anAgeKey } from '../services/age.ts';
import { available } from '../services/available.ts';
import { aMachine, aServiceOn, type Json, type Machine, tool } from './holdfast.ts';
import { drillProcesses } from './marked.ts';
import { alterManifest, pointFolderIn, storeRehashed } from './rehashed.ts';

/** A machine with the service `notes` and a folder for scratch instances, which must be empty in the end. */
function aDrilledMachine(
  checks: readonly object[] = [],
): Machine & { drill(exitCode: number, ...args: string[]): Json } {
  const machine = aMachine();
  aServiceOn(machine);
  const yaml = readFileSync(machine.configuration, 'utf8');
  const more = `, checks: ${JSON.stringify(checks)} }\n`;
  writeFileSync(machine.configuration, yaml.replace(/(notes: \{ .* \}) \}\n/, `$1${more}`));
  mkdirSync(machine.path('scratch'));
  return {
    ...machine,
    drill(exitCode, ...args) {
      const report = machine.json(exitCode, 'drill', ...args, '--scratch', machine.path('scratch'));
      expect(readdirSync(machine.path('scratch'))).toEqual([]);
      expect(drillProcesses(machine.path('scratch'))).toEqual([]);
      return report;
    },
  };
}

const evidenceOf = (machine: Machine): string => machine.json(0, 'list').points[0].evidence;

describe.runIf(available('sqlite3') && available('age-keygen'))('a drill of trees and SQLite', () => {
  test('restores a point, compares its facts, writes a report beside it and leaves nothing', () => {
    const machine = aDrilledMachine();
    machine.passes('backup');
    const report = machine.drill(0, 'notes');
    expect(report.phases.map(({ name, outcome }: Json) => [name, outcome])).toEqual(
      ['select', 'create', 'restore', 'verify', 'clean up'].map((name) => [name, 'passed']),
    );
    expect(report).toMatchObject({ outcome: 'passed', service: 'notes', evidence: 'restored' });
    expect(report.facts.equal).toBe(true);
    expect(report.facts.actual).toEqual({
      files_data: { files: 3, directories: 3, links: 0, others: 0, bytes: 15 },
      sqlite_db: { tables: { 'main.notes': 2 } },
    });
    expect(report.facts.expected).toEqual(report.facts.actual);
    expect(report.rtoMs).toBeGreaterThan(0);
    expect(report.items[0].restoredBy).toEqual({
      name: 'tar',
      version: tool('tar', '--version').match(/\d+\.\d+/)?.[0],
    });
    const folder = pointFolderIn(machine.path('disk/notes'));
    const stored = JSON.parse(readFileSync(join(folder, 'dr-drill-report.json'), 'utf8')) as Json;
    expect(stored).toMatchObject({ point: report.point, outcome: 'passed', facts: report.facts });
    expect(readFileSync(join(folder, 'dr-drill-report.txt'), 'utf8')).toMatch(/^Outcome {3}passed$/m);
    expect(evidenceOf(machine)).toBe('restored');
    machine.passes('catalog', 'rebuild');
    expect(evidenceOf(machine)).toBe('restored');
    const { figures, series } = machine.json(0, 'history');
    const { lastDrillSeconds, rpo, rto } = figures.services.notes;
    expect(lastDrillSeconds).toBe(report.rtoMs / 1000);
    expect(rto).toEqual({ target: 4 * 3600, actual: report.rtoMs / 1000 });
    expect(rpo).toEqual({ target: 24 * 3600, actual: expect.any(Number) });
    expect(series.notes.rto).toMatchObject([{ point: report.point, seconds: report.rtoMs / 1000 }]);
    expect(series.notes.rpo).toMatchObject([{ before: null }]);
  }, 120_000);

  test('items that are drilled one by one raise the point once all were', () => {
    const machine = aDrilledMachine();
    machine.passes('backup');
    expect(machine.drill(0, 'notes', '--item', 'db')).toMatchObject({ outcome: 'passed', evidence: 'stored' });
    expect(machine.drill(0, 'notes', '--item', 'db')).toMatchObject({ evidence: 'stored' });
    expect(machine.drill(0, 'notes', '--item', 'files_data')).toMatchObject({ evidence: 'restored' });
    expect(machine.drill(1, 'notes', '--item', 'other').error).toMatchObject({ code: 'ItemNotFound' });
  }, 120_000);

  test('facts that the restored copy does not have fail it, and the point is no proof any more', () => {
    const machine = aDrilledMachine();
    machine.passes('backup');
    alterManifest(pointFolderIn(machine.path('disk/notes')), ({ items }) => {
      for (const { facts } of items) if (facts.tables) facts.tables['main.notes'] = 3;
    });
    const report = machine.drill(1, 'notes');
    expect(report).toMatchObject({ outcome: 'failed', evidence: 'failed', facts: { equal: false } });
    expect(report.phases[3]).toMatchObject({
      outcome: 'failed',
      detail: 'sqlite_db: tables main.notes: 3 expected, 2 restored',
    });
    const text = readFileSync(join(pointFolderIn(machine.path('disk/notes')), 'dr-drill-report.txt'), 'utf8');
    expect(text).toMatch(/sqlite_db {2}tables main\.notes {2}3 expected {2}2 restored/);
    alterManifest(pointFolderIn(machine.path('disk/notes')), ({ items }) => {
      for (const item of items) if (item.facts.tables) item.facts = {};
    });
    const again = machine.drill(5, machine.json(0, 'list').points[0].id);
    expect(again.phases[3].detail).toBe('sqlite_db: Nothing was counted when it was captured.');
    alterManifest(pointFolderIn(machine.path('disk/notes')), ({ items }) => {
      for (const item of items) item.facts = { largeObjects: 0, directories: item.facts.directories ?? 0 };
    });
    const other = machine.drill(5, machine.json(0, 'list').points[0].id);
    expect(other.items.map(({ detail }: Json) => detail)).toEqual(
      Array(2).fill('Nothing was counted when it was captured.'),
    );
  }, 120_000);

  test('a database whose index does not fit its table fails it, though every row can be counted', () => {
    const machine = aDrilledMachine();
    tool('sqlite3', machine.path('db/notes.db'), 'create index by_text on notes (text)');
    machine.passes('backup');
    const folder = pointFolderIn(machine.path('disk/notes'));
    const unsorted = `pragma writable_schema = on;
      update sqlite_master set sql = replace(sql, '(text)', '(text desc)') where name = 'by_text'`;
    tool('zstd', '-q', '-d', join(folder, 'sqlite_db.db.zst'), '-o', machine.path('copy.db'));
    tool('sqlite3', machine.path('copy.db'), unsorted);
    tool('zstd', '-q', '-f', machine.path('copy.db'), '-o', machine.path('copy.zst'));
    storeRehashed(
      folder,
      'sqlite_db.db.zst',
      readFileSync(machine.path('copy.zst')),
      readFileSync(machine.path('copy.db')),
    );
    const report = machine.drill(1, 'notes');
    expect(report).toMatchObject({ outcome: 'failed', evidence: 'failed' });
    expect(report.items[1].detail).toMatch(/row .* index by_text/);
  }, 60_000);

  test('a report that was copied from another point proves nothing of this one', () => {
    const machine = aDrilledMachine();
    machine.passes('backup');
    const first = machine.drill(0, 'notes').point;
    machine.passes('backup');
    const folders = readdirSync(machine.path('disk/notes')).toSorted();
    const [from, to] = folders.map((name) => machine.path('disk/notes', name, 'dr-drill-report.json'));
    writeFileSync(to ?? '', readFileSync(from ?? ''));
    machine.passes('catalog', 'rebuild');
    const { points } = machine.json(0, 'list');
    expect(points.map(({ id, evidence }: Json) => [id === first, evidence])).toEqual([
      [false, 'stored'],
      [true, 'restored'],
    ]);
  }, 120_000);

  test('is not begun beyond its budget, nor where there is nothing to drill', () => {
    const machine = aDrilledMachine();
    expect(machine.drill(1, 'notes').error).toMatchObject({ code: 'PointNotFound' });
    expect(machine.drill(5)).toMatchObject({ outcome: 'inconclusive', points: [], warnings: [{ subject: 'notes' }] });
    machine.passes('backup');
    const small = machine.drill(5, 'notes', '--max-space', '1KiB');
    expect(small.phases.map(({ outcome, detail }: Json) => [outcome, detail]).slice(0, 2)).toEqual([
      ['inconclusive', expect.stringMatching(/may take .* and --max-space allows 1 KiB/)],
      ['inconclusive', 'not reached'],
    ]);
    expect(small).toMatchObject({ evidence: 'stored', rtoMs: null });
    expect(machine.json(1, 'drill', 'notes', '--scratch', machine.path('nowhere')).error).toMatchObject({
      code: 'PathUnusable',
    });
  }, 120_000);

  test('of every service the one whose proof is oldest is drilled, within the budget', () => {
    const machine = aDrilledMachine();
    const yaml = readFileSync(machine.configuration, 'utf8');
    machine.write('large/bytes', Buffer.alloc(3_000_000, 'x'));
    machine.write('other/<b>', 'y');
    const more =
      '  large: { sources: { data: { files: [./large] } } }\n  other: { sources: { data: { files: [./other] } } }\n';
    writeFileSync(machine.configuration, yaml + more);
    machine.passes('backup');
    const sample = (...args: string[]): Json => machine.drill(0, '--sample', '--max-space', '1MiB', ...args);
    const [first, second, third] = [sample(), sample('--html', machine.path('drill.html')), sample()];
    expect([first, second, third].map(({ service }) => service)).toEqual(['notes', 'other', 'notes']);
    expect(machine.drill(5, '--sample', '--max-space', '10B')).toMatchObject({
      outcome: 'inconclusive',
      points: [],
      warnings: [{ subject: 'large' }, { subject: 'other' }, { subject: 'notes' }],
    });
    const late = machine.drill(5, 'notes', '--max-duration', '0s').phases[0];
    expect(late).toMatchObject({ outcome: 'inconclusive', detail: expect.stringContaining('--max-duration') });
    const html = readFileSync(machine.path('drill.html'), 'utf8');
    expect(html).toContain(`${second.point}, of `);
    expect(html).not.toMatch(/<script|<link|https?:/);
    expect(html).toMatch(/<td>files<\/td><td>1<\/td><td>1<\/td>/);
    expect(machine.drill(64, 'notes', '--sample').error).toMatchObject({ code: 'Usage' });
    const nowhere = machine.drill(1, 'notes', '--html', machine.path('no/where.html'));
    expect(nowhere.error).toMatchObject({ code: 'PathUnusable', subject: machine.path('no/where.html') });
  }, 120_000);

  test('a service of which nothing can be told keeps no other from being sampled', () => {
    const machine = aDrilledMachine();
    machine.write('other/b', 'y');
    const more = '  other: { sources: { data: { files: [./other] } } }\n';
    writeFileSync(machine.configuration, readFileSync(machine.configuration, 'utf8') + more);
    machine.passes('backup');
    alterManifest(pointFolderIn(machine.path('disk/notes')), ({ items }) => {
      for (const item of items) item.facts = {};
    });
    const sampled = [5, 0, 5].map((exitCode) => machine.drill(exitCode, '--sample').service);
    expect(sampled).toEqual(['notes', 'other', 'notes']);
  }, 60_000);

  test('a drilled point of a sealed archive outlives what its plan keeps', () => {
    const machine = aDrilledMachine();
    const { recipient, identity } = anAgeKey();
    writeFileSync(machine.path('key'), identity.reveal(), { mode: 0o600 });
    const yaml = readFileSync(machine.configuration, 'utf8');
    const sealed = `{ engine: archive, path: ./disk, layout: single, encryption: { age: { recipients: [${recipient}], identities: [{ file: ./key }] } } }`;
    const plan = 'plans: { nightly: { services: [notes], repositories: [disk], retention: { latest: 1 } } }\n';
    rmSync(machine.path('disk'), { recursive: true });
    writeFileSync(machine.configuration, yaml.replace('{ engine: archive, path: ./disk }', sealed) + plan);
    machine.passes('repository', 'init', 'disk');
    machine.passes('backup', '--plan', 'nightly');
    const drilled = machine.drill(0, 'notes');
    expect(drilled).toMatchObject({ outcome: 'passed', evidence: 'restored', facts: { equal: true } });
    for (let more = 0; more < 2; more++) machine.passes('backup', '--plan', 'nightly');
    machine.passes('prune', '--plan', 'nightly', '--yes');
    const { points } = machine.json(0, 'list');
    expect(points.map(({ evidence }: Json) => evidence)).toEqual(['stored', 'restored']);
    expect(points[1].id).toBe(drilled.point);
  }, 120_000);

  test('runs the checks of the service on the copy, where nothing of the live one can be reached', async () => {
    const address = await anOpenDoor();
    const checks = [
      { sql: { source: 'db', query: 'select count(*) = 2 from notes' } },
      {
        command: ['sh', '-c', 'test "$HOLDFAST_DRILL$HOLDFAST_SERVICE" = 1notes && test "$PWD" = "$HOLDFAST_RESTORED"'],
      },
      { command: ['sh', '-c', 'sqlite3 -readonly "$HOLDFAST_DB_URL" "select text from notes" | grep -qx then'] },
      { command: ['node', '-e', reaching(address.port)] },
      { command: ['node', '-e', reaching(address.socket)] },
      { http: `http://127.0.0.1:${address.port}/` },
      { tcp: `127.0.0.1:${address.port}` },
      { command: ['/usr/bin/curl', '-fsS', `http://127.0.0.1:${address.port}/`] },
      { command: ['false'], drill: false },
    ];
    const machine = aDrilledMachine(checks);
    machine.passes('backup');
    const report = machine.drill(0, 'notes');
    expect(report.isolated).toBe(true);
    expect(report.checks.map(({ outcome }: Json) => outcome)).toEqual(Array(5).fill('passed'));
    expect(report.notChecked.map(({ reason }: Json) => reason)).toEqual([
      'it reaches the live service',
      'it reaches the live service',
      'it reaches the live service',
      'left out by `drill: false`',
    ]);
    expect(address.visits()).toBe(0);
    const part = machine.drill(0, 'notes', '--item', 'db');
    expect(part.checks).toEqual([]);
    expect(part.notChecked).toHaveLength(checks.length);
    const yaml = readFileSync(machine.configuration, 'utf8');
    writeFileSync(machine.configuration, yaml.replace('count(*) = 2', 'count(*) > 2'));
    const bad = machine.drill(1, 'notes');
    expect(bad).toMatchObject({ outcome: 'failed', evidence: 'failed', facts: { equal: true } });
    expect(bad.phases[3].detail).toBe('sql db: select count(*) > 2 from notes: answers 0');
  }, 120_000);

  test('a check that names live files finds what was restored in their place, and changes none of them', () => {
    const machine = aMachine();
    const [data, inside, outside] = [machine.path('data'), machine.path('data/in.db'), machine.path('db/out.db')];
    machine.write('data/deep/soup.txt', 'soup');
    machine.write('db/.keep', '');
    for (const path of [inside, outside]) tool('sqlite3', path, 'create table t (x int); insert into t values (1)');
    const sources = {
      data: { files: [data], exclude: ['in.db*'] },
      inside: { sqlite: inside },
      outside: { sqlite: outside },
    };
    const shell = (script: string): object => ({ command: ['sh', '-c', script] });
    const checks = [
      shell(`cd ${data} && test "$(cat deep/soup.txt)" = soup && test ! -e later`),
      shell(`test "$(sqlite3 ${inside} 'select count(*) from t')" = 1`),
      shell(
        `cd ${dirname(outside)} && ! sqlite3 out.db 'select * from t' && sqlite3 "$HOLDFAST_OUTSIDE_URL" 'select * from t'`,
      ),
      { command: ['sqlite3', outside, 'select count(*) from t'] },
      shell(`sqlite3 ${inside} 'pragma journal_mode = wal; delete from t' && rm -r ${data}/deep && touch ${data}/made`),
    ];
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { notes: { sources: ${JSON.stringify(sources)}, checks: ${JSON.stringify(checks)} } }`);
    machine.passes('repository', 'init', 'disk');
    machine.passes('backup');
    rmSync(join(data, 'deep/soup.txt'));
    machine.write('data/later', '');
    tool('sqlite3', inside, 'insert into t values (2)');
    const names = readdirSync(machine.folder, { recursive: true }).filter((name) => /^d(?:b|ata)/.test(`${name}`));
    mkdirSync(machine.path('scratch'));
    const report = machine.json(0, 'drill', 'notes', '--scratch', machine.path('scratch'));
    expect(report.checks.map(({ outcome }: Json) => outcome)).toEqual(Array(4).fill('passed'));
    expect(readdirSync(machine.path('scratch'))).toEqual([]);
    const left = readdirSync(machine.folder, { recursive: true }).filter((name) => /^d(?:b|ata)/.test(`${name}`));
    expect(left).toEqual(names);
    expect(tool('sqlite3', inside, 'select count(*) from t')).toBe('2\n');
    const reason = (path: string): string =>
      `${path} cannot be replaced by what was restored: ask HOLDFAST_RESTORED for it`;
    expect(report.notChecked).toEqual([
      { name: `command sqlite3 ${outside} select count(*) from t`, reason: reason(outside) },
    ]);
    rmSync(data, { recursive: true });
    const lost = machine.json(0, 'drill', 'notes', '--scratch', machine.path('scratch'));
    expect(lost.checks).toHaveLength(1);
    expect(lost.notChecked.map((one: Json) => one.reason)).toEqual([data, data, outside, data].map(reason));
    expect(existsSync(data)).toBe(false);
  }, 60_000);

  test('a check takes no log from a live database beside whose file it looks', () => {
    const machine = aMachine();
    machine.write('data/.keep', '');
    machine.write('db/.keep', '');
    const [apart, alone, linked] = [
      machine.path('db/apart.db'),
      machine.path('db/alone.db'),
      machine.path('db/linked.db'),
    ];
    symlinkSync(linked, machine.path('data/link.db'));
    const sources = {
      data: { files: [machine.path('data'), alone] },
      apart: { sqlite: apart },
      linked: { sqlite: machine.path('data/link.db') },
    };
    const shut = (folder: string, name: string): object => ({
      command: ['sh', '-c', `cd ${machine.path(folder)} && ! sqlite3 ${name} 'select count(*) from t'`],
    });
    const checks = [shut('db', 'apart.db'), shut('db', 'alone.db'), shut('data', 'link.db')];
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { notes: { sources: ${JSON.stringify(sources)}, checks: ${JSON.stringify(checks)} } }`);
    machine.passes('repository', 'init', 'disk');
    for (const path of [apart, alone, linked]) {
      const live = new DatabaseSync(path);
      onTestFinished(() => live.close());
      live.exec('pragma journal_mode = wal; create table t (x int); insert into t values (1)');
    }
    machine.passes('backup');
    const before = readdirSync(machine.path('db'));
    expect(before).toEqual(expect.arrayContaining(['apart.db-wal', 'alone.db-wal', 'linked.db-wal']));
    mkdirSync(machine.path('scratch'));
    const report = machine.json(0, 'drill', 'notes', '--scratch', machine.path('scratch'));
    expect(report.checks.map(({ outcome }: Json) => outcome)).toEqual(Array(3).fill('passed'));
    expect(readdirSync(machine.path('db'))).toEqual(before);
    for (const path of [apart, alone, linked]) expect(tool('sqlite3', path, 'select count(*) from t')).toBe('1\n');
  }, 60_000);
});

interface Door {
  readonly port: number;
  readonly socket: string;
  visits(): number;
}

/** A server on loopback and on a socket of the file system, as a live service is. */
async function anOpenDoor(): Promise<Door> {
  let visits = 0;
  const machine = aMachine();
  const socket = machine.path('live.sock');
  const [onPort, onSocket] = [createServer(() => visits++), createServer(() => visits++)];
  await new Promise<void>((resolve) => onPort.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => onSocket.listen(socket, resolve));
  onTestFinished(() => void [onPort.close(), onSocket.close()]);
  const address = onPort.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, socket, visits: () => visits };
}

/** A program that ends with 0 when it cannot connect. */
const reaching = (to: number | string): string =>
  `require('node:net').connect(${JSON.stringify(to)}).on('connect', () => process.exit(9)).on('error', () => process.exit(0))`;
