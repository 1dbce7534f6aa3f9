import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { ArchiveSettings } from '../src/adapters/repositories/archive/settings.ts';
import { isUlid, timeOfUlid } from '../src/domain/ulid.ts';
import { aHeader, collect, plantTree } from './contracts/captured-items.ts';
import { storePoint } from './contracts/stored-points.ts';
import { anAgeKey } from './services/age.ts';
import { archiveFixture } from './services/archive.ts';
import { available } from './services/available.ts';

/** As a user of docker-volume-backup has it. */
const SETTINGS: Partial<ArchiveSettings> = {
  layout: 'single',
  filename: 'claude-backup-%Y%m%d-%H%M%S.tar.gz',
  compression: { format: 'gzip', level: 6 },
  services: ['runner'],
  timezone: 'Europe/Berlin',
};

/** An archive as another tool makes it. */
function plant(path: string, name: string, ...how: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-foreign-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  plantTree(folder);
  execFileSync('tar', [...how, '-cf', join(path, name), '--transform', 's,^\\.,backup/workspace,', '-C', folder, '.']);
  return folder;
}

test('an archive of the pattern that another tool made is listed as foreign, proved by nothing, and read', async ({
  signal,
}) => {
  await using made = await archiveFixture(SETTINGS);
  plant(made.path, 'claude-backup-20251202-020000.tar.gz', '-z');
  for (const name of ['notes-20251202-020000.tar.gz', 'claude-backup-20251331-020000.tar.gz', 'notes'])
    writeFileSync(join(made.path, name), 'not of the pattern');
  writeFileSync(join(made.path, 'notes.json'), '{"notes":"of somebody else"}');
  const own = await storePoint(made.repository, aHeader({ service: 'runner' }), signal);
  const { points, unreadable } = await made.repository.list({ service: 'runner' }, signal);
  expect(unreadable).toEqual([]);
  const [newest, foreign] = points;
  expect(newest).toEqual(own);
  if (foreign === undefined) throw new Error('The foreign archive is not listed.');
  expect(foreign).toMatchObject({ service: 'runner', foreign: true, manifest: null, evidence: 'stored', items: [] });
  expect(foreign.timestamp).toEqual(Temporal.Instant.from('2025-12-02T01:00:00Z')); // 02:00 in Berlin
  expect(isUlid(foreign.id) && timeOfUlid(foreign.id).equals(foreign.timestamp)).toBe(true);
  expect((await made.again().list({}, signal)).points.map(({ id }) => id)).toContain(foreign.id);

  const plain = await collect(made.repository.open(foreign, 'archive', signal));
  const stock = execFileSync('gzip', ['-dc', join(made.path, foreign.location)], { maxBuffer: 1e9 });
  expect(plain.equals(stock)).toBe(true);
  const names = [];
  for await (const { path } of made.repository.entries(foreign, 'archive', signal)) names.push(path);
  expect(names).toContain('backup/workspace/deep/second file.txt');
  const file = made.repository.openFile(foreign, 'archive', 'backup/workspace/deep/second file.txt', signal);
  expect((await collect(file)).toString()).toBe('second\n');
  await expect(collect(made.repository.open(foreign, 'other', signal))).rejects.toMatchObject({ code: 'ItemNotFound' });
});

test('a report beside a foreign archive proves nothing of it', async ({ signal }) => {
  await using made = await archiveFixture(SETTINGS);
  plant(made.path, 'claude-backup-20251202-020000.tar.gz', '-z');
  const [foreign] = (await made.repository.list({}, signal)).points;
  if (foreign === undefined) throw new Error('The foreign archive is not listed.');
  const json = { point: foreign.id, evidence: 'sound', evidenceAt: '2026-11-20T03:00:00Z' } as const;
  await made.repository.writeReport(foreign, 'verification-report', 'sound\n', json, signal);
  expect(existsSync(join(made.path, 'claude-backup-20251202-020000.tar.gz.verification-report.txt'))).toBe(true);
  expect((await made.repository.list({}, signal)).points).toMatchObject([{ evidence: 'stored', foreign: true }]);
});

test('a foreign archive is removed only where the repository adopts such', async ({ signal }) => {
  for (const adopt of [false, true]) {
    await using made = await archiveFixture({ ...SETTINGS, adopt });
    expect(made.repository.capabilities.adopt).toBe(adopt);
    const name = 'claude-backup-20251202-020000-2.tar.gz';
    plant(made.path, name, '-z');
    const [foreign] = (await made.repository.list({}, signal)).points;
    if (foreign === undefined) throw new Error('The foreign archive is not listed.');
    const removal = made.repository.remove(foreign, signal);
    if (adopt) await removal;
    else await expect(removal).rejects.toMatchObject({ code: 'Refused' });
    expect(readdirSync(made.path).includes(name)).toBe(!adopt);
  }
});

