import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Item } from '../../src/domain/manifest.ts';
import { aHeader, aManifest, aRow, aStream, at, chunks, collect, noise } from './captured-items.ts';

import { aFolder, LDIF, namesIn, type RepositoryFixture, storePoint, storeTree } from './stored-points.ts';

/** What is stored comes back, whole and in parts, or is said to be damaged. */
export function repositoryBytesContract(name: string, fixture: () => Promise<RepositoryFixture>): void {
  test(`${name}: dumps come back byte for byte, empty ones and long ones`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const header = aHeader();
    const dumps = { empty: Buffer.alloc(0), small: Buffer.from(LDIF), long: noise(9 * 1024 ** 2 + 1) };
    await using draft = await repository.begin(header, 0, signal);
    const rows: Item[] = [];
    for (const [item, bytes] of Object.entries(dumps)) {
      const stream = aStream(item, () => chunks(bytes.subarray(0, 1000), bytes.subarray(1000)));
      rows.push(aRow(stream, await draft.putStream(stream, signal)));
    }
    const point = await draft.commit(aManifest(header, rows), null, signal);
    for (const [item, bytes] of Object.entries(dumps)) {
      expect((await collect(repository.open(point, item, signal))).equals(bytes), item).toBe(true);
    }
  });

  test(`${name}: a tree comes back whole, in parts and file by file`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const { point, folder, stored } = await storeTree(repository, signal);
    const whole = await collect(repository.open(point, 'files_data', signal));
    const target = aFolder();
    expect(spawnSync('tar', ['-xf', '-', '-C', target], { input: whole }).status).toBe(0);
    expect(spawnSync('diff', ['-r', folder, join(target, stored)]).status).toBe(0);

    const entries = [];
    for await (const { path, type } of repository.entries(point, 'files_data', signal)) entries.push(`${type} ${path}`);
    expect(entries.sort()).toEqual(
      [
        `directory ${stored}`,
        `directory ${stored}/deep`,
        `directory ${stored}/deep/er`,
        `file ${stored}/deep/er/third.bin`,
        `file ${stored}/deep/second file.txt`,
        `link ${stored}/deep/points`,
        // whichever of the two names tar met first is the file
        ...entries.filter((line) => /(?:first|same)\.txt$/.test(line)),
      ].sort(),
    );
    expect(entries).toHaveLength(8);

    const part = await collect(repository.openTree(point, 'files_data', `/${stored}/deep/er`, signal));
    expect(namesIn(part).filter((line) => !line.endsWith('/'))).toEqual([`${stored}/deep/er/third.bin`]);
    const file = await collect(repository.openFile(point, 'files_data', `${stored}/deep/second file.txt`, signal));
    expect(file.toString()).toBe('second\n');
    for (const both of ['first.txt', 'deep/same.txt']) {
      const linked = await collect(repository.openFile(point, 'files_data', `${stored}/${both}`, signal));
      expect(linked.toString()).toBe('first\n');
    }
  });

  test(`${name}: a path that is not in a tree, and a path in a dump, are not found`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const { point } = await storeTree(repository, signal);
    const missing = expect.objectContaining({ code: 'PathNotFound' });
    await expect(collect(repository.openFile(point, 'files_data', 'no/such', signal))).rejects.toEqual(missing);
    await expect(collect(repository.openTree(point, 'files_data', 'no/such', signal))).rejects.toEqual(missing);
    await expect(collect(repository.open(point, 'none', signal))).rejects.toMatchObject({ code: 'ItemNotFound' });
    const dump = await storePoint(repository, aHeader({ service: 'directory' }), signal);
    const reading = async () => collect(repository.openFile(dump, 'ldap', 'a', signal));
    await expect(reading()).rejects.toEqual(missing);
  });

  test(`${name}: bytes that are not what was stored are Damaged, never silently other`, async ({ signal }) => {
    await using made = await fixture();
    const point = await storePoint(made.repository, aHeader(), signal, noise(100_000));
    await made.damage(point, 'ldap');
    await expect(collect(made.again().open(point, 'ldap', signal))).rejects.toMatchObject({ code: 'Damaged' });
  });

  test(`${name}: an unchanged item is stored again without its bytes, or not at all`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const { point } = await storeTree(repository, signal);
    const header = aHeader({ timestamp: at('03:00:00') });
    await using draft = await repository.begin(header, 0, signal);
    const again = await draft.reuse('files_data', point, signal);
    expect(again !== null).toBe(repository.capabilities.reuse);
    expect(await draft.reuse('files_none', point, signal)).toBeNull();
    if (again === null) return;
    const rows = [aRow({ name: 'files_data', source: 'data', kind: 'files' }, again)];
    const second = await draft.commit(aManifest(header, rows), null, signal);
    const before = await collect(repository.open(point, 'files_data', signal));
    await repository.remove(point, signal);
    expect((await collect(repository.open(second, 'files_data', signal))).equals(before)).toBe(true);
  });

  test(`${name}: a point is copied, with its dumps and trees`, async ({ signal }) => {
    await using from = await fixture();
    await using to = await fixture();
    const { point, folder } = await storeTree(from.repository, signal);
    const header = { ...aHeader(), id: point.id };
    await using draft = await to.repository.begin(header, 0, signal);
    const rows: Item[] = [];
    for (const row of point.manifest?.items ?? []) {
      const { name: item, source, kind } = row;
      const stored = await draft.putCopy(row, from.repository.open(point, item, signal), signal);
      rows.push(aRow({ name: item, source, kind }, stored));
    }
    const copy = await draft.commit(aManifest(header, rows), null, signal);
    expect(copy.id).toBe(point.id);
    expect((await collect(to.repository.open(copy, 'ldap', signal))).toString()).toBe(LDIF);
    const target = aFolder();
    const tar = await collect(to.repository.open(copy, 'files_data', signal));
    expect(spawnSync('tar', ['-xf', '-', '-C', target], { input: tar }).status).toBe(0);
    const stored = copy.manifest?.items.find((row) => row.name === 'files_data')?.roots?.[0]?.stored ?? '';
    expect(spawnSync('diff', ['-r', folder, join(target, stored)]).status).toBe(0);
  });
}
