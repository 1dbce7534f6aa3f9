import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { aHeader, at, collect, noise } from './contracts/captured-items.ts';
import { storePoint, storeTree } from './contracts/stored-points.ts';
import { archiveFixture, flipBit, storedPath } from './services/archive.ts';

const LAYOUTS = ['folder', 'single'] as const;

describe('damage', () => {
  for (const share of [0, 0.3, 0.6, 0.999]) {
    test(`a bit that flipped ${share * 100} % into an item is found by reading it`, async ({ signal }) => {
      for (const layout of LAYOUTS) {
        await using made = await archiveFixture({ layout, compression: { format: 'none' } });
        const point = await storePoint(made.repository, aHeader(), signal, noise(200_000));
        const stored = storedPath(made.path, point, 'ldap');
        flipBit(stored, layout === 'folder' ? share : 0.1 + share * 0.7); // inside the item, not in the tar's end
        await expect(collect(made.repository.open(point, 'ldap', signal))).rejects.toMatchObject({ code: 'Damaged' });
      }
    });
  }

  test('an item that is cut off is found by reading it and by its size', async ({ signal }) => {
    for (const layout of LAYOUTS) {
      await using made = await archiveFixture({ layout });
      const point = await storePoint(made.repository, aHeader(), signal, noise(200_000));
      const stored = storedPath(made.path, point, 'ldap');
      truncateSync(stored, Math.floor(statSync(stored).size / 2));
      await expect(collect(made.repository.open(point, 'ldap', signal))).rejects.toMatchObject({ code: 'Damaged' });
      expect(await made.repository.check(signal)).toMatchObject([
        { detail: expect.stringMatching(/bytes, \d+ were stored/) },
      ]);
    }
  });

  const rows: readonly [string, (folder: string) => void, RegExp][] = [
    ['a manifest that is cut off', (folder) => truncateSync(join(folder, 'backup-manifest.json'), 100), /no JSON/],
    [
      'a manifest with another number in it',
      (folder) => edit(join(folder, 'backup-manifest.json'), '"durationMs": 1000', '"durationMs": 1001'),
      /differ/,
    ],
    ['a manifest that is gone', (folder) => rmSync(join(folder, 'backup-manifest.json')), /no manifest/],
    ['a hash list with another hash', (folder) => flipHash(join(folder, 'SHA256SUMS')), /differ/],
    ['a hash list that is gone', (folder) => rmSync(join(folder, 'SHA256SUMS')), /differ/],
  ];
  for (const [name, harm, problem] of rows) {
    test(`${name} makes one row unreadable and hides no other`, async ({ signal }) => {
      await using made = await archiveFixture();
      const harmed = await storePoint(made.repository, aHeader(), signal);
      const other = await storePoint(made.repository, aHeader({ timestamp: at('03:00:00') }), signal);
      harm(join(made.path, harmed.location));
      const listing = await made.repository.list({}, signal);
      expect(listing.points.map(({ id }) => id)).toEqual([other.id]);
      expect(listing.locations).toContain(harmed.location);
      const row = { location: harmed.location, service: 'mealie', problem: expect.stringMatching(problem) };
      expect(listing.unreadable).toEqual([row]);
      await expect(made.repository.find(harmed, signal)).rejects.toMatchObject({ code: 'Damaged' });
      expect(await made.repository.check(signal)).toMatchObject([{ subject: harmed.location }]);
      await storePoint(made.repository, aHeader({ timestamp: at('04:00:00') }), signal); // work goes on
    });
  }

  test('a single archive whose manifest is damaged, or whose archive is gone, is a row', async ({ signal }) => {
    await using made = await archiveFixture({ layout: 'single' });
    const [first, second, third] = [
      await storePoint(made.repository, aHeader(), signal),
      await storePoint(made.repository, aHeader({ timestamp: at('03:00:00') }), signal),
      await storePoint(made.repository, aHeader({ timestamp: at('04:00:00') }), signal),
    ];
    truncateSync(join(made.path, `${first.location}.json`), 50);
    rmSync(join(made.path, second.location));
    const listing = await made.repository.list({}, signal);
    expect(listing.points.map(({ id }) => id)).toEqual([third.id]);
    expect(listing.unreadable.map(({ location }) => location).toSorted()).toEqual([first.location, second.location]);
  });

  test('check names what is missing, what does not belong there, and what others can read', async ({ signal }) => {
    await using made = await archiveFixture();
    const { point } = await storeTree(made.repository, signal);
    const folder = join(made.path, point.location);
    rmSync(join(folder, 'ldap.ldif.zst'));
    writeFileSync(join(folder, 'notes.txt'), '');
    execFileSync('chmod', ['0644', join(folder, 'files_data.tar.zst')]);
    execFileSync('chmod', ['0755', folder]);
    const found = (await made.repository.check(signal)).map(({ subject, detail }) => `${subject} ${detail}`);
    expect(found.map((line) => line.replace(`${point.location}`, '').trim()).toSorted()).toEqual([
      '/files_data.tar.zst is open to others: mode 0644',
      '/ldap.ldif.zst is missing',
      '/notes.txt is no part of the point',
      '/notes.txt is open to others: mode 0644',
      'is a folder that is open to others',
    ]);
    await expect(collect(made.repository.open(point, 'ldap', signal))).rejects.toMatchObject({ code: 'Damaged' });
  });

  test('a hold that cannot be read holds, a report that cannot be read proves nothing', async ({ signal }) => {
    await using made = await archiveFixture();
    const point = await storePoint(made.repository, aHeader(), signal);
    await made.repository.hold(point, { reason: 'kept', at: at('03:00:00'), by: 'user' }, signal);
    truncateSync(join(made.path, point.location, 'hold.json'), 5);
    writeFileSync(join(made.path, point.location, 'verification-report.json'), '{"evidence":"restored"', {
      mode: 0o600,
    });
    const [seen] = (await made.repository.list({}, signal)).points;
    expect(seen).toMatchObject({ held: { reason: 'its hold cannot be read' }, evidence: 'stored' });
  });
});

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
}

/** Another hash of the manifest, well formed. */
function flipHash(path: string): void {
  const lines = readFileSync(path, 'utf8').split('\n');
  const changed = lines.map((line) =>
    line.endsWith('backup-manifest.json') ? line.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) : line,
  );
  writeFileSync(path, changed.join('\n'));
}
