import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Secret } from '../src/domain/secret.ts';
import type { Sealing } from '../src/domain/storage.ts';
import { aHeader, aManifest, aRow, aStream, at, chunks } from './contracts/captured-items.ts';
import { LDIF, storePoint, storeTree } from './contracts/stored-points.ts';
import { anAgeKey } from './services/age.ts';
import { archiveFixture, flipBit, ZSTD } from './services/archive.ts';
import { available } from './services/available.ts';

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-stock-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A PATH with these programs and no other. */
function pathOf(...programs: readonly string[]): string {
  const folder = aFolder();
  for (const program of programs) {
    const found = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    symlinkSync(found, join(folder, program));
  }
  return folder;
}

/** Runs restore.sh with dash, nothing in the environment but these. */
function script(repository: string, args: readonly string[], environment: Readonly<Record<string, string>>) {
  const dash = execFileSync('sh', ['-c', 'command -v dash'], { encoding: 'utf8' }).trim();
  const { status, stdout, stderr } = spawnSync(dash, [join(repository, 'restore.sh'), ...args], {
    env: environment,
    encoding: 'utf8',
  });
  return { status, lines: stdout.split('\n').slice(0, -1), stderr };
}

const isSame = (one: string, other: string): boolean => spawnSync('diff', ['-r', one, other]).status === 0;
const modes = (folder: string): string[] =>
  execFileSync('find', [folder, '-printf', '%y %m\n'], { encoding: 'utf8' }).trimEnd().split('\n');

test('a point is the folder that the contract describes, and sha256sum agrees with it', async ({ signal }) => {
  await using made = await archiveFixture();
  const { point, folder } = await storeTree(made.repository, signal);
  expect(point.location).toBe('mealie/20261120_020000');
  const stored = join(made.path, 'mealie/20261120_020000');
  expect(readdirSync(stored).sort()).toEqual([
    'SHA256SUMS',
    'backup-manifest.json',
    'files_data.tar.zst',
    'ldap.ldif.zst',
  ]);
  expect(spawnSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: stored }).status).toBe(0);
  expect(readFileSync(join(stored, 'SHA256SUMS'), 'utf8').trimEnd().split('\n')).toHaveLength(3);
  expect(execFileSync('zstd', ['-dc', 'ldap.ldif.zst'], { cwd: stored, encoding: 'utf8' })).toBe(LDIF);
  const target = aFolder();
  execFileSync('tar', ['--zstd', '-xf', join(stored, 'files_data.tar.zst'), '-C', target]);
  expect(isSame(folder, join(target, folder))).toBe(true);
  const marker = JSON.parse(readFileSync(join(made.path, '.holdfast-repository.json'), 'utf8'));
  expect(Object.keys(marker)).toEqual(['format', 'id', 'createdAt']);
  expect(marker.format).toBe(1);
  expect(new Set(modes(stored))).toEqual(new Set(['d 700', 'f 600']));
});

test('a gzip point has its index in SHA256SUMS and opens with gzip', async ({ signal }) => {
  await using made = await archiveFixture({ compression: { format: 'gzip', level: 6 } });
  const { point, folder } = await storeTree(made.repository, signal);
  const stored = join(made.path, point.location);
  expect(readdirSync(stored)).toContain('files_data.tar.gz.index');
  expect(readFileSync(join(stored, 'SHA256SUMS'), 'utf8')).toContain('  files_data.tar.gz.index\n');
  expect(spawnSync('sha256sum', ['-c', '--strict', 'SHA256SUMS'], { cwd: stored }).status).toBe(0);
  const target = aFolder();
  execFileSync('tar', ['-xzf', join(stored, 'files_data.tar.gz'), '-C', target]);
  expect(isSame(folder, join(target, folder))).toBe(true);
});