test('a name that says no time has the file’s', async ({ signal }) => {
  await using made = await archiveFixture({ ...SETTINGS, filename: 'weekly-%A.tar.gz', services: ['a', 'b'] });
  plant(made.path, 'weekly-Friday.tar.gz', '-z');
  utimesSync(join(made.path, 'weekly-Friday.tar.gz'), 1_750_000_000, 1_750_000_000);
  const [foreign] = (await made.repository.list({}, signal)).points;
  expect(foreign?.timestamp).toEqual(Temporal.Instant.fromEpochMilliseconds(1_750_000_000_000));
  expect(foreign?.service).toBe('local'); // nobody can tell whose it is
});

const FORMATS: readonly [string, readonly string[], string][] = [
  ['gzip', ['-z'], 'tar.gz'],
  ['zstd', ['--zstd'], 'tar.zst'],
  ['none', [], 'tar'],
];
for (const [format, how, extension] of FORMATS) {
  test(`what ${format} packed is told by its bytes, whatever its name ends with`, async ({ signal }) => {
    await using made = await archiveFixture({ layout: 'single', filename: 'b-%Y%m%d.tar.zst' });
    plant(made.path, 'b-20251202.tar.zst', ...how);
    const [foreign] = (await made.repository.list({}, signal)).points;
    if (foreign === undefined) throw new Error(`The foreign ${extension} is not listed.`);
    const target = mkdtempSync(join(tmpdir(), 'holdfast-foreign-'));
    onTestFinished(() => rmSync(target, { recursive: true }));
    execFileSync('tar', ['-xf', '-', '-C', target], {
      input: await collect(made.repository.open(foreign, 'archive', signal)),
    });
    expect(readFileSync(join(target, 'backup/workspace/first.txt'), 'utf8')).toBe('first\n');
  });
}

test('what is no archive says so', async ({ signal }) => {
  await using made = await archiveFixture({ layout: 'single', filename: 'b-%Y%m%d.tar.zst' });
  writeFileSync(join(made.path, 'b-20251202.tar.zst'), 'nothing of the kind');
  const [foreign] = (await made.repository.list({}, signal)).points;
  if (foreign === undefined) throw new Error('The foreign file is not listed.');
  await expect(collect(made.repository.open(foreign, 'archive', signal))).rejects.toMatchObject({
    code: 'Unsupported',
  });
});

describe.runIf(available('age-keygen'))('needs age', () => {
  test('a foreign archive that stock age sealed is opened with the repository’s key', async ({ signal }) => {
    const { recipient, identity } = anAgeKey();
    const sealing = { kind: 'age', recipients: [recipient], identities: [identity] } as const;
    await using made = await archiveFixture({ ...SETTINGS, sealing });
    const name = 'claude-backup-20251202-020000.tar.gz';
    plant(made.path, name, '-z');
    execFileSync('age', ['-r', recipient, '-o', join(made.path, `${name}.age`), join(made.path, name)]);
    rmSync(join(made.path, name));
    const [foreign] = (await made.repository.list({}, signal)).points;
    if (foreign === undefined) throw new Error('The foreign archive is not listed.');
    const file = made.repository.openFile(foreign, 'archive', 'backup/workspace/first.txt', signal);
    expect((await collect(file)).toString()).toBe('first\n');
  });

  test('a key that does not open what it seals makes no repository', async () => {
    const [one, other] = [anAgeKey(), anAgeKey()];
    for (const identities of [[other.identity], []]) {
      const sealing = { kind: 'age', recipients: [one.recipient], identities } as const;
      await expect(archiveFixture({ sealing })).rejects.toMatchObject({ code: 'WrongPassword' });
    }
  });

  test('what was sealed is not opened without the key, and check says so', async ({ signal }) => {
    const [one, other] = [anAgeKey(), anAgeKey()];
    const sealing = { kind: 'age', recipients: [one.recipient], identities: [one.identity] } as const;
    await using made = await archiveFixture({ sealing });
    const point = await storePoint(made.repository, aHeader(), signal);
    for (const wrong of [{ ...sealing, identities: [other.identity] }, null]) {
      const without = made.with({ sealing: wrong });
      await expect(collect(without.open(point, 'ldap', signal))).rejects.toMatchObject({ code: 'WrongPassword' });
      if (wrong !== null) expect(await without.check(signal)).toMatchObject([{ subject: 'key' }]);
    }
  });
});