test('the second point of a second ends with -2, and a dump that is compressed already stays as it is', async ({
  signal,
}) => {
  await using made = await archiveFixture();
  await storePoint(made.repository, aHeader(), signal);
  const header = aHeader();
  await using draft = await made.repository.begin(header, 0, signal);
  const dump = { ...aStream('postgres_authelia', () => chunks('PGDMP'), 'postgres_authelia.dump'), compressed: true };
  const row = aRow(dump, await draft.putStream(dump, signal));
  const point = await draft.commit(aManifest(header, [row]), null, signal);
  expect(point.location).toBe('mealie/20261120_020000-2');
  expect(readFileSync(join(made.path, point.location, 'postgres_authelia.dump'), 'utf8')).toBe('PGDMP');
  expect(row).toMatchObject({ originalSize: null, originalSha256: null, compression: 'none' });
});

test('a single archive is one tar with its manifest inside and beside it', async ({ signal }) => {
  const filename = 'claude-backup-%Y%m%d-%H%M%S.tar.gz';
  await using made = await archiveFixture({ layout: 'single', filename, compression: { format: 'gzip', level: 6 } });
  const { folder } = await storeTree(made.repository, signal);
  const archive = 'claude-backup-20261120-020000.tar.gz';
  const path = join(made.path, archive);
  const target = aFolder();
  execFileSync('tar', ['-xzf', path, '-C', target]);
  expect(isSame(folder, join(target, 'backup/data'))).toBe(true);
  expect(readFileSync(join(target, 'backup/directory/ldap.ldif'), 'utf8')).toBe(LDIF);
  const inside = JSON.parse(readFileSync(join(target, 'backup/backup-manifest.json'), 'utf8'));
  const { archive: recorded, ...beside } = JSON.parse(readFileSync(`${path}.json`, 'utf8'));
  expect(inside).toEqual(beside);
  const [sha256] = execFileSync('sha256sum', [path], { encoding: 'utf8' }).split(' ');
  expect(recorded).toEqual({ file: archive, size: statSync(path).size, sha256 });
  expect(inside.items.every((item: object) => !('file' in item) && 'sha256' in item && item.sha256 === null)).toBe(
    true,
  );
  await storePoint(made.repository, aHeader({ service: 'other' }), signal);
  expect(readdirSync(made.path)).toContain('claude-backup-20261120-020000-2.tar.gz');
});

test('the time in an archive’s name is the time zone’s', async ({ signal }) => {
  await using made = await archiveFixture({ layout: 'single', filename: 'b-%Y%m%d-%H%M%S.tar.zst' });
  const header = aHeader({ timezone: 'Asia/Kolkata', timestamp: at('20:00:00') });
  const point = await storePoint(made.repository, header, signal);
  expect(point.location).toBe('b-20261121-013000.tar.zst');
});

describe.runIf(available('dash'))('needs dash', () => {
  const seals: readonly {
    readonly name: string;
    readonly programs: readonly string[];
    readonly seal: () => readonly [Sealing | null, string];
  }[] = [
    { name: 'plain', programs: [], seal: () => [null, ''] },
    {
      name: 'age',
      programs: available('age') ? ['age'] : [],
      seal: () => {
        const { recipient, identity } = anAgeKey();
        return [{ kind: 'age', recipients: [recipient], identities: [identity] }, identity.reveal()];
      },
    },
    {
      name: 'gpg',
      programs: available('gpg') ? ['gpg', 'gpg-agent'] : [],
      seal: () => [{ kind: 'gpg-passphrase', passphrase: new Secret('correct horse') }, 'correct horse'],
    },
  ];

  for (const layout of ['folder', 'single'] as const) {
    for (const { name, programs, seal } of seals) {
      test(`restore.sh brings ${layout} points sealed ${name} back with sh, tar, zstd and ${name} alone`, async ({
        signal,
      }) => {
        const [sealing, secret] = seal();
        await using made = await archiveFixture({ layout, sealing });
        const { point, folder, stored } = await storeTree(made.repository, signal);
        const keys = aFolder();
        writeFileSync(join(keys, 'key'), secret, { mode: 0o600 });
        const environment = {
          PATH: pathOf('tar', 'zstd', ...programs),
          AGE_IDENTITY: join(keys, 'key'),
          GPG_PASSPHRASE_FILE: join(keys, 'key'),
          HOME: keys,
        };
        expect(script(made.path, [], environment)).toMatchObject({ status: 0, lines: [point.location] });
        const files = script(made.path, [point.location], environment).lines;
        expect(files).toHaveLength(layout === 'folder' ? 2 : 1);
        const target = aFolder();
        const ended = script(made.path, [point.location, 'all', target], environment);
        expect(ended).toMatchObject({ status: 0 });
        expect(isSame(folder, join(target, stored))).toBe(true);
        const dump = layout === 'folder' ? 'ldap.ldif' : 'backup/directory/ldap.ldif';
        expect(readFileSync(join(target, dump), 'utf8')).toBe(LDIF);
      });
    }
  }

  test('restore.sh restores a plain dump and a plain tar with tar alone, and replaces nothing', async ({ signal }) => {
    await using made = await archiveFixture({ compression: { format: 'none' } });
    const { point, folder, stored } = await storeTree(made.repository, signal);
    const environment = { PATH: pathOf('tar') };
    const target = aFolder();
    expect(script(made.path, [point.location, 'all', target], environment)).toMatchObject({ status: 0 });
    expect(isSame(folder, join(target, stored))).toBe(true);
    writeFileSync(join(target, 'ldap.ldif'), 'newer');
    const again = script(made.path, [point.location, 'ldap.ldif', target], environment);
    expect(again).toMatchObject({ status: 1 });
    expect(again.stderr).toContain('is there already');
    expect(readFileSync(join(target, 'ldap.ldif'), 'utf8')).toBe('newer');
  });

  test('restore.sh takes no padding behind the end of a tar for a failure', async ({ signal }) => {
    await using made = await archiveFixture();
    const { point, folder, stored } = await storeTree(made.repository, signal);
    // tar stops reading at its end; more than a pipe holds follows
    const programs = pathOf('tar', 'head');
    const zstd = execFileSync('sh', ['-c', 'command -v zstd'], { encoding: 'utf8' }).trim();
    const padded = `#!/bin/sh\n${zstd} "$@" && head -c 300000 /dev/zero\n`;
    writeFileSync(join(programs, 'zstd'), padded, { mode: 0o700 });
    const target = aFolder();
    const ended = script(made.path, [point.location, 'files_data.tar.zst', target], { PATH: programs });
    expect(ended).toMatchObject({ status: 0 });
    expect(isSame(folder, join(target, stored))).toBe(true);
  });

  test('restore.sh says what is damaged, with sha256sum and without', async ({ signal }) => {
    await using made = await archiveFixture();
    const { point } = await storeTree(made.repository, signal);
    flipBit(join(made.path, point.location, 'files_data.tar.zst'), 0.5);
    const [target, other] = [aFolder(), aFolder()];
    const checked = script(made.path, [point.location, 'files_data.tar.zst', target], {
      PATH: pathOf('tar', 'zstd', 'sha256sum'),
    });
    expect(checked).toMatchObject({ status: 1, lines: [] });
    expect(checked.stderr).toContain('is damaged');
    expect(readdirSync(target)).toEqual([]);
    const unchecked = script(made.path, [point.location, 'all', other], { PATH: pathOf('tar', 'zstd') });
    expect(unchecked).toMatchObject({ status: 1 });
    expect(unchecked.stderr).toContain('expanding');
  });

  test('restore.sh says what it needs and what is not there', async ({ signal }) => {
    await using made = await archiveFixture({ compression: ZSTD });
    const { point } = await storeTree(made.repository, signal);
    const target = aFolder();
    const noZstd = script(made.path, [point.location, 'all', target], { PATH: pathOf('tar') });
    expect(noZstd).toMatchObject({ status: 1 });
    expect(noZstd.stderr).toContain('zstd is needed');
    expect(script(made.path, ['mealie/no', 'all', target], { PATH: pathOf('tar') })).toMatchObject({ status: 1 });
    mkdirSync(join(target, 'copy'));
    writeFileSync(join(target, 'copy/restore.sh'), readFileSync(join(made.path, 'restore.sh')));
    expect(script(join(target, 'copy'), [], { PATH: pathOf('tar') }).stderr).toContain('no marker file');
  });
});
